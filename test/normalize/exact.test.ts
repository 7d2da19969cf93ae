import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Batch } from '../../src/manifest/documents.ts';
import { OVERFLOW } from '../../src/schema/types.ts';
import { unionSchemas } from '../../src/schema/union.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { type Leaves, leavesOf, leavesOfFields, type Member, members, spelledOut, type Tree, write } from './records.ts';
import { bodyOf, type CanonicalRow, landedPage, loadedEntry, openStage, type Stage } from './support.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const tree = (id: string, more: readonly Member[]): Tree => ({
  kind: 'object',
  members: [
    ['id', { kind: 'text', value: id }],
    ['updated_at', { kind: 'text', value: '2026-11-20T10:00:00Z' }],
    ['v', { kind: 'number', source: '1' }],
    ...more,
  ],
});

const spelling = fc.constantFrom(
  (one: Tree) => write(one),
  (one: Tree) => write(one, spelledOut),
  (one: Tree) => write(one, JSON.stringify, ' \r\n\t'),
);

/** Texts of pages, and what their records hold. */
const pagesOf = (records: readonly { more: readonly Member[]; spell: (one: Tree) => string; page: number }[], count: number) => {
  const pages: string[][] = Array.from({ length: count }, () => []);
  const held = new Map<string, Leaves>();
  for (const [at, { more, spell, page }] of records.entries()) {
    pages[page % count]?.push(spell(tree(`r${at}`, more)));
    held.set(`r${at}`, leavesOf({ kind: 'object', members: more }));
  }
  return { pages, held };
};

const record = fc.record({ more: members, spell: spelling, page: fc.nat() });

async function valuesIn(pages: readonly (readonly string[])[]): Promise<Map<string, Leaves>> {
  const store = memoryStore();
  const sources = await Promise.all(pages.map((page, at) => landedPage(store, `p${at}`, bodyOf(page))));
  const { batch, quarantined } = await stage.normalize(store, sources);
  expect(quarantined).toEqual([]);
  const rows = await stage.canonicalRows(store, batch);
  return new Map(rows.map((row) => [row.id, leavesOfFields(row.fields)]));
}

describe('exactness', () => {
  test('R10: every value of every record comes back: odd names, wide numbers, mixed and nested, named twice', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 12 }), async (records) => {
        const { pages, held } = pagesOf(records, 2);
        expect(await valuesIn(pages)).toEqual(held);
      }),
      { numRuns: 60 },
    );
  });

  test('R10: fields that appear with time leave the rows of earlier batches as they are, whichever batch came first', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 2, maxLength: 8 }), async (records) => {
        const { pages } = pagesOf(records, 2);
        const forth = await tableOf(pages);
        expect(await tableOf(pages.toReversed())).toEqual(forth);
        expect(await tableOf([pages.flat()])).toEqual(forth);
      }),
      { numRuns: 30 },
    );
  });

  test('R10: what is nested deeper than columns go, or has hundreds of names, is kept as it came', async () => {
    const deep = (levels: number, leaf: string): string => `${'{"d":['.repeat(levels)}${leaf}${']}'.repeat(levels)}`;
    const crowd = `{${Array.from({ length: 700 }, (_, at) => `"name ${at}":${at}.5`).join(',')}}`;
    const texts = [
      `{"id":"a","updated_at":"2026-11-20T10:00:00Z","v":1,"deep":${deep(40, '12345678901234567890.5')}}`,
      `{"id":"b","updated_at":"2026-11-20T10:00:00Z","v":1,"deep":${deep(200, '"x"')},"crowd":${crowd}}`,
      '{"id":"c","updated_at":"2026-11-20T10:00:00Z","v":1,"crowd":{"one more":{"a":1,"a":null}}}',
    ];
    const found = await valuesIn([texts]);
    const path = (levels: number): string => JSON.stringify(['deep', ...Array.from({ length: levels }, () => ['d', 0]).flat()]);
    expect(found.get('a')).toEqual(new Map([[path(40), '123456789012345678905e-1']]));
    expect(found.get('b')?.get(path(200))).toBe('"x"');
    expect(found.get('b')?.get('["crowd","name 699"]')).toBe('6995e-1');
    expect(found.get('b')?.size).toBe(701);
    expect(found.get('c')).toEqual(new Map());
  });

  test('R10: of more fields than a table has columns for, every value comes back', async () => {
    const fields = Array.from({ length: 900 }, (_, at) => [`f${at}`, `{"n":${at}.50,"t":[${at},"x"]}`] as const);
    const text = (id: string, some: typeof fields): string =>
      `{"id":"${id}","updated_at":"2026-11-20T10:00:00Z","v":1,${some.map(([name, value]) => `"${name}":${value}`).join(',')}}`;
    const found = await valuesIn([[text('a', fields), text('few', fields.slice(0, 3))], [text('b', fields.slice(400))]]);
    expect(Object.fromEntries([...found].map(([id, leaves]) => [id, leaves.size]))).toEqual({ a: 2700, b: 1500, few: 9 });
    for (const [id, at] of [
      ['a', 0],
      ['a', 899],
      ['b', 650],
    ] as const) {
      expect(found.get(id)?.get(`["f${at}","n"]`), `${id} ${at}`).toBe(found.get('a')?.get(`["f${at}","n"]`));
      expect(found.get(id)?.get(`["f${at}","t",1]`)).toBe('"x"');
    }
    expect(found.get('a')?.get('["f899","n"]')).toBe('8995e-1');
  });

  test('R10: a page whose neighbours force the exact path gives the same rows as it gives alone', async () => {
    const more = (id: string, rest: string): string => `{"id":"${id}","updated_at":"2026-11-20T10:00:00Z","v":1,${rest}}`;
    const records = [
      more('known', '"o":{"x":1},"p":{"x":{"y":2}},"l":[{"y":1}]'),
      more('plain', '"amount":12.5,"o":{"x":2}'),
      more('wide', '"amount":1234567890123456.789'),
      more('hollow', '"o":{"x":null},"l":[{},{"y":1}]'),
      more('twice', '"o":{"x":1,"x":null}'),
      more('twice below', '"p":{"x":{"y":2},"x":{"y":null}}'),
      more('ours', '"_overflow":{"q":{}}'),
    ];
    const store = memoryStore();
    const ours = (await stage.normalize(store, [await landedPage(store, 'ours', bodyOf(records.slice(-1)))])).batch;
    expect((await stage.rows(store, ours.files)).map((row) => row[OVERFLOW])).toEqual([null]);

    const apart = await tableOf(records.map((record) => [record]));
    expect(apart).toHaveLength(records.length);
    expect(await tableOf([records])).toEqual(apart);
    expect(await tableOf([records.slice(4), records.slice(0, 4)])).toEqual(apart);
  });
});

/** Rows by id, as canonical text under the common schema, where each group of records is a batch of its own. */
async function tableOf(groups: readonly (readonly string[])[]): Promise<CanonicalRow[]> {
  const store = memoryStore();
  const done: Batch[] = [];
  for (const [at, group] of groups.entries()) {
    const page = await landedPage(store, `g${at}`, bodyOf(group));
    done.push((await stage.normalize(store, [page], { loaded: done.map(loadedEntry) })).batch);
  }
  const schema = done.map((batch) => batch.schema).reduce(unionSchemas);
  const rows = (await Promise.all(done.map((batch) => stage.canonicalRows(store, batch, schema)))).flat();
  return rows.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
