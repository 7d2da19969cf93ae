import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { openEngine } from '../../src/engine.ts';
import { commitBatch, settle, takeFence, UnknownOutcome } from '../../src/load/commit.ts';
import { migrateStream } from '../../src/load/migrate.ts';
import { literal } from '../../src/sql.ts';
import { number } from '../support/canonical-json.ts';
import { integer, json, text } from '../support/typed-sql.ts';
import { freshBench } from './fresh-bench.ts';
import { endChild, startChild } from './process.ts';
import { loadingSuite } from './suites/loading.ts';
import { expectedTable, makeStream, observe, START, schemaOf, tableOf, type WrittenBatch } from './support.ts';

const bench = freshBench();
loadingSuite(bench);
const stream = makeStream();
const schema = schemaOf(1, { amount: integer, note: text });
const first = [observe('1', 1, { amount: number(5n, 0), note: 'a' }), observe('2', 1, { amount: null, note: 'b' })];
const second = [observe('2', 2, { amount: number(7n, 0), note: null }), observe('3', 1, { amount: null, note: 'c' })];

describe('a load is exactly once in effect', () => {
  test('R12: a loader that is killed at any moment leaves all of its batch or nothing, and loading again completes it', async () => {
    const warehouse = bench.open({ clock: systemClock });
    const bulk = await bulkBatch('bulk', 40_000);
    const job = `${bench.folder}/job.json`;
    writeFileSync(job, JSON.stringify({ stream, batch: bulk.batch, files: bulk.files }));
    for (const pauseMs of [0, 60, 110, 160, 220, 300, 400]) {
      rmSync(bench.path, { force: true });
      rmSync(`${bench.path}.wal`, { force: true });
      await warehouse.migrate(stream, schema);
      const child = await startChild('load', bench.path, job);
      await delay(pauseMs);
      await endChild(child, 'SIGKILL');
      const { rows } = await warehouse.summary(stream);
      const entries = await warehouse.ledger('payments');
      expect(rows).toBe(entries.length === 1 ? 40_000 : 0);
      const again = await warehouse.load(stream, bulk.batch, bulk.files, null);
      expect(again).toMatchObject({ outcome: entries.length === 1 ? 'already' : 'loaded', inserted: 40_000 });
      expect(await warehouse.summary(stream)).toMatchObject({ rows: 40_000, distinct: 40_000 });
      expect(await warehouse.ledger('payments')).toHaveLength(1);
    }
  });

  test('R15: what updates leave behind is cleared bit by bit: no load rewrites the table', async () => {
    const [rows, updates] = [500_000, 300_000];
    const warehouse = bench.open();
    await warehouse.migrate(stream, schema);
    const bulk = await bulkBatch('bulk', rows, { width: 0 });
    await warehouse.load(stream, bulk.batch, bulk.files, null);
    expect(await rowsInFile()).toBe(rows);
    const newer = await bulkBatch('newer', updates, { number: 'i + i // 3 * 2', version: 2, width: 0 });
    expect(await warehouse.load(stream, newer.batch, newer.files, null)).toMatchObject({ inserted: 0, updated: updates });
    const after = await rowsInFile();
    expect(after).toBeGreaterThan(rows + 0.4 * updates);
    await warehouse.advance(stream.name, START);
    expect(await rowsInFile()).toBeLessThan(after);
    expect(await warehouse.summary(stream)).toMatchObject({ rows, distinct: rows });
  });
});

describe('the fence', () => {
  test('a loader whose token is not the last one changes nothing, and is told so', async () => {
    const warehouse = bench.open();
    const { batch, files } = await bench.batch('one', schema, first);
    await warehouse.migrate(stream, schema);
    const engine = await openEngine({ path: bench.path, threads: 1, memoryBytes: 256 << 20, tempDirectory: bench.folder });
    const work = { stream, batch, files, watermark: START, now: START };
    const stale = await takeFence(engine, 'payments', START);
    const fresh = await takeFence(engine, 'payments', START);
    await expect(commitBatch(engine, work, stale)).rejects.toMatchObject({ code: 'FENCED', transient: false });
    const untouched =
      'SELECT (SELECT count(*) FROM payments) + (SELECT count(*) FROM tidemark.ledger) + (SELECT count(*) FROM tidemark.watermark) AS n';
    expect(await engine.rows(untouched)).toEqual([{ n: 0 }]);
    expect(await commitBatch(engine, work, fresh)).toMatchObject({ outcome: 'loaded', inserted: 2 });
    await engine.close();
  });

  test('R10: a loader that was held up while another altered the table writes what the table holds now', async () => {
    await bench.open().migrate(stream, schema);
    const note = observe('1', 1, { amount: null, note: '8710' });
    const one = await bench.batch('one', schema, [note]);
    const engine = await openEngine({ path: bench.path, threads: 1, memoryBytes: 256 << 20, tempDirectory: bench.folder });
    const token = await takeFence(engine, 'payments', START);
    const wider = schemaOf(2, { amount: integer, note: json });
    await migrateStream(engine, stream, wider, START);
    await commitBatch(engine, { stream, ...one, watermark: null, now: START }, token);
    await engine.close();
    expect(await tableOf(bench.open(), stream)).toEqual(expectedTable([note], wider));
  });

  test('R12: after a COMMIT without an answer the ledger tells what became of it, and what was lost cannot come any more', async () => {
    await bench.open().migrate(stream, schema);
    const one = await bench.batch('one', schema, first);
    const two = await bench.batch('two', schema, second);
    const engine = await openEngine({ path: bench.path, threads: 1, memoryBytes: 256 << 20, tempDirectory: bench.folder });
    const lost = new UnknownOutcome('COMMIT failed', { cause: new Error('the disk is full') });
    const held = { stream, ...one, watermark: null, now: START };
    const missing = { stream, ...two, watermark: null, now: START };
    const token = await takeFence(engine, 'payments', START);
    const committed = await commitBatch(engine, held, token);
    expect(await settle(engine, held, lost)).toEqual(committed);
    await expect(settle(engine, missing, lost)).rejects.toThrow('the disk is full');
    await expect(commitBatch(engine, missing, token)).rejects.toMatchObject({ code: 'FENCED' });
    await engine.close();
  });

  test('R12: two loaders with the same batches at the same time load each once', async () => {
    const loaders = [bench.open({ clock: systemClock }), bench.open({ clock: systemClock })];
    const batches = [await bench.batch('one', schema, first), await bench.batch('two', schema, second)];
    await Promise.all(loaders.map((loader) => loader.migrate(stream, schema)));
    const outcomes = await Promise.all(
      loaders.flatMap((loader) => batches.map(({ batch, files }) => loader.load(stream, batch, files, null))),
    );
    expect(outcomes.map(({ outcome }) => outcome).toSorted()).toEqual(['already', 'already', 'loaded', 'loaded']);
    expect(await tableOf(bench.open(), stream)).toEqual(expectedTable([...first, ...second], schema));
  });
});

