import { describe, expect, test } from 'vitest';
import type { Warehouse } from '../../../src/load/warehouse.ts';
import { number } from '../../support/canonical-json.ts';
import { decimal, integer, list, struct, text } from '../../support/typed-sql.ts';
import { expectedTable, type LoadBench, makeStream, observe, START, schemaOf, tableOf } from '../support.ts';

const stream = makeStream();
const schema = schemaOf(1, { amount: integer, note: text });

const NARROW = schemaOf(1, {
  amount: integer,
  payload: struct({ a: integer, deep: struct({ x: text }) }),
  tags: list(struct({ id: integer })),
});
const WIDE = schemaOf(2, {
  amount: decimal(38, 2),
  extra: text,
  payload: struct({ a: integer, b: text, deep: struct({ 'new "one"': decimal(18, 2), x: text }) }),
  tags: list(struct({ id: integer, name: text })),
});
const OLD = [
  observe('1', 1, { amount: number(5n, 0), payload: { a: number(1n, 0), deep: { x: 'x' } }, tags: [{ id: number(1n, 0) }, null] }),
];
const LATE = [
  observe('2', 1, {
    amount: number(123n, 2),
    extra: 'e',
    payload: { a: null, b: 'b', deep: { 'new "one"': number(5n, 1) } },
    tags: [],
  }),
];

/** A batch under a narrow schema, then one under a wider one. @returns what was observed, and the schema that holds it. */
export async function loadWidening(bench: LoadBench, warehouse: Warehouse) {
  const one = await bench.batch('one', NARROW, OLD);
  const two = await bench.batch('two', WIDE, LATE);
  await warehouse.migrate(stream, NARROW);
  await warehouse.load(stream, one.batch, one.files, null);
  await warehouse.migrate(stream, WIDE);
  await warehouse.migrate(stream, NARROW);
  await warehouse.load(stream, two.batch, two.files, null);
  return { rows: [...OLD, ...LATE], wide: WIDE };
}

