import { describe, expect, test } from 'vitest';
import { EMPTY, grown } from '../../../src/load/snowflake/layout.ts';
import { migrationContext } from '../../../src/load/snowflake/migrations/index.ts';
import { maskingStatements, personalFields } from '../../../src/load/snowflake/migrations/masking.ts';
import { number } from '../../support/canonical-json.ts';
import { decimal, integer, json, list, struct, text } from '../../support/typed-sql.ts';
import { bucketConfig, expectedTable, makeStream, observe, schemaOf, tableOf } from '../support.ts';
import { snowflakeBench } from './bench.ts';

const bench = snowflakeBench();
const stream = makeStream();
const numberText = { kind: 'number-text' } as const;

describe('R15: a table grows without a rewrite', () => {
  test('a field whose type has widened gets a column beside the one that it had, and each row its value in one of them', async () => {
    const warehouse = bench.open();
    const ages = [
      schemaOf(1, { amount: integer, flag: { kind: 'boolean' }, note: text, payload: struct({ a: integer }) }),
      schemaOf(2, { amount: decimal(18, 2), flag: json, note: json, payload: struct({ a: decimal(18, 1), b: text }) }),
      schemaOf(3, { amount: numberText, flag: json, note: json, payload: json }),
    ];
    const rows = [
      observe('1', 1, { amount: number(5n, 0), flag: true, note: 'say "a"', payload: { a: number(7n, 0) } }),
      observe('2', 1, { amount: number(550n, 2), flag: 'on', note: [number(1n, 0)], payload: { a: number(15n, 1), b: 'b' } }),
      observe('3', 1, { amount: number(12345678901234567890123456789n, 3), flag: false, note: null, payload: ['list'] }),
    ];
    for (const [index, age] of ages.entries()) {
      await warehouse.migrate(stream, age);
      const { batch } = await bench.batch(`b${index}`, age, [rows[index] ?? observe('0', 0, {})]);
      await warehouse.load(stream, batch, [], null);
    }
    const widest = ages[2] ?? schemaOf(0, {});
    expect(await tableOf(warehouse, stream)).toEqual(expectedTable(rows, widest));
    const columns = await bench.sql(
      `SELECT "COLUMN_NAME" FROM "DB".INFORMATION_SCHEMA.COLUMNS WHERE "TABLE_NAME" = 'PAYMENTS__ROWS' AND "TABLE_SCHEMA" = '${bench.config.schema}'`,
    );
    const names = columns.map((row) => row['COLUMN_NAME']);
    expect(names).toEqual(expect.arrayContaining(['AMOUNT', 'AMOUNT__2', 'AMOUNT__3', 'FLAG__2', 'NOTE__2', 'PAYLOAD', 'PAYLOAD__2']));
    expect(names).not.toContain('PAYLOAD__3');
    expect(bench.server.statements.filter(({ sql }) => /^(UPDATE|CREATE OR REPLACE TABLE)/.test(sql) && sql.includes('__ROWS'))).toEqual(
      [],
    );
    const shown = await warehouse.query('SELECT event_id, amount, flag, note, payload FROM payments ORDER BY event_id');
    expect(shown).toEqual([
      { event_id: '1', amount: '5', flag: 'true', note: '"say \\"a\\""', payload: '{"a":7}' },
      { event_id: '2', amount: '5.5', flag: '"on"', note: '[1]', payload: expect.stringMatching(/^\{"a":1\.5,"b":"b"\}$/) },
      { event_id: '3', amount: '12345678901234567890123456.789', flag: 'false', note: null, payload: '["list"]' },
    ]);
  });

  test('a batch of an older schema that comes late goes into the column of its own type', async () => {
    const warehouse = bench.open();
    const old = schemaOf(1, { note: text, payload: struct({ at: text, n: integer }) });
    const young = schemaOf(2, { note: json, payload: struct({ at: json, n: numberText }) });
    const late = observe('1', 1, { note: '5', payload: { at: '7', n: number(1n, 0) } });
    const early = observe('2', 1, { note: number(5n, 0), payload: { at: number(7n, 0), n: number(10n ** 30n, 0) } });
    for (const [id, schema, row] of [
      ['young', young, early],
      ['old', old, late],
    ] as const) {
      await warehouse.migrate(stream, schema);
      const { batch } = await bench.batch(id, schema, [row]);
      await warehouse.load(stream, batch, [], null);
    }
    expect(await tableOf(warehouse, stream)).toEqual(expectedTable([late, early], young));
  });

  test('a row that is replaced by one of another type keeps nothing of what it was', async () => {
    const warehouse = bench.open();
    const [narrow, wide] = [schemaOf(1, { note: text, tags: list(text) }), schemaOf(2, { note: json, tags: json })];
    const rounds = [
      [narrow, observe('1', 1, { note: 'old', tags: ['x'] })],
      [wide, observe('1', 2, { note: null, tags: null })],
      [narrow, observe('1', 3, { note: null, tags: ['y'] })],
    ] as const;
    for (const [index, [schema, row]] of rounds.entries()) {
      await warehouse.migrate(stream, schema);
      const { batch } = await bench.batch(`b${index}`, schema, [row]);
      await warehouse.load(stream, batch, [], null);
    }
    expect(await tableOf(warehouse, stream)).toEqual(expectedTable([rounds[2][1]], wide));
    expect(await warehouse.query('SELECT note, tags FROM payments')).toEqual([{ note: null, tags: '["y"]' }]);
  });

  test('what moved to the overflow is shown there, with what came before', async () => {
    const warehouse = bench.open();
    const before = schemaOf(1, { Note: text, amount: integer });
    const after = schemaOf(2, { amount: integer }, ['Note', 'note']);
    await warehouse.migrate(stream, before);
    const { batch } = await bench.batch('one', before, [observe('1', 1, { Note: 'kept' })]);
    await warehouse.load(stream, batch, [], null);
    await warehouse.migrate(stream, after);
    expect(await warehouse.query("SELECT _overflow['Note']::VARCHAR AS kept FROM payments")).toEqual([{ kept: '"kept"' }]);
  });

  test('columns that somebody left are used where they are right, and passed by where they are not', () => {
    const schema = schemaOf(1, { amount: integer, note: text });
    const present = new Map([
      ['AMOUNT', 'NUMBER(38,0)'],
      ['NOTE', 'NUMBER(38,0)'],
    ]);
    const { layout, added } = grown(stream, EMPTY, schema, schema, present);
    expect(added.map(({ name }) => name)).toEqual(['NOTE__2']);
    expect(layout.columns).toEqual({ amount: [{ name: 'AMOUNT', type: integer }], note: [{ name: 'NOTE__2', type: text }] });
  });

  test('columns of fields never meet those of Tidemark, nor of one another', () => {
    const schema = schemaOf(1, { _cluster_date: text, amount: integer, amount__2: text });
    const wider = schemaOf(2, { _cluster_date: text, amount: text, amount__2: text });
    const first = grown(stream, EMPTY, schema, schema, new Map());
    const { layout } = grown(stream, first.layout, wider, wider, new Map());
    const names = Object.values(layout.columns).flatMap((columns) => columns.map(({ name }) => name));
    expect(names).toEqual(['_CLUSTER_DATE__2', 'AMOUNT', 'AMOUNT__3', 'AMOUNT__2']);
  });
});

