import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PageSource } from '../../src/normalize/batch.ts';
import type { Definition } from '../../src/normalize/definition.ts';
import { decompress } from '../../src/store/compress.ts';
import { indexKey } from '../../src/store/keys.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { bodyOf, EVENTS, event, landedPage, loadedEntry, openStage, type Stage } from './support.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const BODY = bodyOf([event('a'), event('b', { n: 1.5 }), event('a', { v: 2 })]);
const keyOfIndex = (page: PageSource): string => indexKey(page.object, page.measured?.index?.sha256 ?? '');

const byId = <T extends { readonly id: string }>(rows: readonly T[]): T[] => rows.toSorted((a, b) => (a.id < b.id ? -1 : 1));

/** The store, and the keys of what is brought from it. */
function watched(store: ObjectStore): { store: ObjectStore; brought: string[] } {
  const brought: string[] = [];
  const noted = (key: string): string => {
    brought.push(key);
    return key;
  };
  const watching: Pick<ObjectStore, 'get' | 'download'> = {
    get: (key) => store.get(noted(key)),
    download: (key, path) => store.download(noted(key), path),
  };
  return { store: { ...store, ...watching }, brought };
}

describe('a page that landed with its index', () => {
  test('R11: gives the same batch without it, and with one of other fields', async () => {
    const store = memoryStore();
    const page = await landedPage(store, 'p', BODY);
    const [with_, without] = [await stage.normalize(store, [page]), memoryStore()];
    const bare = await landedPage(without, 'p', BODY);
    await without.remove(keyOfIndex(bare));
    const again = await stage.normalize(without, [bare]);
    expect(again.batch.id).toBe(with_.batch.id);
    expect(byId(await stage.canonicalRows(without, again.batch))).toEqual(byId(await stage.canonicalRows(store, with_.batch)));
    expect(with_.batch.counts).toMatchObject({ observations: 3, rows: 2 });

    const ruled: Definition = { ...EVENTS, rules: [{ name: 'n: present', field: 'n', passes: (value) => `${value} IS NOT NULL` }] };
    const { batch, quarantined } = await stage.normalize(store, [page], { definition: ruled });
    expect(batch.counts).toMatchObject({ observations: 3, quarantined: 2, rows: 1 });
    expect(quarantined.map((record) => record.position)).toEqual([0, 2]);
  });

  test('R13: is refused where the index is not the one that landed, and says what to do', async () => {
    const store = memoryStore();
    const page = await landedPage(store, 'p', BODY);
    const index = keyOfIndex(page);
    await store.remove(index);
    await store.create(index, Buffer.from('{"i":0,"s":9,"e":10,"h":"00000000000000000000000000000000","r":{}}\n'));
    await expect(stage.normalize(store, [page])).rejects.toMatchObject({
      code: 'CORRUPT',
      hint: expect.stringMatching(/Remove the index/),
    });
    await store.remove(index);
    expect((await stage.normalize(store, [page])).batch.counts.rows).toBe(2);
  });

  test('is not even read where a loaded batch has everything of it (R8)', async () => {
    const memory = memoryStore();
    const first = (await stage.normalize(memory, [await landedPage(memory, 'p', BODY)])).batch;
    const known = await landedPage(memory, 'q', bodyOf([event('b', { n: 1.5 }), event('a', { v: 2 })]));
    const fresh = await landedPage(memory, 'r', bodyOf([event('c')]));
    const { store, brought } = watched(memory);
    const pages = [known, fresh].map((page) => ({ ...page, store }));
    const { batch } = await stage.normalize(store, pages, { loaded: [loadedEntry(first)] });
    expect(batch.counts).toMatchObject({ observations: 3, known: 2, rows: 1 });
    expect(brought.filter((key) => key.endsWith('.json.zst'))).toEqual([fresh.object]);
  });

  test('R13: gives the same where its page and its index were compressed anew', async () => {
    const store = memoryStore();
    const page = await landedPage(store, 'p', BODY);
    const before = await stage.canonicalRows(store, (await stage.normalize(store, [page])).batch);
    const other = memoryStore();
    for (const key of [page.object, keyOfIndex(page)]) {
      const text = decompress(key, (await store.get(key))?.body ?? Buffer.alloc(0));
      await other.create(key, Buffer.concat([text.subarray(0, 9), text.subarray(9)].map((part) => zstdCompressSync(part))));
    }
    const { batch } = await stage.normalize(other, [{ ...page, store: other }]);
    expect(byId(await stage.canonicalRows(other, batch))).toEqual(byId(before));
  });

  test.each([
    ['are of another index', () => zstdCompressSync('{"i":0}\n'), /its SHA-256 is/],
    ['break off', (stored: Buffer) => stored.subarray(0, -9), /cannot be decompressed/],
  ] as const)('R13: whose stored bytes %s is named, with what to do', async (_what, damaged, message) => {
    const store = memoryStore();
    const page = await landedPage(store, 'p', BODY);
    const stored = (await store.get(keyOfIndex(page)))?.body ?? Buffer.alloc(0);
    await store.remove(keyOfIndex(page));
    await store.create(keyOfIndex(page), damaged(stored));
    const said = { code: 'CORRUPT', message: expect.stringMatching(message), hint: expect.stringMatching(/Remove the index/) };
    await expect(stage.normalize(store, [page])).rejects.toMatchObject(said);
  });

  test('R13: is verified before any of it goes on', async () => {
    const store = memoryStore();
    const page = await landedPage(store, 'p', BODY);
    const other = await landedPage(store, 'other', bodyOf([event('x'), event('y'), event('z')]));
    const swapped = { ...page, object: other.object, measured: { ...page.measured, index: null } as PageSource['measured'] };
    await expect(stage.normalize(store, [swapped])).rejects.toMatchObject({ code: 'CORRUPT' });
    const body = (await store.get(other.object))?.body ?? Buffer.alloc(0);
    await store.remove(page.object);
    await store.create(page.object, body);
    await expect(stage.normalize(store, [page])).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringMatching(/SHA-256/) });
  });
});
