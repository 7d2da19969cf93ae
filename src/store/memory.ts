import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { checkKey, compareKeys } from './check-key.ts';
import { notFound } from './failure.ts';
import type { CreateOutcome, ObjectInfo, ObjectStore, StoredObject } from './object-store.ts';

interface Entry {
  readonly body: Buffer;
  readonly tag: string;
}

/** A store that lives as long as the process: for tests and simulations. It is the model that the other stores are held against. */
export function memoryStore(url = 'memory:'): ObjectStore {
  const entries = new Map<string, Entry>();
  let writes = 0;

  const put = (key: string, body: Uint8Array): string => {
    writes += 1;
    const tag = `${writes}-${createHash('sha256').update(body).digest('hex').slice(0, 8)}`;
    entries.set(key, { body: Buffer.from(body), tag });
    return tag;
  };
  const info = (key: string, entry: Entry): ObjectInfo => ({ key, size: entry.body.length, tag: entry.tag });

  const find = (key: string): StoredObject | null => {
    checkKey(key);
    const entry = entries.get(key);
    return entry ? { ...info(key, entry), body: Buffer.from(entry.body) } : null;
  };
  const create = (key: string, body: Uint8Array): CreateOutcome => {
    checkKey(key);
    return entries.has(key) ? { outcome: 'exists' } : { outcome: 'created', tag: put(key, body) };
  };

  return {
    url,
    get: async (key) => find(key),
    head: async (key) => {
      const object = find(key);
      return object && { key, size: object.size, tag: object.tag };
    },
    create: async (key, body) => create(key, body),
    replace: async (key, body, tag) => {
      checkKey(key);
      return entries.get(key)?.tag === tag ? put(key, body) : null;
    },
    list: async function* (prefix) {
      const keys = [...entries.keys()].filter((key) => key.startsWith(prefix)).sort(compareKeys);
      for (const key of keys) {
        const entry = entries.get(key);
        if (entry) yield info(key, entry);
      }
    },
    remove: async (key) => {
      checkKey(key);
      entries.delete(key);
    },
    download: async (key, path) => {
      const object = find(key);
      if (!object) throw notFound(url, key);
      await writeFile(path, object.body, { flag: 'wx' });
      return object.size;
    },
    upload: async (key, path) => create(key, await readFile(path)),
  };
}
