import { afterEach, describe, expect, it } from 'vitest';
import type { PageSource } from '../../src/normalize/batch.ts';
import { pagesOfPrefix, slices } from '../../src/pipeline/replay.ts';
import { receiptKey } from '../../src/store/keys.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { openS3 } from '../store/s3-clients.ts';
import { startS3Server } from '../support/s3-server.ts';

const MANY = 3000;
const LIST_PAGE = 100;
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** Counts what its listings have given out. */
function counting(store: ObjectStore): { store: ObjectStore; listed: () => number } {
  let listed = 0;
  const list: ObjectStore['list'] = async function* (prefix) {
    for await (const info of store.list(prefix)) {
      listed += 1;
      yield info;
    }
  };
  return { store: { ...store, list }, listed: () => listed };
}

async function bucketOf(keys: readonly string[]): Promise<ObjectStore> {
  const server = await startS3Server({ bucket: 'landing', keys, listPage: LIST_PAGE });
  const account = { endpoint: server.endpoint, region: 'eu-west-1', accessKeyId: 'key', secretAccessKey: 'secret' };
  const { store, close } = openS3(account, { bucket: 'landing', listPage: LIST_PAGE });
  closing.push(() => server.close(), close);
  return store;
}

describe('R4: replay over a prefix of many objects', () => {
  it('holds the pages of one slice, and lists no further than that', async () => {
    const keys = Array.from({ length: MANY }, (_, i) => `old/part-${String(i).padStart(6, '0')}.json`);
    const { store, listed } = counting(await bucketOf(keys));
    const seen: string[] = [];
    for await (const slice of slices(pagesOfPrefix(store, 'old/', false), 500_000, null)) {
      expect(slice.length).toBeLessThanOrEqual(100);
      seen.push(...slice.map(({ object }) => object));
      expect(listed() - seen.length).toBeLessThanOrEqual(1);
    }
    expect(seen).toEqual(keys);
  });

  it('bounds a slice of pages that hold next to nothing', async () => {
    const store = memoryStore();
    async function* pages(): AsyncIterable<PageSource> {
      for (let i = 0; i < MANY; i++) {
        const key = `page-${i}.json.zst`;
        yield { key, store, object: key, measured: { records: 0, key: receiptKey(key) } as never };
      }
    }
    const sizes: number[] = [];
    for await (const slice of slices(pages(), 1_000_000, null)) sizes.push(slice.length);
    expect(sizes).toEqual([1000, 1000, 1000]);
  });
});
