import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { faultyStore } from '../../src/store/faulty.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { probeStore } from '../../src/store/probe.ts';
import { keysOf } from './contract.ts';

/** Stores that break one promise each, as real emulators do. */
const unsafe: { readonly breaks: string; readonly says: string; readonly store: (inner: ObjectStore) => Partial<ObjectStore> }[] = [
  {
    breaks: 'overwrites on create',
    says: 'lets a second writer create an object that exists',
    store: (inner) => ({
      create: async (key, body) => {
        await inner.remove(key);
        return inner.create(key, body);
      },
    }),
  },
  {
    breaks: 'replaces whatever the tag',
    says: 'replaces an object under a tag that is out of date',
    store: (inner) => ({ replace: async (key, body) => inner.replace(key, body, (await inner.head(key))?.tag ?? '') }),
  },
  {
    breaks: 'makes what it was to replace',
    says: 'replaces an object that does not exist',
    store: (inner) => ({
      replace: async (key, body, tag) => {
        const created = (await inner.head(key)) ? null : await inner.create(key, body);
        return created?.outcome === 'created' ? created.tag : inner.replace(key, body, tag);
      },
    }),
  },
  {
    breaks: 'looks first and writes then',
    says: 'of 8 racing writers create one object',
    store: (inner) => ({
      create: async (key, body) => {
        if (await inner.head(key)) return { outcome: 'exists' };
        const removing = inner.remove(key);
        const creating = inner.create(key, body);
        await removing;
        return creating;
      },
    }),
  },
  { breaks: 'lists late', says: 'does not list what was written', store: () => ({ list: async function* () {} }) },
  {
    breaks: 'alters bytes',
    says: 'does not give back what was written',
    store: (inner) => ({
      get: async (key) => {
        const object = await inner.get(key);
        return object && { ...object, body: Buffer.from(object.body.toString().toUpperCase()) };
      },
    }),
  },
];

describe('the probe', () => {
  it('passes a store that keeps its promises, and leaves nothing behind', async () => {
    const store = memoryStore();
    await probeStore(store, randomUUID);
    expect(await keysOf(store.list(''))).toEqual([]);
  });

  it.each(unsafe)('refuses a store that $breaks, says so, and leaves nothing behind', async ({ says, store }) => {
    const inner = memoryStore();
    const broken: ObjectStore = { ...inner, ...store(inner) };
    const probing = probeStore(broken, randomUUID);
    await expect(probing).rejects.toMatchObject({ code: 'STORE_UNSAFE', transient: false, message: expect.stringContaining(says) });
    await expect(probing).rejects.toMatchObject({ hint: expect.stringContaining('Nothing was landed') });
    expect(await keysOf(inner.list(''))).toEqual([]);
  });

  it('reports a store that does not answer as failed, not as unsafe', async () => {
    const store = faultyStore(memoryStore(), { seed: 1, failures: 1 });
    await expect(probeStore(store, randomUUID)).rejects.toMatchObject({ code: 'STORE' });
  });
});
