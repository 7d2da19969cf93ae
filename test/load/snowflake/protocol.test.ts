import { describe, expect, test } from 'vitest';
import { UnknownOutcome } from '../../../src/load/commit.ts';
import { type BatchWork, commitBatch, settle, stage, takeFence } from '../../../src/load/snowflake/commit.ts';
import { openSession, type SnowflakeSession } from '../../../src/load/snowflake/session.ts';
import { HOUR } from '../../../src/time.ts';
import { number } from '../../support/canonical-json.ts';
import type { FaultKind } from '../../support/snowflake/faults.ts';
import { integer, json, text } from '../../support/typed-sql.ts';
import { expectedTable, makeStream, observe, START, schemaOf, tableOf, type WrittenBatch } from '../support.ts';
import { snowflakeBench } from './bench.ts';

const bench = snowflakeBench();
const stream = makeStream();
const schema = schemaOf(1, { amount: integer, note: text });
const first = [observe('1', 1, { amount: number(5n, 0), note: 'a' }), observe('2', 1, { amount: null, note: 'b' })];
const second = [observe('2', 2, { amount: number(7n, 0), note: null }), observe('3', 1, { amount: null, note: 'c' })];

const workOf = ({ batch }: WrittenBatch, staging: string): BatchWork => ({
  place: { database: 'DB', schema: bench.config.schema },
  stream,
  batch,
  staging,
  watermark: START,
  quarantined: [],
  now: START,
});

