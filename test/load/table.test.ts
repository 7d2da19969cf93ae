import { describe, expect, test } from 'vitest';
import { integer, json, struct, text } from '../support/typed-sql.ts';
import { freshBench } from './fresh-bench.ts';
import { loadWidening, tableSuite } from './suites/table.ts';
import { makeStream, observe, schemaOf } from './support.ts';

const bench = freshBench();
tableSuite(bench);
const stream = makeStream();
const schema = schemaOf(1, { amount: integer, note: text });

describe('the table', () => {
  test('R10, R15: new members are added without a rewrite', async () => {
    const warehouse = bench.open();
    await loadWidening(bench, warehouse);
    const audit = await warehouse.query("SELECT detail FROM tidemark.audit WHERE action = 'evolve'");
    const { statements } = JSON.parse(String(audit[0]?.['detail'])) as { statements: string[] };
    expect(statements.filter((statement) => statement.includes('payload'))).toEqual([
      'ALTER TABLE main."payments" ADD COLUMN "payload"."b" VARCHAR',
      'ALTER TABLE main."payments" ADD COLUMN "payload"."deep"."new ""one""" DECIMAL(18, 2)',
    ]);
  });

  test('R16: tables and columns say what they hold, personal data among it, and every change is in the audit', async () => {
    const warehouse = bench.open();
    const people = makeStream({ personal: ['payload.email'] });
    const types = schemaOf(1, { payload: struct({ email: text }), raw: json });
    await warehouse.migrate(people, types);
    const { batch, files } = await bench.batch('one', types, [observe('1', 1, { payload: { email: 'a@example.com' } })]);
    await warehouse.load(people, batch, files, null);
    const comments = await warehouse.query(
      "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'payments' AND schema_name = 'main'",
    );
    expect(comments.filter(({ comment }) => comment === null)).toEqual([]);
    expect(comments).toContainEqual({ column_name: 'payload', comment: 'Field of the record; personal data: payload.email' });
    expect(comments).toContainEqual({ column_name: 'raw', comment: 'Field of the record, as canonical JSON text' });
    const audit = await warehouse.query('SELECT action, query_id FROM tidemark.audit ORDER BY action');
    expect(audit).toEqual([
      { action: 'create', query_id: null },
      { action: 'load', query_id: 'payments.1' },
    ]);
  });
});

describe('reading', () => {
  test('R24: every row of the table belongs to a batch of the ledger, and a query cannot change that', async () => {
    const warehouse = bench.open();
    await warehouse.migrate(stream, schema);
    const { batch, files } = await bench.batch('one', schema, [observe('1', 1, {})]);
    await bench.batch('held', schema, [observe('2', 1, {})]);
    await warehouse.load(stream, batch, files, null);
    expect(await warehouse.query('SELECT DISTINCT _batch, batch FROM payments LEFT JOIN tidemark.ledger ON _batch = batch')).toEqual([
      { _batch: 'one', batch: 'one' },
    ]);
    await expect(warehouse.query('DELETE FROM payments')).rejects.toMatchObject({
      code: 'WAREHOUSE',
      message: expect.stringMatching(/read-only/),
    });
    expect(await warehouse.summary(stream)).toMatchObject({ rows: 1 });
  });
});