describe('a migration of the table', () => {
  const schema = schemaOf(1, { amount: integer });

  test('by several at once ends in what all of them need', async () => {
    const schemas = [
      schemaOf(1, { amount: integer, note: text }),
      schemaOf(1, { amount: decimal(18, 2), tag: text }),
      schemaOf(1, { note: json }),
    ];
    await Promise.all(schemas.map((each) => bench.open().migrate(stream, each)));
    const rows = [
      observe('1', 1, { amount: number(5n, 0), note: 'a' }),
      observe('2', 1, { amount: number(550n, 2), tag: 't' }),
      observe('3', 1, { note: [null] }),
    ];
    for (const [index, each] of schemas.entries()) {
      const { batch } = await bench.batch(`b${index}`, each, [rows[index] ?? observe('0', 0, {})]);
      await bench.open().load(stream, batch, [], null);
    }
    const widest = schemaOf(1, { amount: decimal(18, 2), note: json, tag: text });
    expect(await tableOf(bench.open(), stream)).toEqual(expectedTable(rows, widest));
  });

  test.each([/^CREATE TABLE/, /^CREATE OR REPLACE VIEW/, /INTO .*STREAMS/, /^COMMIT/])('that died at %s is gone on with', async (when) => {
    bench.server.fault({ when, kind: 'session-gone-after' });
    await expect(bench.open().migrate(stream, schema)).rejects.toMatchObject({ transient: true });
    await bench.open().migrate(stream, schemaOf(2, { amount: integer, note: text }));
    const { batch } = await bench.batch('one', schema, [observe('1', 1, { amount: number(5n, 0) })]);
    expect(await bench.open().load(stream, batch, [], null)).toMatchObject({ inserted: 1 });
    expect(await bench.open().query('SELECT amount, note FROM payments')).toEqual([{ amount: 5, note: null }]);
  });

  test('leaves a table alone that Tidemark did not make', async () => {
    await bench.sql('CREATE TABLE "PAYMENTS" ("N" NUMBER)');
    await expect(bench.open().migrate(stream, schema)).rejects.toMatchObject({
      code: 'WAREHOUSE',
      message: 'The warehouse has a table or view PAYMENTS that Tidemark did not make',
    });
  });

  test('R16: says of every column what it holds, and tags personal data', async () => {
    const people = makeStream({ personal: ['payload.email'] });
    const types = schemaOf(1, { payload: struct({ email: text }), raw: json });
    const s3 = bucketConfig();
    await expect(bench.open().migrate(people, types)).rejects.toMatchObject({
      code: 'WAREHOUSE',
      hint: expect.stringMatching(/administrator runs what `tidemark warehouse migrate --plan` prints/),
    });
    for (const statement of maskingStatements(migrationContext(bench.config, s3), personalFields(people))) await bench.sql(statement);
    await bench.open().migrate(people, types);
    const comments = await bench.sql(
      `SELECT "TABLE_NAME", "COLUMN_NAME", "COMMENT" FROM "DB".INFORMATION_SCHEMA.COLUMNS WHERE "TABLE_SCHEMA" = '${bench.config.schema}' AND STARTSWITH("TABLE_NAME", 'PAYMENTS')`,
    );
    expect(comments.length).toBeGreaterThan(20);
    expect(comments.filter(({ COMMENT }) => COMMENT === null || COMMENT === '')).toEqual([]);
    expect(comments).toContainEqual({
      TABLE_NAME: 'PAYMENTS',
      COLUMN_NAME: 'PAYLOAD',
      COMMENT: 'Field of the record; personal data: payload.email',
    });
    expect(comments).toContainEqual({
      TABLE_NAME: 'PAYMENTS',
      COLUMN_NAME: '_BATCH',
      COMMENT: 'Batch that brought the row (TIDEMARK_LEDGER)',
    });
    expect(bench.server.statements.filter(({ sql }) => sql.includes('SET TAG') && sql.includes('"PAYLOAD"'))).not.toEqual([]);
    const audit = await bench.sql('SELECT "ACTION" FROM "TIDEMARK_AUDIT"');
    expect(audit).toEqual([{ ACTION: 'create' }]);
  });
});
