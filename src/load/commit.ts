import type { Micros } from '../clock.ts';
import type { Engine } from '../engine.ts';
import { isTidemarkError, TidemarkError } from '../errors.ts';
import type { Batch } from '../manifest/documents.ts';
import type { Stream } from '../stream.ts';
import { assertHolds, breakTies, countFileRows, countTies, deleteOlder, findHeld, insertRows, inspectFiles } from './merge.ts';
import * as sql from './statements.ts';
import { moveWatermark, requireStreamTable, type StreamTable, transaction } from './tables.ts';
import { numberOf, textOf } from './values.ts';
import type { LoadOutcome } from './warehouse.ts';

/** The protocol of a load, step by step; duckdb.ts puts the steps together. */

export interface BatchWork {
  readonly stream: Stream;
  readonly batch: Batch;
  /** Local paths of `batch.files`, in that order. */
  readonly files: readonly string[];
  readonly watermark: Micros | null;
  readonly now: Micros;
}

/** A COMMIT failed: whether the batch is in the table is known to its ledger alone. */
export class UnknownOutcome extends Error {
  override readonly name = 'UnknownOutcome';
}

/** @returns what the ledger says of the batch, or null where the table does not hold it. */
export async function ledgerOutcome(engine: Engine, batch: Batch, outcome: LoadOutcome['outcome']): Promise<LoadOutcome | null> {
  const [row] = await engine.rows(sql.readLedgerEntry(batch.stream, batch.id));
  if (!row) return null;
  const { inserted, updated, unchanged, query_id: queryId } = row;
  return { outcome, inserted: numberOf(inserted), updated: numberOf(updated), unchanged: numberOf(unchanged), queryId: textOf(queryId) };
}

/** In a transaction of its own: from here on, whoever took the fence before can commit no more. @returns the token. */
export async function takeFence(engine: Engine, stream: string, now: Micros): Promise<number> {
  const [row] = await engine.rows(sql.takeFence(stream, now));
  return numberOf(row?.['token']);
}

/** @throws CORRUPT where the files are not what the batch says; reads only. */
export async function checkFiles(engine: Engine, { stream, batch, files }: BatchWork): Promise<void> {
  if (files.length !== batch.files.length) throw corrupt(batch, `${batch.files.length} files are listed and ${files.length} are there`);
  for (const [index, file] of files.entries()) {
    const expected = batch.files[index]?.rows;
    const found = await rowsIn(engine, batch, file);
    if (found !== expected) throw corrupt(batch, `${batch.files[index]?.key} has ${found} rows where ${expected} are listed`);
  }
  if (files.length > 0) await checkRows(engine, stream, batch, files);
}

async function rowsIn(engine: Engine, batch: Batch, file: string): Promise<number> {
  try {
    const [row] = await engine.rows(countFileRows(file));
    return numberOf(row?.['row_count']);
  } catch (cause) {
    // What may pass by itself says nothing of the file.
    if (isTidemarkError(cause) && cause.transient) throw cause;
    throw corrupt(batch, `${file} cannot be read as Parquet`, cause);
  }
}

async function checkRows(engine: Engine, stream: Stream, batch: Batch, files: readonly string[]): Promise<void> {
  const [row = {}] = await engine.rows(inspectFiles(stream, batch.id, files));
  const [rows, distinct] = [numberOf(row['row_count']), numberOf(row['distinct_keys'])];
  if (rows !== batch.counts.rows) throw corrupt(batch, `its files have ${rows} rows where it counts ${batch.counts.rows}`);
  if (rows !== distinct) throw corrupt(batch, `it holds ${rows} rows with ${distinct} keys`);
  if (row['void_rows'] !== 0) throw corrupt(batch, 'it holds rows without a key, a version or a content hash');
  if (row['foreign_rows'] !== 0) throw corrupt(batch, 'it holds rows of another batch');
}