describe('what a load refuses', () => {
  test('files whose rows are not what the batch says are refused, and nothing is changed', async () => {
    const warehouse = bench.open();
    await warehouse.migrate(stream, schema);
    const good = await bench.batch('good', schema, first);
    const torn = `${bench.folder}/torn.parquet`;
    writeFileSync(torn, 'PAR1 and no more');
    const twice = await duplicated(good);
    const more = good.batch.files.map((file) => ({ ...file, rows: 3 }));
    const refused: [WrittenBatch, RegExp][] = [
      [{ ...good, batch: { ...good.batch, files: more } }, /has 2 rows where 3 are listed/],
      [{ ...good, batch: { ...good.batch, counts: { ...good.batch.counts, rows: 5 } } }, /2 rows where it counts 5/],
      [{ ...good, batch: { ...good.batch, id: 'other' } }, /rows of another batch/],
      [{ ...good, files: [] }, /1 files are listed and 0 are there/],
      [{ ...good, files: [torn] }, /cannot be read as Parquet/],
      [{ ...good, files: [`${bench.folder}/absent.parquet`] }, /cannot be read as Parquet/],
      [twice, /4 rows with 2 keys/],
    ];
    for (const [{ batch, files }, message] of refused) {
      await expect(warehouse.load(stream, batch, files, START)).rejects.toMatchObject({
        code: 'CORRUPT',
        message: expect.stringMatching(message),
      });
    }
    expect(await warehouse.summary(stream)).toEqual({ rows: 0, distinct: 0, latest: null });
    expect(await warehouse.ledger('payments')).toEqual([]);
    expect(await warehouse.watermark('payments')).toBeNull();
  });
});

/** A batch that is large enough for its load to be caught in the middle, or to fill row groups: of each i an event of that number. */
async function bulkBatch(id: string, rows: number, { number = 'i', version = 1, width = 8 } = {}): Promise<WrittenBatch> {
  const written = await bench.batch(id, schema, first);
  const [file = ''] = written.files;
  await bench.engine.run(`COPY (
    SELECT 'prod' AS environment, 'event-' || (${number}) AS event_id, make_timestamptz(${START} + ${number}) AS updated_at,
      ${version}::BIGINT AS event_version, i AS amount, repeat(md5(i::VARCHAR), ${width}) AS note, NULL::MAP(VARCHAR, VARCHAR) AS _overflow,
      'page' AS _page, i::INTEGER AS _position, md5(i::VARCHAR) AS _content_hash, ${literal(id)} AS _batch
    FROM range(${rows}) t(i)) TO ${literal(file)} (FORMAT parquet)`);
  const counts = { ...written.batch.counts, observations: rows, distinct: rows, rows };
  return { batch: { ...written.batch, counts, files: [{ key: file, sha256: '', bytes: 0, rows }] }, files: [file] };
}

/** Rows that the curated table takes up in the file, with those that were removed and not yet cleared. */
async function rowsInFile(): Promise<number> {
  const [row] = await bench.open().query(`SELECT sum(count)::BIGINT AS n FROM pragma_storage_info('payments')
    WHERE column_name = 'event_id' AND segment_type = 'VARCHAR'`);
  return Number(row?.['n']);
}

/** The same rows in two files: a batch that breaks its promise of each key once. */
async function duplicated(good: WrittenBatch): Promise<WrittenBatch> {
  const files = good.batch.files.flatMap((file) => [file, file]);
  return { batch: { ...good.batch, files, counts: { ...good.batch.counts, rows: 4 } }, files: good.files.flatMap((file) => [file, file]) };
}
