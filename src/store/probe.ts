import { isTidemarkError, TidemarkError } from '../errors.ts';
import type { ObjectInfo, ObjectStore } from './object-store.ts';

/** Where the probe writes, and what it removes again. */
const PROBE_PREFIX = 'probe/';
/** Writers that are sent against one key at once: a store that looks first and writes then lets several of them win. */
const RACERS = 8;

/**
 * Proves, before anything depends on it, that the store keeps the promises of ObjectStore: it can be written, read and listed, refuses a
 * create on a taken key and a replacement under a stale tag or of a missing object, and lets one of several racing writers win. Leaves
 * nothing behind.
 * @throws STORE_UNSAFE where it breaks a promise; STORE where it cannot be reached or written.
 */
export async function probeStore(store: ObjectStore, randomId: () => string): Promise<void> {
  const name = `${PROBE_PREFIX}${randomId()}`;
  const keys = { document: `${name}/document`, missing: `${name}/missing`, race: `${name}/race` };
  const clear = async (): Promise<void> => {
    for (const key of Object.values(keys)) await store.remove(key);
  };
  try {
    await probeWrites(store, keys);
    await probeRaces(store, keys.race);
  } catch (error) {
    // What failed first is what there is to say.
    await clear().catch(() => undefined);
    throw error;
  }
  await clear();
}

async function probeWrites(store: ObjectStore, { document, missing }: { document: string; missing: string }): Promise<void> {
  const first = await store.create(document, text('first'));
  promise(store, first.outcome === 'created', 'says that a name is taken that nobody ever used');
  promise(store, (await store.create(document, text('second'))).outcome === 'exists', 'lets a second writer create an object that exists');
  promise(store, (await read(store, document)) === 'first', 'does not give back what was written');
  const stale = first.outcome === 'created' ? first.tag : '';
  const tag = await store.replace(document, text('third'), stale);
  promise(store, tag !== null && tag !== stale, 'does not replace an object under its own tag');
  promise(store, await refused(store.replace(document, text('fourth'), stale)), 'replaces an object under a tag that is out of date');
  promise(store, (await read(store, document)) === 'third', 'does not give back what was written last');
  promise(store, await refused(store.replace(missing, text('fifth'), stale)), 'replaces an object that does not exist');
  promise(store, (await store.head(missing)) === null, 'makes an object where it was to replace one');
  const listed: ObjectInfo[] = [];
  for await (const object of store.list(document)) listed.push(object);
  promise(store, listed.length === 1 && listed[0]?.key === document && listed[0].size === 5, 'does not list what was written');
}

async function probeRaces(store: ObjectStore, key: string): Promise<void> {
  const created = await Promise.all(racers((i) => store.create(key, text(`create ${i}`))));
  const winners = created.filter((outcome) => outcome.outcome === 'created');
  promise(store, winners.length === 1, `lets ${winners.length} of ${RACERS} racing writers create one object`);
  const tag = winners[0]?.tag ?? '';
  const replaced = await Promise.all(racers((i) => store.replace(key, text(`replace ${i}`), tag).catch(unknown)));
  const replacers = replaced.filter((result) => result !== null && result !== UNKNOWN);
  const mayBe = replaced.includes(UNKNOWN) ? [0, 1] : [1];
  promise(store, mayBe.includes(replacers.length), `lets ${replacers.length} of ${RACERS} racing writers replace one object`);
}

/** A replacement whose answer was lost, where something else stands by now: it may have been made and replaced, or refused. */
const UNKNOWN = Symbol('unknown');
function unknown(error: unknown): typeof UNKNOWN {
  if (isTidemarkError(error, 'STORE') && error.transient) return UNKNOWN;
  throw error;
}

/** Of a replacement that must be refused: where nobody knows, what is read next shows it. */
const refused = async (replacement: Promise<string | null>): Promise<boolean> => {
  const result = await replacement.catch(unknown);
  return result === null || result === UNKNOWN;
};

const racers = <T>(run: (i: number) => Promise<T>): Promise<T>[] => Array.from({ length: RACERS }, (_, i) => run(i));

const text = (value: string): Buffer => Buffer.from(value);
const read = async (store: ObjectStore, key: string): Promise<string | undefined> => (await store.get(key))?.body.toString();

function promise(store: ObjectStore, kept: boolean, broken: string): void {
  if (kept) return;
  throw new TidemarkError({
    code: 'STORE_UNSAFE',
    message: `the store ${store.url} ${broken}`,
    hint: 'Nothing was landed. Two runs would overwrite each other on such a store: use AWS S3, a server that honours If-None-Match and If-Match on PutObject (versitygw 1.8 or later does), or a folder on a local disk.',
    data: { url: store.url, broken },
  });
}
