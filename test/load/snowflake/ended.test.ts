import { describe, expect, test } from 'vitest';
import { openSession } from '../../../src/load/snowflake/session.ts';
import { number } from '../../support/canonical-json.ts';
import { integer, text } from '../../support/typed-sql.ts';
import { makeStream, observe, START, schemaOf } from '../support.ts';
import { snowflakeBench } from './bench.ts';

/** Snowflake rolls back what stood idle while another waited; whatever the session sends after that is committed by itself here. */

const bench = snowflakeBench();
const stream = makeStream();
const schema = schemaOf(1, { amount: integer, note: text });
const rows = [observe('1', 1, { amount: number(5n, 0), note: 'a' }), observe('2', 1, { amount: null, note: 'b' })];

/** Rows of the table, of the ledger, of the watermark, and loads in the audit. */
async function counts(): Promise<readonly number[]> {
  const sources = ['"PAYMENTS__ROWS"', '"TIDEMARK_LEDGER"', '"TIDEMARK_WATERMARK"', `"TIDEMARK_AUDIT" WHERE "ACTION" = 'load'`];
  const found = await Promise.all(sources.map((source) => bench.sql(`SELECT COUNT(*) AS "N" FROM ${source}`)));
  return found.map(([row]) => Number(row?.['N']));
}

describe('a transaction that the service ends between two statements', () => {
  test.each([
    [/SELECT "TOKEN"/],
    [/UPDATE [^]*__FENCE[^]*"TOKEN" = "TOKEN" WHERE/],
    [/SELECT CURRENT_TRANSACTION/],
    [/^MERGE[^]*__ROWS/],
    [/INSERT INTO .*LEDGER/],
    [/INSERT INTO .*AUDIT/],
    [/INSERT INTO .*METRICS/],
    [/^MERGE[^]*WATERMARK/],
  ])('R12: leaves nothing, whatever its session sends from %s on, and the same again loads the batch', async (when) => {
    const warehouse = bench.open();
    const one = await bench.batch('one', schema, rows);
    await warehouse.migrate(stream, schema);
    bench.server.fault({ when, kind: 'transaction-ended' });
    await expect(warehouse.load(stream, one.batch, [], START)).rejects.toMatchObject({
      code: 'WAREHOUSE',
      transient: true,
      message: 'The open transaction was ended from outside',
    });
    expect(await counts()).toEqual([0, 0, 0, 0]);
    expect(bench.server.locks.list()).toEqual([]);
    expect(await warehouse.load(stream, one.batch, [], START)).toMatchObject({ outcome: 'loaded', inserted: 2 });
    expect(await counts()).toEqual([2, 1, 1, 1]);
  });

  test('R12: is no load where it was ended before its COMMIT, and a fence that was not taken is held by nobody', async () => {
    const [warehouse, other] = [bench.open(), bench.open()];
    const one = await bench.batch('one', schema, rows);
    await warehouse.migrate(stream, schema);
    bench.server.fault({ when: /^COMMIT/, kind: 'transaction-ended', skip: 1 });
    await expect(warehouse.load(stream, one.batch, [], START)).rejects.toMatchObject({ transient: true });
    expect(await counts()).toEqual([0, 0, 0, 0]);
    bench.server.fault({ when: /^COMMIT/, kind: 'transaction-ended' });
    const [mine, theirs] = await Promise.all([warehouse.load(stream, one.batch, [], START), other.load(stream, one.batch, [], START)]);
    expect([mine.outcome, theirs.outcome].sort()).toEqual(['already', 'loaded']);
    expect(await counts()).toEqual([2, 1, 1, 1]);
  });

  test('R12: is told as loaded already where another loader came between its COMMIT and the look at the ledger', async () => {
    const other = bench.open();
    const one = await bench.batch('one', schema, rows);
    let commits = 0;
    const warehouse = bench.open({
      open: async (config, clock) => {
        const session = await openSession(config, clock);
        const run = session.run.bind(session);
        session.run = async (sql, binds) => {
          const changed = await run(sql, binds);
          if (sql === 'COMMIT' && ++commits === 2) await other.load(stream, one.batch, [], START);
          return changed;
        };
        return session;
      },
    });
    await other.migrate(stream, schema);
    bench.server.fault({ when: /^COMMIT/, kind: 'transaction-ended', skip: 1 });
    expect(await warehouse.load(stream, one.batch, [], START)).toMatchObject({ outcome: 'already', inserted: 2 });
    expect(commits).toBe(2);
    expect(await counts()).toEqual([2, 1, 1, 1]);
  });
});
