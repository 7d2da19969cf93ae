import { compareKeys } from './check-key.ts';
import type { ObjectInfo, ObjectStore } from './object-store.ts';

/**
 * A store that looks like `base` with changes on top, which all stay in `drafts`: for work that is to show what it would do. Nothing is
 * ever written to `base`. A document of `base` that is replaced is the draft from then on, whatever others make of it meanwhile.
 */
export function draftStore(base: ObjectStore, drafts: ObjectStore): ObjectStore {
  const over = async (key: string): Promise<ObjectStore> => ((await drafts.head(key)) ? drafts : base);
  const isTaken = async (key: string): Promise<boolean> => (await drafts.head(key)) !== null || (await base.head(key)) !== null;
  return {
    url: base.url,
    get: async (key) => (await drafts.get(key)) ?? base.get(key),
    head: async (key) => (await drafts.head(key)) ?? base.head(key),
    create: async (key, body) => ((await isTaken(key)) ? { outcome: 'exists' } : drafts.create(key, body)),
    replace: async (key, body, tag) => {
      if (await drafts.head(key)) return drafts.replace(key, body, tag);
      if ((await base.head(key))?.tag !== tag) return null;
      const created = await drafts.create(key, body);
      return created.outcome === 'created' ? created.tag : null;
    },
    list: (prefix) => merged(base.list(prefix), drafts.list(prefix)),
    remove: (key) => drafts.remove(key),
    download: async (key, path) => (await over(key)).download(key, path),
    upload: async (key, path) => ((await isTaken(key)) ? { outcome: 'exists' } : drafts.upload(key, path)),
  };
}

/** Both in their order; of one key, the draft. */
async function* merged(base: AsyncIterable<ObjectInfo>, drafts: AsyncIterable<ObjectInfo>): AsyncIterable<ObjectInfo> {
  const waiting: ObjectInfo[] = [];
  for await (const info of drafts) waiting.push(info);
  for await (const info of base) {
    while (waiting[0] && compareKeys(waiting[0].key, info.key) < 0) yield waiting.shift() as ObjectInfo;
    if (waiting[0]?.key !== info.key) yield info;
  }
  yield* waiting;
}
