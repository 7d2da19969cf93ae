import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPool } from '../../src/normalize/pool.ts';
import { batchKey, batchPrefix } from '../../src/store/keys.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { bodyOf, contentHash, EVENTS, event, keysOf, landedPage, loadedEntry, openStage, type Stage } from './support.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const BODY = bodyOf([event('a', { n: 1 }), event('b', { n: 2.5 }), event('b', { n: 2.5 })]);
const at = (id: string, time: string, v = 1): string => event(id, { updated_at: time, v });

describe('a published batch', () => {
  test('R11: has the same id wherever it is made from the same input, and is found by whoever makes it again', async () => {
    const [here, there] = [memoryStore(), memoryStore()];
    const first = (await stage.normalize(here, [await landedPage(here, 'p', BODY)])).batch;
    const elsewhere = (await stage.normalize(there, [await landedPage(there, 'p', BODY)])).batch;
    expect(elsewhere.id).toBe(first.id);
    const keys = await keysOf(here, 'curated/');
    const again = (await stage.normalize(here, [await landedPage(here, 'p', BODY)])).batch;
    expect(again).toEqual(first);
    expect(await keysOf(here, 'curated/')).toEqual(keys);
  });

  test('R18: two windows without records, whose pages are the same bytes, make two batches: every page is in one', async () => {
    const store = memoryStore();
    const pages = [await landedPage(store, 'p', bodyOf([])), await landedPage(store, 'q', bodyOf([]))];
    const batches = [];
    for (const page of pages) batches.push((await stage.normalize(store, [page])).batch);
    expect(batches.map((batch) => batch.pages.map(({ key }) => key))).toEqual([pages[0]?.key, pages[1]?.key].map((key) => [key]));
  });

  test('has another id where pages, rules, releases or the batches that it leans on are others', async () => {
    const store = memoryStore();
    const page = await landedPage(store, 'p', BODY);
    const more = await landedPage(store, 'q', bodyOf([event('c')]));
    const first = (await stage.normalize(store, [page])).batch;
    const ruled = { ...EVENTS, rules: [{ name: 'n: any', field: 'n', passes: () => 'TRUE' }] };
    const others = [
      await stage.normalize(store, [page, more]),
      await stage.normalize(store, [page], { definition: ruled }),
      await stage.normalize(store, [page], { released: [contentHash('x')] }),
      await stage.normalize(store, [page], { loaded: [loadedEntry(first)] }),
    ];
    const ids = [first, ...others.map(({ batch }) => batch)].map((batch) => batch.id);
    expect(new Set(ids).size).toBe(ids.length);
    const turned = await stage.normalize(store, [more, page]);
    expect(turned.batch.id).toBe(others[0]?.batch.id);
  });

  test('R11: is one, though several make it at the same time', async () => {
    const store = memoryStore();
    const page = await landedPage(store, 'p', BODY);
    const attempts = await Promise.all(Array.from({ length: 4 }, () => stage.normalize(store, [page])));
    const [batch] = attempts.map((attempt) => attempt.batch);
    for (const attempt of attempts) expect(attempt.batch).toEqual(batch);
    const documents = (await keysOf(store, batchPrefix('events', batch?.id ?? ''))).filter((key) => key.endsWith('batch.json'));
    expect(documents).toEqual([batchKey('events', batch?.id ?? '')]);
    expect(await stage.ids(store, batch?.files ?? [])).toEqual(['a', 'b']);
  });

  test('R13: names its pages, and each row the page, position, content and batch that it came from', async () => {
    const store = memoryStore();
    const pages = [await landedPage(store, 'p', BODY), await landedPage(store, 'q', bodyOf([at('c', '2026-11-21T00:00:00Z', 7)]))];
    const { batch } = await stage.normalize(store, pages);
    expect(batch.pages).toEqual(pages.map(({ key, measured }) => ({ key, sha256: measured?.sha256, records: measured?.records })));
    const row = (await stage.rows(store, batch.files)).find((one) => one['id'] === 'c');
    expect(row).toMatchObject({
      environment: 'prod',
      updated_at: Date.UTC(2026, 10, 21) * 1000,
      v: 7,
      _page: 'raw/v1/events/q.json.zst',
      _position: 0,
      _content_hash: contentHash(at('c', '2026-11-21T00:00:00Z', 7)),
      _batch: batch.id,
    });
    expect([batch.minTime, batch.maxTime]).toEqual([Date.UTC(2026, 10, 20, 10) * 1000, Date.UTC(2026, 10, 21) * 1000]);
  });
});