function corrupt(batch: Batch, what: string, cause?: unknown): TidemarkError {
  return new TidemarkError({
    code: 'CORRUPT',
    message: `Batch ${batch.id} of ${batch.stream}: ${what}`,
    hint: 'The table was not changed. Fetch the files again; where they still differ, normalize the window again.',
    data: { batch: batch.id, stream: batch.stream },
    cause,
  });
}

/**
 * The one transaction of a load: merge, ledger, audit and watermark, or nothing.
 * @throws FENCED where the fence is not at `token` any more; UnknownOutcome where COMMIT failed.
 */
export async function commitBatch(engine: Engine, work: BatchWork, token: number): Promise<LoadOutcome> {
  let committing = false;
  try {
    return await transaction(
      engine,
      () => mergeBatch(engine, work, token),
      () => (committing = true),
    );
  } catch (error) {
    if (committing) throw new UnknownOutcome('COMMIT failed', { cause: error });
    throw error;
  }
}

async function mergeBatch(engine: Engine, work: BatchWork, token: number): Promise<LoadOutcome> {
  const { stream, batch, watermark, now } = work;
  await holdFence(engine, stream.name, token);
  // Only now: whoever was held up since the fence was taken may find the table altered by another.
  const table = await requireStreamTable(engine, stream);
  assertHolds(stream, batch.schema, table.schema);
  const queryId = `${stream.name}.${token}`;
  const counts = await merge(engine, work, table);
  await engine.run(sql.insertLedgerEntry(batch, counts, queryId, now));
  if (batch.transform) await engine.run(sql.insertTransform(batch));
  const made = batch.transform ? { transform: batch.transform } : {};
  await engine.run(
    sql.insertAudit(stream.name, 'load', queryId, { batch: batch.id, origin: batch.origin, ...made, ...counts, watermark }, now),
  );
  await moveWatermark(engine, stream.name, watermark, now);
  return { outcome: 'loaded', ...counts, queryId };
}

async function holdFence(engine: Engine, stream: string, token: number): Promise<void> {
  const held = await engine.rows(sql.holdFence(stream, token)).catch((error: unknown) => {
    if (isTidemarkError(error) && error.message.includes('Conflict')) return [];
    throw error;
  });
  if (held.length === 1) return;
  throw new TidemarkError({
    code: 'FENCED',
    message: `Another loader has taken over ${stream}: token ${token} is not the last one any more`,
    hint: 'Nothing was changed. The other loader goes on; this one must stop.',
  });
}

/** Its statements say themselves how many rows they changed: no row of the table has to be counted. */
async function merge(engine: Engine, work: BatchWork, table: StreamTable): Promise<sql.MergeCounts> {
  const { stream, batch, files, now } = work;
  if (files.length === 0) return { inserted: 0, updated: 0, unchanged: 0 };
  await engine.run(findHeld(stream, table.schema, files));
  const [row] = await engine.rows(countTies);
  if (numberOf(row?.['ties']) > 0) await engine.run(breakTies(stream, table.schema, files, batch.transform ?? 0));
  const updated = await changedRows(engine, deleteOlder(stream, table.schema));
  const written = await changedRows(engine, insertRows(stream, batch.schema, table.schema, files, now));
  return { inserted: written - updated, updated, unchanged: batch.counts.rows - written };
}

async function changedRows(engine: Engine, statement: string): Promise<number> {
  const [row] = await engine.rows(statement);
  return numberOf(row?.['Count']);
}

/**
 * After a COMMIT without an answer, in a new session. Taking the fence first makes sure that the lost transaction cannot still come.
 * @throws what COMMIT said, where the table does not hold the batch.
 */
export async function settle(engine: Engine, work: BatchWork, unknown: UnknownOutcome): Promise<LoadOutcome> {
  await takeFence(engine, work.stream.name, work.now);
  const outcome = await ledgerOutcome(engine, work.batch, 'loaded');
  if (outcome) return outcome;
  throw unknown.cause;
}
