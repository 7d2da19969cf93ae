import type { Readable } from 'node:stream';
import { assert } from '../errors.ts';
import { checkKey } from './check-key.ts';
import { notFound } from './failure.ts';
import type { CreateOutcome, ObjectInfo, ObjectStore } from './object-store.ts';
import { bytesContent, type Content, collect, copyOut, fileContent } from './s3-body.ts';
import { type S3Attempt, s3Failure } from './s3-failure.ts';
import { S3_LIMITS, type S3Effects } from './s3-limits.ts';
import { type Condition, type Stamp, writerName, writeUntilKnown } from './s3-write.ts';

export interface ListPage {
  readonly objects: readonly ObjectInfo[];
  readonly next: string | undefined;
}

/** What the store asks of a bucket; s3.ts makes it of the SDK's client. */
export interface S3Requests {
  put(key: string, content: Content, condition: Condition, writer: string): Promise<string>;
  head(key: string): Promise<(ObjectInfo & Stamp) | null>;
  /** As `head`, but asked once. */
  look(key: string): Promise<Stamp | null>;
  /** @returns null where there is no object. `use` is called again where the body breaks off. */
  read<T>(key: string, use: (info: ObjectInfo, body: Readable) => Promise<T>): Promise<T | null>;
  list(start: string, token: string | undefined): Promise<ListPage>;
  remove(key: string): Promise<void>;
}

/** A bucket, or a prefix of one, as an object store. Tags are ETags. */
export function storeOver(url: string, requests: S3Requests, effects: S3Effects & { readonly randomId: () => string }): ObjectStore {
  const attempted = async <T>(action: S3Attempt['action'], key: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw s3Failure(error, { action, url, key });
    }
  };
  const guarded = async <T>(action: S3Attempt['action'], key: string, work: () => Promise<T>): Promise<T> => {
    checkKey(key);
    return attempted(action, key, work);
  };

  const write = async (key: string, content: Content, condition: Condition): Promise<string | null> => {
    assert(content.size <= S3_LIMITS.objectBytes, `${key} has ${content.size} bytes, more than one PutObject takes`);
    const writer = writerName(condition, effects.randomId());
    const send = (): Promise<string> => requests.put(key, content, condition, writer);
    return writeUntilKnown({ condition, writer, send, head: () => requests.look(key) }, effects);
  };
  const createFrom = (key: string, contentOf: () => Promise<Content>): Promise<CreateOutcome> =>
    guarded('write', key, async () => {
      const tag = await write(key, await contentOf(), { kind: 'free' });
      return tag === null ? { outcome: 'exists' } : { outcome: 'created', tag };
    });

  return {
    url,
    get: (key) => guarded('read', key, () => requests.read(key, async (info, body) => ({ ...info, body: await collect(body) }))),
    head: (key) =>
      guarded('read', key, async () => {
        const standing = await requests.head(key);
        return standing && { key, size: standing.size, tag: standing.tag };
      }),
    create: (key, body) => createFrom(key, async () => bytesContent(body)),
    upload: (key, path) => createFrom(key, () => fileContent(path)),
    replace: (key, body, tag) => guarded('write', key, () => write(key, bytesContent(body), { kind: 'tag', tag })),
    list: async function* (start) {
      let token: string | undefined;
      do {
        const from = token;
        const page = await attempted('list', start, () => requests.list(start, from));
        yield* page.objects;
        token = page.next;
      } while (token !== undefined);
    },
    remove: (key) => guarded('remove', key, () => requests.remove(key)),
    download: (key, path) =>
      guarded('read', key, async () => {
        const size = await requests.read(key, (info, body) => copyOut(info, body, path));
        if (size === null) throw notFound(url, key);
        return size;
      }),
  };
}