describe('what a loaded batch holds', () => {
  test('R8: is left out by a later one, which brings only what is new or greater', async () => {
    const store = memoryStore();
    const [older, same, newer] = ['2026-11-20T09:00:00Z', '2026-11-20T10:00:00Z', '2026-11-20T11:00:00Z'] as const;
    const first = (await stage.normalize(store, [await landedPage(store, 'p', bodyOf([at('a', same), at('b', same), at('c', same, 5)]))]))
      .batch;
    const sweep = bodyOf([at('a', same), at('b', newer), at('c', same, 4), at('c', older, 9), at('d', older)]);
    const { batch } = await stage.normalize(store, [await landedPage(store, 'q', sweep)], { loaded: [loadedEntry(first)] });
    expect(await stage.ids(store, batch.files)).toEqual(['b', 'd']);
    expect(batch.counts).toMatchObject({ observations: 5, distinct: 4, known: 2, rows: 2 });
    expect(batch.basis).toEqual([first.id]);
    expect(batch.sightings.reduce((rows, file) => rows + file.rows, 0)).toBe(5);
  });

  test('R11: leaves no rows of the same batch normalized again', async () => {
    const store = memoryStore();
    const page = await landedPage(store, 'p', BODY);
    const first = (await stage.normalize(store, [page])).batch;
    const again = (await stage.normalize(store, [page], { loaded: [loadedEntry(first)] })).batch;
    expect(again.files).toEqual([]);
    expect(again.counts).toMatchObject({ observations: 3, distinct: 2, known: 2, rows: 0 });
  });

  test('a batch that is not loaded leaves nothing out', async () => {
    const store = memoryStore();
    await stage.normalize(store, [await landedPage(store, 'p', BODY)]);
    const other = await landedPage(store, 'q', bodyOf([event('a', { n: 1 })]));
    expect((await stage.normalize(store, [other])).batch.counts.rows).toBe(1);
  });

  test('a batch of another definition leaves nothing out', async () => {
    const store = memoryStore();
    const first = (await stage.normalize(store, [await landedPage(store, 'p', BODY)])).batch;
    const page = await landedPage(store, 'q', bodyOf([event('a', { n: 1 })]));
    const definition = { ...EVENTS, rules: [{ name: 'n: any', field: 'n', passes: () => 'TRUE' }] };
    const { batch } = await stage.normalize(store, [page], { definition, loaded: [loadedEntry(first)] });
    expect(batch).toMatchObject({ basis: [], counts: { rows: 1, known: 0 } });
  });

  test('R7: of one version with other contents, the greater content hash passes and the lesser does not', async () => {
    const [lesser, greater] = [event('a', { n: 1 }), event('a', { n: 2 })].sort((x, y) => (contentHash(x) < contentHash(y) ? -1 : 1));
    for (const [first, then, rows] of [
      [lesser, greater, 1],
      [greater, lesser, 0],
    ] as const) {
      const store = memoryStore();
      const loaded = (await stage.normalize(store, [await landedPage(store, 'p', bodyOf([first ?? '']))])).batch;
      const { batch } = await stage.normalize(store, [await landedPage(store, 'q', bodyOf([then ?? '']))], {
        loaded: [loadedEntry(loaded)],
      });
      expect(batch.counts.rows).toBe(rows);
    }
  });
});

test('memory is bounded by configuration, not by how large records or batches are', async () => {
  const memoryBytes = 160_000_000;
  const pool = openPool(2, { memoryBytes, tempDirectory: join(stage.scratch, 'narrow-spill') });
  try {
    const store = memoryStore();
    const blob = 'x'.repeat(20_000);
    const pages = Array.from({ length: 8 }, (_, p) => Array.from({ length: 1000 }, (_, at) => event(`${p}-${at}`, { blob })));
    const sources = [];
    for (const [p, records] of pages.entries()) sources.push(await landedPage(store, `p${p}`, bodyOf(records)));
    const { batch } = await stage.normalize(store, sources, { pool });
    expect(batch.counts.rows).toBe(8000);
  } finally {
    await pool.close();
  }
});
