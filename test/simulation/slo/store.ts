import { compareKeys } from '../../../src/store/check-key.ts';
import { memoryStore } from '../../../src/store/memory.ts';
import type { ObjectStore } from '../../../src/store/object-store.ts';

/**
 * A store in memory that is made of many, one a window or a first folder: a listing looks at the keys that it is about, and not at every
 * key of a day.
 */
export function sharded(): ObjectStore {
  const shards = new Map<string, ObjectStore>();
  const shardOf = (key: string): ObjectStore => {
    const name = /^raw\/.*?\/win=[^/]*\//.exec(key)?.[0] ?? key.slice(0, key.indexOf('/') + 1);
    const shard = shards.get(name) ?? memoryStore();
    shards.set(name, shard);
    return shard;
  };
  return {
    url: 'memory:',
    get: (key) => shardOf(key).get(key),
    head: (key) => shardOf(key).head(key),
    create: (key, body) => shardOf(key).create(key, body),
    replace: (key, body, tag) => shardOf(key).replace(key, body, tag),
    list: async function* (prefix) {
      const names = [...shards.keys()].filter((name) => name.startsWith(prefix) || prefix.startsWith(name)).sort(compareKeys);
      for (const name of names) yield* shards.get(name)?.list(prefix) ?? [];
    },
    remove: (key) => shardOf(key).remove(key),
    download: (key, path) => shardOf(key).download(key, path),
    upload: (key, path) => shardOf(key).upload(key, path),
  };
}
