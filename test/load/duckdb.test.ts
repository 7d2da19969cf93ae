import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import { openEngine } from '../../src/engine.ts';
import { TidemarkError } from '../../src/errors.ts';
import { HOUR } from '../../src/time.ts';
import { number } from '../support/canonical-json.ts';
import { integer, text } from '../support/typed-sql.ts';
import { ofAnotherVersion } from './database-file.ts';
import { freshBench } from './fresh-bench.ts';
import { endChild, startChild } from './process.ts';
import { expectedTable, makeStream, manualClock, observe, START, schemaOf, tableOf } from './support.ts';

const bench = freshBench();
const stream = makeStream();
const schema = schemaOf(1, { amount: integer, note: text });

describe('the file', () => {
  test('a warehouse that is not there yet is empty, and asking does not make it', async () => {
    const warehouse = bench.open();
    expect(await warehouse.ledger('payments')).toEqual([]);
    expect(await warehouse.watermark('payments')).toBeNull();
    expect(await warehouse.find(stream, ['prod', '1'])).toEqual([]);
    expect(await warehouse.summary(stream)).toEqual({ rows: 0, distinct: 0, latest: null });
    expect(await collect(warehouse.rows(stream))).toEqual([]);
    await expect(warehouse.query('SELECT 1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(existsSync(bench.path)).toBe(false);
  });

  test('a lost file takes its ledger with it: every batch loads again', async () => {
    const warehouse = bench.open();
    const rows = [observe('1', 1, { note: 'a' })];
    const { batch, files } = await bench.batch('one', schema, rows);
    await warehouse.migrate(stream, schema);
    await warehouse.load(stream, batch, files, START);
    rmSync(bench.path);
    expect(await warehouse.ledger('payments')).toEqual([]);
    await warehouse.migrate(stream, schema);
    expect(await warehouse.load(stream, batch, files, START)).toMatchObject({ outcome: 'loaded', inserted: 1 });
    expect(await tableOf(warehouse, stream)).toEqual(expectedTable(rows, schema));
  });

  test('a file that is no database, and one of another version of DuckDB, are refused and not touched', async () => {
    writeFileSync(bench.path, 'not a database, '.repeat(1000));
    await expect(bench.open().migrate(stream, schema)).rejects.toMatchObject({
      code: 'WAREHOUSE_VERSION',
      message: /is not a DuckDB database/,
    });
    rmSync(bench.path);
    await bench.open().migrate(stream, schema);
    writeFileSync(bench.path, ofAnotherVersion(readFileSync(bench.path)));
    const before = readFileSync(bench.path);
    await expect(bench.open().migrate(stream, schema)).rejects.toMatchObject({
      code: 'WAREHOUSE_VERSION',
      message: expect.stringMatching(/another version/),
    });
    await expect(bench.open().ledger('payments')).rejects.toMatchObject({ code: 'WAREHOUSE_VERSION' });
    expect(readFileSync(bench.path).equals(before)).toBe(true);
  });

  test('tables of another layout are refused', async () => {
    await bench.open().migrate(stream, schema);
    await inDatabase("UPDATE tidemark.meta SET value = '99'");
    await expect(bench.open().migrate(stream, schema)).rejects.toMatchObject({
      code: 'WAREHOUSE_VERSION',
      message: expect.stringMatching(/layout "99"/),
    });
    await expect(bench.open().ledger('payments')).rejects.toMatchObject({ code: 'WAREHOUSE_VERSION' });
  });

  test("somebody else's table of the stream's name is not touched", async () => {
    await inDatabase('CREATE TABLE Payments AS SELECT 42 AS answer');
    await expect(bench.open().migrate(stream, schema)).rejects.toMatchObject({
      code: 'WAREHOUSE',
      message: expect.stringMatching(/did not make/),
    });
    expect(await bench.open().query('SELECT * FROM payments')).toEqual([{ answer: 42 }]);
  });

  test('a file that another process has open is waited for, within bounds', async () => {
    const child = await startChild('hold', bench.path);
    await expect(bench.open({ lockWaitMs: 5000 }).migrate(stream, schema)).rejects.toMatchObject({
      code: 'WAREHOUSE_BUSY',
      transient: true,
    });
    const clock = manualClock();
    // The other process lets go while this one sleeps.
    const patient: Clock = { ...clock, sleep: () => endChild(child) };
    await bench.open({ clock: patient, lockWaitMs: 5000 }).migrate(stream, schema);
    expect(await bench.open().summary(stream)).toMatchObject({ rows: 0 });
  });

  test('it is let go of where the first statement on it fails, so that the next try gets in', async () => {
    let statements = 0;
    const open: typeof openEngine = async (options) => {
      const engine = await openEngine(options);
      const run = engine.run.bind(engine);
      engine.run = (sql) => (statements++ === 0 ? Promise.reject(new Error('the disk is full')) : run(sql));
      return engine;
    };
    const warehouse = bench.open({ open, lockWaitMs: 0 });
    await expect(warehouse.migrate(stream, schema)).rejects.toThrow('the disk is full');
    await warehouse.migrate(stream, schema);
    expect(await warehouse.summary(stream)).toMatchObject({ rows: 0 });
  });

  test('R12: a failure that may pass while a file is looked at does not call the file corrupt', async () => {
    const passing = new TidemarkError({ code: 'WAREHOUSE', message: 'interrupted', transient: true });
    const open: typeof openEngine = async (options) => {
      const engine = await openEngine(options);
      const rows = engine.rows.bind(engine);
      engine.rows = (sql) => (sql.includes('batch=one.parquet') ? Promise.reject(passing) : rows(sql));
      return engine;
    };
    const { batch, files } = await bench.batch('one', schema, [observe('1', 1, { amount: number(5n, 0), note: 'a' })]);
    await bench.open().migrate(stream, schema);
    await expect(bench.open({ open }).load(stream, batch, files, null)).rejects.toBe(passing);
    expect(await bench.open().load(stream, batch, files, null)).toMatchObject({ outcome: 'loaded', inserted: 1 });
  });

  test('it is open only while something works on it, and closed for good after close', async () => {
    const warehouse = bench.open();
    await warehouse.migrate(stream, schema);
    await inDatabase('SELECT 1');
    const pending = warehouse.summary(stream);
    await warehouse.close();
    expect(await pending).toMatchObject({ rows: 0 });
    await expect(warehouse.ledger('payments')).rejects.toMatchObject({ message: expect.stringMatching(/was closed/) });
    await expect(warehouse.advance('payments', START)).rejects.toMatchObject({ message: expect.stringMatching(/was closed/) });
  });
});

describe('the watermark', () => {
  test('R25: it moves without a batch, of each stream by itself, and never back', async () => {
    const warehouse = bench.open();
    await warehouse.advance('payments', START + HOUR);
    await warehouse.advance('payments', START);
    await warehouse.advance('settlements', START);
    expect(await warehouse.watermark('payments')).toBe(START + HOUR);
    expect(await warehouse.watermark('settlements')).toBe(START);
  });
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function inDatabase(sql: string): Promise<void> {
  const engine = await openEngine({ path: bench.path, threads: 1, memoryBytes: 256 << 20, tempDirectory: bench.folder });
  await engine.run(sql);
  await engine.close();
}
