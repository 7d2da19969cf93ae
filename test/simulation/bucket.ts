import { Readable } from 'node:stream';
import type { ObjectInfo, ObjectStore } from '../../src/store/object-store.ts';
import { nullWhereMissing, repeated, withDeadline } from '../../src/store/s3-attempt.ts';
import { type Content, collect } from '../../src/store/s3-body.ts';
import { type ListPage, type S3Requests, storeOver } from '../../src/store/s3-store.ts';
import type { Condition } from '../../src/store/s3-write.ts';
import type { Faults } from './faults.ts';
import type { SimulatedProcess } from './process.ts';

/** What stands in the simulated bucket. `write` is the only way in. */
export interface Bucket {
  readonly store: ObjectStore;
  /** By key and tag: whose write it was. */
  readonly writers: Map<string, string>;
  /** Told of every write that was made. */
  readonly made: (process: SimulatedProcess, action: 'create' | 'replace' | 'remove', key: string, body: Buffer | null) => void;
  /** Keys a page of a listing; few, so that listings are many, unless said otherwise. */
  readonly listPage?: number;
}

const LIST_PAGE = 7;
const LATE_MOST = 90_000_000;

/** The store of one process: the product's S3 store, from its requests up, over a bucket that answers as S3 does on its worse days. */
export function bucketStore(bucket: Bucket, process: SimulatedProcess, faults: Faults): ObjectStore {
  const effects = { clock: process.clock, random: () => process.dice.next(), randomId: () => process.dice.id() };
  const send = <T>(label: string, work: () => Promise<T>, tell?: (value: T) => string): Promise<T> =>
    request(process, faults, label, work, tell);
  const ask = <T>(label: string, work: () => Promise<T>, tell?: (value: T) => string): Promise<T | null> =>
    repeated(effects, () => withDeadline(effects, 0, ({ within }) => within(send(label, work, tell))));
  const headOf = async (key: string) => {
    const standing = await bucket.store.head(key);
    if (!standing) throw rejection(404, 'NotFound');
    return { ...standing, writer: bucket.writers.get(`${key} ${standing.tag}`) };
  };

  const requests: S3Requests = {
    put: async (key, content, condition, writer) => {
      const body = await bytesOf(content);
      const put = (): Promise<string> => write(bucket, process, key, body, condition, writer);
      return withDeadline(effects, content.size, ({ within }) => within(send(`PUT ${key} ${condition.kind}`, put)));
    },
    head: (key) => ask(`HEAD ${key}`, () => headOf(key)),
    look: (key) => withDeadline(effects, 0, ({ within }) => within(send(`HEAD ${key}`, () => headOf(key)))).catch(nullWhereMissing),
    read: async <T>(key: string, use: (info: ObjectInfo, body: Readable) => Promise<T>): Promise<T | null> => {
      const object = await ask(`GET ${key}`, async () => {
        const standing = await bucket.store.get(key);
        if (!standing) throw rejection(404, 'NoSuchKey');
        return standing;
      });
      return object && use({ key, size: object.size, tag: object.tag }, Readable.from([object.body]));
    },
    list: async (start, token) => {
      const page = await ask(
        `LIST ${start} ${token ?? ''}`,
        () => listPage(bucket, start, token),
        ({ objects }) => `${objects.length}`,
      );
      return page ?? { objects: [], next: undefined };
    },
    remove: async (key) => {
      await ask(`DELETE ${key}`, async () => {
        await bucket.store.remove(key);
        bucket.made(process, 'remove', key, null);
        return true;
      });
    },
  };
  return storeOver('s3://simulated', requests, effects);
}

async function bytesOf(content: Content): Promise<Buffer> {
  const body = content.open();
  return body instanceof Uint8Array ? Buffer.from(body) : collect(body);
}

async function write(
  bucket: Bucket,
  process: SimulatedProcess,
  key: string,
  body: Buffer,
  condition: Condition,
  writer: string,
): Promise<string> {
  const tag = await (condition.kind === 'free' ? created(bucket, key, body) : replaced(bucket, key, body, condition.tag));
  bucket.writers.set(`${key} ${tag}`, writer);
  bucket.made(process, condition.kind === 'free' ? 'create' : 'replace', key, body);
  return tag;
}

async function created(bucket: Bucket, key: string, body: Buffer): Promise<string> {
  const outcome = await bucket.store.create(key, body);
  if (outcome.outcome === 'created') return outcome.tag;
  throw rejection(412, 'PreconditionFailed');
}

async function replaced(bucket: Bucket, key: string, body: Buffer, condition: string): Promise<string> {
  if (!(await bucket.store.head(key))) throw rejection(404, 'NoSuchKey');
  const tag = await bucket.store.replace(key, body, condition);
  if (tag !== null) return tag;
  throw rejection(412, 'PreconditionFailed');
}

/** Listings come in pages, each as the bucket is when it is asked for. */
async function listPage(bucket: Bucket, start: string, token: string | undefined): Promise<ListPage> {
  const objects: ObjectInfo[] = [];
  for await (const object of bucket.store.list(start)) {
    if (token !== undefined && object.key <= token) continue;
    if (objects.length === (bucket.listPage ?? LIST_PAGE)) return { objects, next: objects.at(-1)?.key };
    objects.push(object);
  }
  return { objects, next: undefined };
}

/** One request, with what may become of it. */
async function request<T>(
  process: SimulatedProcess,
  faults: Faults,
  label: string,
  work: () => Promise<T>,
  tell: ((value: T) => string) | undefined,
): Promise<T> {
  const writes = /^(PUT|DELETE)/.test(label);
  const fate = faults.draw('storeFailure', 'storeLost', 'storeSlow', ...(writes ? (['storeLate', 'storeCollision'] as const) : []));
  const slow = fate === 'storeSlow' ? { before: process.dice.between(0, LATE_MOST), after: process.dice.between(0, LATE_MOST) } : {};
  const fated = async (): Promise<T> => {
    if (fate === 'storeFailure') throw process.dice.chance(0.5) ? rejection(503, 'SlowDown') : broken('ECONNREFUSED');
    if (fate === 'storeCollision') throw rejection(409, 'ConditionalRequestConflict');
    if (fate === 'storeLate') {
      later(process, label, work);
      throw broken('ETIMEDOUT');
    }
    const answer = await work();
    if (fate === 'storeLost') throw process.dice.chance(0.3) ? rejection(500, 'InternalError') : broken('ECONNRESET');
    return answer;
  };
  return process.perform('store', label, fated, tell, slow);
}

/** The request was on its way when its sender gave up: it is done all the same. */
function later<T>(process: SimulatedProcess, label: string, work: () => Promise<T>): void {
  const { scheduler } = process;
  scheduler.at(scheduler.now() + process.dice.between(0, LATE_MOST), async () => {
    const outcome = await work().then(
      () => 'ok',
      (error: unknown) => `! ${(error as Error).message}`,
    );
    scheduler.note(process.name, `${label}, late → ${outcome}`, true);
  });
}

/** What the SDK rejects with where the server answered. */
const rejection = (status: number, name: string): Error =>
  Object.assign(new Error(`${name} (injected)`), { name, $metadata: { httpStatusCode: status } });
/** And where no answer came. */
const broken = (code: string): Error => Object.assign(new Error(`${code} (injected)`), { code });
