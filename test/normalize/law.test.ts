import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Batch } from '../../src/manifest/documents.ts';
import { unionSchemas } from '../../src/schema/union.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { parseInstant } from '../../src/time.ts';
import { bodyOf, type CanonicalRow, contentHash, landedPage, loadedEntry, openStage, type Stage } from './support.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

type Order = Pick<Observation, 'time' | 'v' | 'hash'>;

/** One landed copy of a record, with what the law orders it by. */
interface Observation {
  readonly text: string;
  readonly key: string;
  readonly time: number;
  readonly v: number;
  readonly hash: string;
}

// Few keys, times, versions and contents, so that ties of every kind are common.
const observation = fc
  .record({
    id: fc.constantFrom('a', 'b', 'B', "c'", '7', 'é'),
    time: fc.constantFrom('2026-11-20T10:00:00Z', '2026-11-20T10:00:00.000001Z', '2026-11-20T12:00:00+02:00', '2026-11-20 09:59:59'),
    v: fc.constantFrom(1, 2, 10, -3),
    content: fc.constantFrom(null, 1, 1.5, 'x', { deep: [1] }),
  })
  .map(({ id, time, v, content }): Observation => {
    const text = JSON.stringify({ id: id === '7' ? 7 : id, updated_at: time, v, content });
    return { text, key: id, time: parseInstant(time, 'iso') ?? Number.NaN, v, hash: contentHash(text) };
  });

const greater = (a: Order, b: Order): boolean => (a.time !== b.time ? a.time > b.time : a.v !== b.v ? a.v > b.v : a.hash > b.hash);

/** The law, as DESIGN states it. */
function winners(observations: readonly Observation[]): Map<string, string> {
  const best = new Map<string, Observation>();
  for (const one of observations) {
    const known = best.get(one.key);
    if (!known || greater(one, known)) best.set(one.key, one);
  }
  return new Map([...best].map(([key, { hash }]) => [key, hash]));
}

/** Any order and grouping: batches of pages of observations. */
const batches = fc.array(fc.array(fc.array(observation, { maxLength: 6 }), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 });

const seen = (rows: readonly Record<string, unknown>[]): string[] =>
  rows.map((row) => JSON.stringify([row['id'], row['updated_at'], row['v'], row['_content_hash']])).sort();

describe('the law within the stage', () => {
  test('R7, R11, R22: published rows, merged, are the greatest observation of each key, however the observations came', async () => {
    await fc.assert(
      fc.asyncProperty(batches, async (groups) => {
        const store = memoryStore();
        const loaded: Batch[] = [];
        const published: Observation[] = [];
        for (const [b, pages] of groups.entries()) {
          const sources = await Promise.all(pages.map((page, p) => landedPage(store, `b${b}-p${p}`, bodyOf(page.map((one) => one.text)))));
          const { batch } = await stage.normalize(store, sources, { loaded: loaded.map(loadedEntry) });
          const rows = await stage.rows(store, batch.files);
          const flat = pages.flat();

          expect(new Set(rows.map((row) => row['id'])).size).toBe(rows.length);
          for (const row of rows) published.push(found(flat, row));
          expect(seen(await stage.rows(store, batch.sightings))).toEqual(
            seen(flat.map((one) => ({ id: one.key, updated_at: one.time, v: one.v, _content_hash: one.hash }))),
          );
          expect(batch.counts).toMatchObject({
            observations: flat.length,
            quarantined: 0,
            distinct: new Set(flat.map((one) => one.key)).size,
            rows: rows.length,
            known: new Set(flat.map((one) => one.key)).size - rows.length,
          });
          if (!loaded.some((known) => known.id === batch.id)) loaded.push(batch);
        }
        expect(winners(published)).toEqual(winners(groups.flat(2)));
      }),
      { numRuns: 25 },
    );
  });

  test('R7, R10, R11: the rows are the same to the byte, in whatever order and split the records came', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(observation, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
        fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 12, maxLength: 12 }),
        async (observations, order, split) => {
          const turned = observations.map((one, at) => ({ one, at })).toSorted((a, b) => (order[a.at] ?? 0) - (order[b.at] ?? 0));
          const groups = [0, 1, 2].map((group) => turned.filter(({ at }) => split[at] === group).map(({ one }) => one.text));
          const once = await tableOf([observations.map((one) => one.text)]);
          expect(await tableOf(groups.filter((group) => group.length > 0))).toEqual(once);
        },
      ),
      { numRuns: 15 },
    );
  });

  test('R7: versions that skip numbers, arrive backwards and tie with another content end in one row and one counted conflict', async () => {
    const store = memoryStore();
    const at = (v: number, content: string): string => JSON.stringify({ id: 'a', updated_at: '2026-11-20T10:00:00Z', v, content });
    const [first, second] = [at(900, 'x'), at(900, 'y')];
    const page = await landedPage(store, 'p', bodyOf([first, at(2, 'old'), second, first]));
    const { batch } = await stage.normalize(store, [page]);
    const rows = await stage.rows(store, batch.files);
    const winner = contentHash(first) > contentHash(second) ? first : second;
    expect(rows.map((row) => row['_content_hash'])).toEqual([contentHash(winner)]);
    expect(batch.counts).toMatchObject({ observations: 4, distinct: 1, rows: 1, conflicts: 1 });
  });
});

function found(observations: readonly Observation[], row: Record<string, unknown>): Observation {
  const one = observations.find((candidate) => candidate.hash === row['_content_hash'] && candidate.key === row['id']);
  expect(one, `a row of no observation: ${JSON.stringify(row)}`).toBeDefined();
  expect([row['updated_at'], row['v']]).toEqual([one?.time, one?.v]);
  return one as Observation;
}

/** The table that one batch a group leaves: each normalized with those before it loaded, merged by the law, under their common schema. */
async function tableOf(groups: readonly (readonly string[])[]): Promise<unknown> {
  const store = memoryStore();
  const done: Batch[] = [];
  for (const [index, group] of groups.entries()) {
    const page = await landedPage(store, `g${index}`, bodyOf(group));
    const { batch } = await stage.normalize(store, [page], { loaded: done.map(loadedEntry) });
    if (!done.some((known) => known.id === batch.id)) done.push(batch);
  }
  const schema = done.map((batch) => batch.schema).reduce(unionSchemas);
  const table = new Map<string, CanonicalRow>();
  for (const batch of done) {
    for (const row of await stage.canonicalRows(store, batch, schema)) {
      const known = table.get(row.id);
      if (!known || greater(row, known)) table.set(row.id, row);
    }
  }
  return { rows: [...table].sort(([a], [b]) => (a < b ? -1 : 1)), fields: schema.fields.map((field) => field.name) };
}