async function withSession<T>(work: (session: SnowflakeSession) => Promise<T>): Promise<T> {
  const session = await openSession(bench.config, bench.clock);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** Rows of the table, of the ledger and of the watermark. */
async function counts(): Promise<readonly number[]> {
  const tables = ['PAYMENTS__ROWS', 'TIDEMARK_LEDGER', 'TIDEMARK_WATERMARK'];
  const found = await Promise.all(tables.map((name) => bench.sql(`SELECT COUNT(*) AS "N" FROM "${name}"`)));
  return found.map(([row]) => Number(row?.['N']));
}

describe('the fence', () => {
  test('R12: a zombie with an old token changes nothing, and is told so', async () => {
    await bench.open().migrate(stream, schema);
    const work = workOf(await bench.batch('one', schema, first), 'ZOMBIE');
    await withSession(async (session) => {
      const strata = await stage(session, work);
      const stale = await takeFence(session, work, Math.random);
      const fresh = await takeFence(session, work, Math.random);
      await expect(commitBatch(session, work, strata, stale)).rejects.toMatchObject({ code: 'FENCED', transient: false });
      expect(await counts()).toEqual([0, 0, 0]);
      expect(await commitBatch(session, work, strata, fresh)).toMatchObject({ outcome: 'loaded', inserted: 2 });
    });
  });

  test('R12: whoever takes the fence waits for a transaction that holds it, and whoever held it comes first', async () => {
    const warehouse = bench.open();
    await warehouse.migrate(stream, schema);
    const one = workOf(await bench.batch('one', schema, first), 'SLOW');
    const two = await bench.batch('two', schema, second);
    await withSession(async (session) => {
      const strata = await stage(session, one);
      const token = await takeFence(session, one, Math.random);
      let other: Promise<unknown> = Promise.resolve();
      bench.server.faultsBy(({ sql }) => {
        if (sql.startsWith('MERGE INTO "DB"') && sql.includes('__ROWS') && sql.includes('SLOW'))
          other = warehouse.load(stream, two.batch, [], null);
        return null;
      });
      expect(await commitBatch(session, one, strata, token)).toMatchObject({ inserted: 2 });
      expect(await other).toMatchObject({ outcome: 'loaded', inserted: 1, updated: 1 });
    });
    expect((await warehouse.ledger('payments')).map(({ batch }) => batch)).toEqual(['one', 'two']);
    expect(await tableOf(warehouse, stream)).toEqual(expectedTable([...first, ...second], schema));
  });

  test('of one stream holds up no other', async () => {
    const warehouse = bench.open();
    const refunds = makeStream({ name: 'refunds' });
    for (const of of [stream, refunds]) await warehouse.migrate(of, schema);
    const work = workOf(await bench.batch('one', schema, first), 'HOLDS');
    const other = await bench.batch('other', schema, second, { stream: 'refunds' });
    await withSession(async (session) => {
      const token = await takeFence(session, work, Math.random);
      await session.run('BEGIN');
      await session.run(`UPDATE "DB"."${bench.config.schema}"."PAYMENTS__FENCE" SET "TOKEN" = "TOKEN" WHERE "TOKEN" = ${token}`);
      expect(await warehouse.load(refunds, other.batch, [], START)).toMatchObject({ outcome: 'loaded', inserted: 2 });
      expect(bench.server.locks.list()).not.toEqual([]);
      await session.run('ROLLBACK');
    });
  });

  test('R10: a loader that was held up while another altered the table writes what the table holds now', async () => {
    const warehouse = bench.open();
    await warehouse.migrate(stream, schema);
    const note = observe('1', 1, { amount: null, note: '8710' });
    const work = workOf(await bench.batch('one', schema, [note]), 'HELD');
    const wider = schemaOf(2, { amount: integer, note: json });
    await withSession(async (session) => {
      const strata = await stage(session, work);
      await warehouse.migrate(stream, wider);
      const token = await takeFence(session, work, Math.random);
      await commitBatch(session, work, strata, token);
    });
    expect(await tableOf(warehouse, stream)).toEqual(expectedTable([note], wider));
  });

  test('R12: two loaders with the same batches at the same time load each once', async () => {
    const loaders = [bench.open(), bench.open()];
    const batches = [await bench.batch('one', schema, first), await bench.batch('two', schema, second)];
    await Promise.all(loaders.map((loader) => loader.migrate(stream, schema)));
    const outcomes = await Promise.all(loaders.flatMap((loader) => batches.map(({ batch }) => loader.load(stream, batch, [], null))));
    expect(outcomes.map(({ outcome }) => outcome).toSorted()).toEqual(['already', 'already', 'loaded', 'loaded']);
    expect(await tableOf(bench.open(), stream)).toEqual(expectedTable([...first, ...second], schema));
  });
});

describe('an outcome that nobody told', () => {
  const RESENT_IN_VAIN: readonly FaultKind[] = ['garbled-after', 'lost-for-good', 'session-gone-after'];

  test.each(RESENT_IN_VAIN)('R12: of a COMMIT that was done (%s) is in the ledger', async (kind) => {
    const warehouse = bench.open();
    const one = await bench.batch('one', schema, first);
    await warehouse.migrate(stream, schema);
    const met = failLastCommit(kind);
    expect(await warehouse.load(stream, one.batch, [], START)).toMatchObject({ outcome: 'loaded', inserted: 2, updated: 0 });
    await met;
    expect(await counts()).toEqual([2, 1, 1]);
    expect(await stagingTables()).toEqual([]);
  });

  test.each(['garbled-before', 'session-gone', 'http-403'] as const)(
    'R12: of a COMMIT that was not done (%s) is that nothing was loaded; the same again loads it',
    async (kind) => {
      const warehouse = bench.open();
      const one = await bench.batch('one', schema, first);
      await warehouse.migrate(stream, schema);
      const met = failLastCommit(kind);
      await expect(warehouse.load(stream, one.batch, [], START)).rejects.toMatchObject({ code: 'WAREHOUSE', transient: true });
      await met;
      expect(await counts()).toEqual([0, 0, 0]);
      expect(await stagingTables()).toEqual([]);
      expect(await warehouse.load(stream, one.batch, [], START)).toMatchObject({ outcome: 'loaded', inserted: 2 });
      expect(await counts()).toEqual([2, 1, 1]);
    },
  );

  test.each(['slow', 'slow-after'] as const)('R12: of a COMMIT past its deadline (%s) is looked up as well', async (kind) => {
    const warehouse = bench.open();
    const one = await bench.batch('one', schema, first);
    await warehouse.migrate(stream, schema);
    const met = failLastCommit(kind);
    const loaded = warehouse.load(stream, one.batch, [], START).catch((error: unknown) => error);
    await met;
    const isDone = async (): Promise<boolean> => kind === 'slow' || (await counts())[1] === 1;
    while (!(await isDone())) await new Promise((resolve) => setImmediate(resolve));
    bench.clock.advance(11 * 60_000);
    expect(await loaded).toMatchObject(kind === 'slow' ? { code: 'WAREHOUSE', transient: true } : { outcome: 'loaded', inserted: 2 });
    expect(await counts()).toEqual(kind === 'slow' ? [0, 0, 0] : [2, 1, 1]);
  });

  test('R12: what was lost cannot come any more once the fence was taken again', async () => {
    await bench.open().migrate(stream, schema);
    const lost = new UnknownOutcome('COMMIT failed', { cause: new Error('nobody answered') });
    const held = workOf(await bench.batch('one', schema, first), 'ONE');
    const missing = workOf(await bench.batch('two', schema, second), 'TWO');
    await withSession(async (session) => {
      const strata = await stage(session, held);
      const later = await stage(session, missing);
      const token = await takeFence(session, held, Math.random);
      const committed = await commitBatch(session, held, strata, token);
      expect(await settle(session, held, lost, Math.random)).toEqual(committed);
      await expect(settle(session, missing, lost, Math.random)).rejects.toThrow('nobody answered');
      await expect(commitBatch(session, missing, later, token)).rejects.toMatchObject({ code: 'FENCED' });
    });
  });
});

describe('what passes by itself', () => {
  test('a session that ended while nobody used it is opened anew, and nobody notices', async () => {
    const warehouse = bench.open();
    await warehouse.migrate(stream, schema);
    for (const { id } of bench.server.sessions.all) await bench.server.endSession(id);
    expect(await warehouse.watermark('payments')).toBeNull();
  });

  test.each([
    ['lock-timeout', /__FENCE/, 'WAREHOUSE_BUSY'],
    ['warehouse-suspended', /^COPY/, 'WAREHOUSE_BUSY'],
    ['session-gone', /^MERGE[^]*__ROWS/, 'WAREHOUSE'],
    ['garbled-after', /^MERGE[^]*__ROWS/, 'WAREHOUSE'],
    ['http-403', /INSERT INTO .*LEDGER/, 'WAREHOUSE'],
  ] as const)('%s at %s leaves nothing behind, and the same again loads the batch', async (kind, when, code) => {
    const warehouse = bench.open();
    const one = await bench.batch('one', schema, first);
    await warehouse.migrate(stream, schema);
    bench.server.fault({ when, kind });
    await expect(warehouse.load(stream, one.batch, [], START)).rejects.toMatchObject({ code, transient: true });
    expect(await counts()).toEqual([0, 0, 0]);
    expect(bench.server.locks.list()).toEqual([]);
    expect(await warehouse.load(stream, one.batch, [], START)).toMatchObject({ outcome: 'loaded', inserted: 2 });
    expect(await stagingTables()).toEqual([]);
  });
});

test('R12: a transaction that can be neither ended nor rolled back changes nothing: no later statement of its session commits it', async () => {
  const warehouse = bench.open();
  const one = await bench.batch('one', schema, first);
  await warehouse.migrate(stream, schema);
  bench.server.fault({ when: /INSERT INTO .*LEDGER/, kind: 'lock-timeout' });
  bench.server.fault({ when: /^ROLLBACK/, kind: 'warehouse-suspended' });
  await expect(warehouse.load(stream, one.batch, [], START)).rejects.toMatchObject({ code: 'WAREHOUSE_BUSY', transient: true });
  expect(await counts()).toEqual([0, 0, 0]);
  expect(bench.server.locks.list()).toEqual([]);
  expect(await warehouse.load(stream, one.batch, [], START)).toMatchObject({ outcome: 'loaded', inserted: 2 });
});

describe('what a load leaves and refuses', () => {
  test('a staging table that a dead loader left is dropped by a later one, a young one is not', async () => {
    const warehouse = bench.open();
    const one = await bench.batch('one', schema, first);
    await warehouse.migrate(stream, schema);
    await withSession((session) => stage(session, workOf(one, 'PAYMENTS__old_1')));
    await withSession((session) => stage(session, workOf(one, 'REFUNDS__old_1')));
    await warehouse.load(stream, one.batch, [], null);
    expect(await stagingTables()).toEqual(['PAYMENTS__old_1', 'REFUNDS__old_1']);
    bench.clock.advance((Date.now() * 1000 - START) / 1000 + (7 * HOUR) / 1000);
    const two = await bench.batch('two', schema, second);
    await bench.open().load(stream, two.batch, [], null);
    expect(await stagingTables()).toEqual(['REFUNDS__old_1']);
  });

  test('files whose rows are not what the batch says are refused, and nothing is changed', async () => {
    const warehouse = bench.open();
    await warehouse.migrate(stream, schema);
    const good = await bench.batch('good', schema, first);
    await bench.batch('torn', schema, first);
    await bench.engine.run(`COPY (SELECT 1 AS x) TO '${bench.folder}/torn.parquet' (FORMAT csv)`);
    const files = (key: string, rows = 2) => [{ key, sha256: '', bytes: 0, rows }];
    const refused: [Partial<WrittenBatch['batch']>, RegExp][] = [
      [{ files: files('batch=good.parquet', 3) }, /has 2 rows where 3 are listed/],
      [{ counts: { ...good.batch.counts, rows: 5 } }, /2 rows where it counts 5/],
      [{ id: 'other' }, /rows of another batch/],
      [{ files: files('absent.parquet') }, /cannot be loaded: .*absent\.parquet/],
      [{ files: files('torn.parquet') }, /cannot be loaded/],
      [{ files: [...files('batch=good.parquet'), ...files('batch=good.parquet')] }, /2 files, of which 1 are different/],
    ];
    for (const [change, message] of refused) {
      await expect(warehouse.load(stream, { ...good.batch, ...change }, [], START)).rejects.toMatchObject({
        code: 'CORRUPT',
        message: expect.stringMatching(message),
      });
    }
    expect(await counts()).toEqual([0, 0, 0]);
    expect(await stagingTables()).toEqual([]);
  });

  test('a stage that the role may not use is no fault of the files', async () => {
    const warehouse = bench.open();
    await warehouse.migrate(stream, schema);
    const good = await bench.batch('good', schema, first);
    await bench.sql('DROP STAGE "TIDEMARK_STAGE"');
    await expect(warehouse.load(stream, good.batch, [], START)).rejects.toMatchObject({ code: 'WAREHOUSE', data: { number: '002003' } });
  });

  test('a warehouse without the migrations is refused, whatever is asked', async () => {
    const config = { ...bench.config, schema: 'PUBLIC' };
    const warehouse = bench.open({ config });
    for (const asked of [warehouse.watermark('payments'), warehouse.ledger('payments'), warehouse.migrate(stream, schema)])
      await expect(asked).rejects.toMatchObject({ code: 'WAREHOUSE_VERSION', hint: expect.stringMatching(/warehouse migrate/) });
  });

  test('R16, R23: what may not enter is listed with where it stands, and measured; nothing that it says is', async () => {
    const records = Array.from({ length: 201 }, (_, position) => ({
      page: 'raw/p1',
      position,
      rule: "it's: present",
      contentHash: `h${position}`,
    }));
    const warehouse = bench.open({ quarantined: async () => records });
    const one = await bench.batch('one', schema, first);
    await warehouse.migrate(stream, schema);
    const batch = { ...one.batch, counts: { ...one.batch.counts, quarantined: 201 } };
    await warehouse.load(stream, batch, [], null);
    await warehouse.load(stream, batch, [], null);
    const listed = await bench.sql(
      'SELECT "BATCH", "PAGE", "POSITION", "RULE", "CONTENT_HASH" FROM "TIDEMARK_QUARANTINE" ORDER BY "POSITION"',
    );
    expect(listed).toHaveLength(201);
    expect(listed[200]).toEqual({ BATCH: 'one', PAGE: 'raw/p1', POSITION: '200', RULE: "it's: present", CONTENT_HASH: 'h200' });
    const metrics = await bench.sql('SELECT "NAME", "VALUE" FROM "TIDEMARK_METRICS" ORDER BY "NAME"');
    expect(metrics).toContainEqual({ NAME: 'inserted_rows', VALUE: expect.stringMatching(/^2(\.0)?$/) });
    expect(metrics).toContainEqual({ NAME: 'quarantined_records', VALUE: expect.stringMatching(/^201(\.0)?$/) });
  });

  test('R24: a query cannot change anything', async () => {
    const warehouse = bench.open();
    await warehouse.migrate(stream, schema);
    const { batch } = await bench.batch('one', schema, first);
    await warehouse.load(stream, batch, [], null);
    expect(await warehouse.query('SELECT DISTINCT _batch, batch FROM payments LEFT JOIN tidemark_ledger ON _batch = batch')).toEqual([
      { _batch: 'one', batch: 'one' },
    ]);
    for (const statement of ['DELETE FROM payments__rows', '/* a */ -- b\n TRUNCATE TABLE payments__rows', 'CALL x()', ''])
      await expect(warehouse.query(statement)).rejects.toMatchObject({ code: 'WAREHOUSE', message: expect.stringMatching(/read-only/) });
    expect(await warehouse.query('-- all of it\nSELECT COUNT(*) AS n, TRUE AS yes, 1.50::NUMBER(9,2) AS money FROM payments')).toEqual([
      { n: 2, yes: true, money: '1.50' },
    ]);
  });
});

async function stagingTables(): Promise<readonly unknown[]> {
  const found = await bench.sql(
    `SELECT "TABLE_NAME" FROM "DB".INFORMATION_SCHEMA.TABLES WHERE "TABLE_SCHEMA" = '${bench.config.schema}_STAGING' ORDER BY "TABLE_NAME"`,
  );
  return found.map((row) => row['TABLE_NAME']);
}

/** The COMMIT of the next load's own transaction goes wrong. @returns when it has come. */
function failLastCommit(kind: FaultKind): Promise<void> {
  const last = new Map<string, string>();
  const { promise, resolve } = Promise.withResolvers<void>();
  bench.server.faultsBy(({ sql, session }) => {
    const isLast = sql === 'COMMIT' && (last.get(session) ?? '').includes('TIDEMARK_WATERMARK');
    last.set(session, sql);
    if (!isLast) return null;
    bench.server.faultsBy(null);
    resolve();
    return kind;
  });
  return promise;
}