/** What every warehouse's curated table is, and how it is read. */
export function tableSuite(bench: LoadBench): void {
  describe('the table', () => {
    test('R10, R15: it widens in place: rows that were there keep every value, and new members are added without a rewrite', async () => {
      const warehouse = bench.open();
      const { rows, wide } = await loadWidening(bench, warehouse);
      expect(await tableOf(warehouse, stream)).toEqual(expectedTable(rows, wide));
    });

    test('a field whose twin in another case comes moves into the overflow with all of its values', async () => {
      const warehouse = bench.open();
      const before = schemaOf(1, { amount: integer, Note: text });
      const after = schemaOf(2, { amount: integer }, ['Note', 'note']);
      const old = [observe('1', 1, { amount: null, Note: 'kept "as" it was' }), observe('2', 1, { amount: number(1n, 0), Note: null })];
      const late = [observe('3', 1, { amount: null, Note: 'A', note: [number(1n, 0)] })];
      const one = await bench.batch('one', before, old);
      const two = await bench.batch('two', after, late);
      await warehouse.migrate(stream, before);
      await warehouse.load(stream, one.batch, one.files, null);
      await warehouse.migrate(stream, after);
      await warehouse.load(stream, two.batch, two.files, null);
      expect(await tableOf(warehouse, stream)).toEqual(expectedTable([...old, ...late], after));
    });

    test('columns may bear any name', async () => {
      const odd = schemaOf(1, {
        curated: struct({ event_id: text }),
        incoming: struct({ updated_at: text }),
        'select * from "x"; --': text,
        "it's.a": integer,
        'ключ 🔑': text,
      });
      const rows = [
        observe('1', 1, {
          curated: { event_id: 'e' },
          incoming: { updated_at: 'u' },
          'select * from "x"; --': 's',
          "it's.a": number(1n, 0),
          'ключ 🔑': 'k',
        }),
      ];
      const changed = [observe('1', 2, { curated: { event_id: 'f' }, incoming: { updated_at: 'v' } })];
      const warehouse = bench.open();
      await warehouse.migrate(stream, odd);
      for (const [id, batchRows] of [
        ['one', rows],
        ['two', changed],
      ] as const) {
        const { batch, files } = await bench.batch(id, odd, batchRows);
        await warehouse.load(stream, batch, files, null);
        expect(await tableOf(warehouse, stream)).toEqual(expectedTable(batchRows, odd));
      }
    });

    test('the view shows the latest row of each thing, and follows the table when it grows', async () => {
      const warehouse = bench.open();
      const viewed = makeStream({ latestBy: ['transaction_id'] });
      const before = schemaOf(1, { transaction_id: text });
      const after = schemaOf(2, { status: text, transaction_id: text });
      const rows = [
        observe('1', 1, { transaction_id: 't1', status: 'open' }),
        observe('2', 2, { transaction_id: 't1', status: 'paid' }),
        observe('3', 1, { transaction_id: 't2', status: 'open' }),
        observe('4', 1, { transaction_id: null, status: 'a' }),
        observe('5', 1, { transaction_id: null, status: 'b' }),
      ];
      await warehouse.migrate(viewed, before);
      await warehouse.migrate(viewed, after);
      const { batch, files } = await bench.batch('one', after, rows);
      await warehouse.load(viewed, batch, files, null);
      const shown = await warehouse.query('SELECT event_id, status FROM payments_latest ORDER BY event_id');
      expect(shown.map((row) => [row['event_id'], row['status']])).toEqual([
        ['2', 'paid'],
        ['3', 'open'],
        ['4', 'a'],
        ['5', 'b'],
      ]);
    });

    test('the view goes where its column has gone to the overflow', async () => {
      const warehouse = bench.open();
      const viewed = makeStream({ latestBy: ['transaction_id'] });
      await warehouse.migrate(viewed, schemaOf(1, { transaction_id: text }));
      await warehouse.migrate(viewed, schemaOf(2, {}, ['Transaction_ID', 'transaction_id']));
      await expect(warehouse.query('SELECT * FROM payments_latest')).rejects.toThrow(/does not exist/);
    });

    test('another key for the same table is a mistake in the configuration', async () => {
      await bench.open().migrate(stream, schema);
      const other = makeStream({ key: [{ name: 'event_id', constant: null }] });
      await expect(bench.open().migrate(other, schema)).rejects.toMatchObject({
        code: 'CONFIG',
        message: expect.stringMatching(/environment, event_id/),
      });
    });
  });

  describe('reading', () => {
    test('R13: a row is found by its key, or by a part of it, with every digit and every time as it came', async () => {
      const warehouse = bench.open();
      const exact = schemaOf(1, { big: { kind: 'number-text' }, money: decimal(38, 10), whole: integer });
      const digits = {
        big: number(12345678901234567890123456789012345678901n, 0),
        money: number(12345678901234567890123456781234567891n, 10),
        whole: number(900719925474099301n, 0),
      };
      const rows = [observe('1', 1, digits), observe('2', 2, {}), observe('1', 3, {}, "sand'box")];
      await warehouse.migrate(stream, exact);
      const { batch, files } = await bench.batch('one', exact, rows);
      await warehouse.load(stream, batch, files, null);
      const [found] = await warehouse.find(stream, ['prod', '1']);
      expect(found).toMatchObject({ key: ['prod', '1'], version: [START + 1_000_000, 1], batch: 'one', position: 0, loadedAt: START });
      expect(found?.row).toContain(
        '"big":12345678901234567890123456789012345678901,"money":1234567890123456789012345678.1234567891,"whole":900719925474099301',
      );
      expect((await warehouse.find(stream, [null, '1'])).map((row) => row.key)).toEqual([
        ['prod', '1'],
        ["sand'box", '1'],
      ]);
      expect(await warehouse.find(stream, ["' OR true --", null])).toEqual([]);
    });

    test('every identity is streamed in order of key', async () => {
      const warehouse = bench.open();
      const rows = [observe('b', 1, {}), observe('a', 2, {}), observe('c', 1, {}, 'alpha')];
      await warehouse.migrate(stream, schema);
      const { batch, files } = await bench.batch('one', schema, rows);
      await warehouse.load(stream, batch, files, null);
      const identities = await collect(warehouse.rows(stream));
      expect(identities.map(({ key }) => key)).toEqual([
        ['alpha', 'c'],
        ['prod', 'a'],
        ['prod', 'b'],
      ]);
      expect(identities[1]?.version).toEqual([String(START + 2_000_000), '2']);
      for await (const _ of warehouse.rows(stream)) break;
      expect(await warehouse.summary(stream)).toEqual({ rows: 3, distinct: 3, latest: START + 2_000_000 });
    });
  });
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
