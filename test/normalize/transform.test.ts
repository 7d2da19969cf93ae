import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isObject, parseExact } from '../../src/json/exact.ts';
import type { Definition } from '../../src/normalize/definition.ts';
import { readSchema } from '../../src/normalize/schema-store.ts';
import { inputText } from '../../src/schema/transform.ts';
import { DERIVED } from '../../src/schema/types.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import type { Transform } from '../../src/stream.ts';
import { members, write } from './records.ts';
import { bodyOf, EVENTS, event, landedPage, loadedEntry, openStage, type Stage } from './support.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const column = (name: string, type: Transform['columns'][number]['type'], sql: string) => ({ name, type, sql });
const text = { kind: 'text' } as const;
const money = { kind: 'decimal', precision: 18, scale: 2 } as const;
const by = (version: number, ...columns: Transform['columns']): Definition => ({ ...EVENTS, transform: { version, columns } });

let pages = 0;
async function normalize(store: ObjectStore, definition: Definition, records: readonly string[], more = {}) {
  const page = await landedPage(store, `p${pages++}`, bodyOf(records), definition);
  return (await stage.normalize(store, [page], { definition, ...more })).batch;
}
/** By id: what the transform made. */
async function derived(store: ObjectStore, definition: Definition, records: readonly string[]): Promise<Record<string, unknown>> {
  const rows = await stage.rows(store, (await normalize(store, definition, records)).files);
  return Object.fromEntries(rows.map((row) => [row['id'] as string, row[DERIVED]]));
}

describe('R27: a transform', () => {
  const NET = by(1, column('net', money, 'CAST({payload.amount} AS DECIMAL(18,4)) * 0.01'), column('who', text, "upper({who}) || '{{}}'"));

  test('makes typed columns of a record’s fields, and nothing where there are none or the expression fails', async () => {
    const records = [
      event('a', { payload: { amount: 1250 }, who: 'ann' }),
      event('text', { payload: { amount: '99' }, who: 'bob' }),
      event('word', { payload: { amount: 'many' } }),
      event('none'),
    ];
    const typed = [event('digits', { payload: { amount: '1' } }), event('word', { payload: { amount: 'many' } })];
    expect(await derived(memoryStore(), NET, typed)).toEqual({ digits: { net: '0.01', who: null }, word: { net: null, who: null } });
    expect(await derived(memoryStore(), NET, records)).toEqual({
      a: { net: '12.50', who: 'ANN{}' },
      text: { net: '0.99', who: 'BOB{}' },
      word: { net: null, who: null },
      none: { net: null, who: null },
    });
  });

  test('gets the same of a record, whatever types others have given its columns', async () => {
    const names = ['a', 'b', 'c.d', 'Amount', 'o.x', 'o.y.z'];
    const definition = by(1, ...names.map((name, at) => column(`c${at}`, text, `{${name}}`)));
    const nested = fc.record(
      {
        a: fc.jsonValue({ maxDepth: 2 }),
        b: fc.jsonValue({ maxDepth: 1 }),
        Amount: fc.double({ noNaN: true }),
        o: fc.jsonValue({ maxDepth: 2 }),
      },
      { requiredKeys: [] },
    );
    const record = fc.oneof(
      nested.map((fields) => JSON.stringify(fields)),
      members.map((all) => write({ kind: 'object', members: all })),
      fc.constantFrom(
        '{"o":{"x":12345678901234567890.123456789,"y":{"z":"ü\\u0000"}}}',
        '{"o":{"x":1,"X":2}}',
        '{"a":1,"A":1}',
        '{"_derived":{"a":1}}',
      ),
    );
    await fc.assert(
      fc.asyncProperty(record, record, async (mine, other) => {
        const texts = [mine, other].map((one, at) => (one === '{}' ? event(`r${at}`) : `${event(`r${at}`).slice(0, -1)},${one.slice(1)}`));
        const found = await derived(memoryStore(), definition, texts);
        for (const [at, one] of texts.entries()) {
          const exact = parseExact(one);
          if (!isObject(exact)) throw new Error('no record');
          const said = Object.fromEntries(names.map((name, index) => [`c${index}`, inputText(exact, name.split('.'))]));
          expect(found[`r${at}`]).toEqual(said);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('leaves every field of the record as it is, also one that bears its struct’s name', async () => {
    const store = memoryStore();
    const batch = await normalize(store, NET, [event('a', { payload: { amount: 1 }, [DERIVED]: { net: 'theirs' } })]);
    const [row] = await stage.canonicalRows(store, batch);
    expect(Object.fromEntries(row?.fields ?? [])).toMatchObject({ payload: '{"amount":1}' });
    expect(batch.schema.overflow).toEqual([DERIVED]);
    const [raw] = await stage.rows(store, batch.files);
    expect(raw?.[DERIVED]).toEqual({ net: '0.01', who: null });
    expect(raw?.['_overflow']).toEqual([{ key: DERIVED, value: '{"net":"theirs"}' }]);
  });

  test('is named by its batch, and of another version it is another batch that nothing older keeps rows out of', async () => {
    const store = memoryStore();
    const page = await landedPage(store, 'same', bodyOf([event('a', { payload: { amount: 1 } })]));
    const at = async (definition: Definition, loaded: readonly ReturnType<typeof loadedEntry>[]) =>
      (await stage.normalize(store, [page], { definition, loaded })).batch;
    const plain = await at(EVENTS, []);
    const first = await at(NET, [loadedEntry(plain)]);
    const second = await at({ ...NET, transform: { version: 2, columns: [] } }, [loadedEntry(plain), loadedEntry(first)]);
    expect([plain, first, second].map(({ transform = 0, counts, basis }) => [transform, counts.rows, basis.length])).toEqual([
      [0, 1, 0],
      [1, 1, 0],
      [2, 1, 0],
    ]);
    const again = await at(NET, [second, first, plain].map(loadedEntry));
    expect([again.counts.rows, again.basis.length], 'an older one has nothing to add').toEqual([0, 2]);
  });

  test('of one version reads one way for good: with other columns it is refused, and the version to write is named', async () => {
    const store = memoryStore();
    await normalize(store, NET, [event('a')]);
    const other = by(1, column('net', money, '{payload.amount}'));
    await expect(normalize(store, other, [event('b')])).rejects.toMatchObject({
      code: 'CONFIG',
      hint: expect.stringContaining('version: 2'),
    });
    const discarding: Definition = { ...EVENTS, contract: [{ path: ['x'], mode: 'discard', at: 0 }] };
    await normalize(store, EVENTS, [event('c')]);
    await expect(normalize(store, discarding, [event('d', { x: 1 })])).rejects.toMatchObject({ code: 'CONFIG' });
    expect((await readSchema(store, 'events'))?.readings?.map(({ version }) => version)).toEqual([1, 0]);
  });

  test.each([
    ['an unknown function', 'frobnicate({a})', /frobnicate/],
    ['what changes from row to row', 'random()', /volatile/],
    ['a name that is not in braces', 'h', /"h"/],
  ])('with %s stops before anything is made', async (_what, sql, says) => {
    const store = memoryStore();
    const failed = normalize(store, by(1, column('odd', text, sql)), [event('a')]);
    await expect(failed).rejects.toMatchObject({ code: 'CONFIG', message: expect.stringMatching(/^transform of events, column odd: /) });
    await expect(failed).rejects.toThrow(says);
    expect(await readSchema(store, 'events')).toBeNull();
  });
});
