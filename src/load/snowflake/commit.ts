import type { Micros } from '../../clock.ts';
import { isTidemarkError, TidemarkError } from '../../errors.ts';
import type { Batch } from '../../manifest/documents.ts';
import type { Stream } from '../../stream.ts';
import { UnknownOutcome } from '../commit.ts';
import type { MergeCounts } from '../statements.ts';
import type { LoadOutcome, QuarantinedPlace } from '../warehouse.ts';
import { copyFiles, createStaging, inspectStaging } from './copy.ts';
import { isRefused, isWithoutWarehouse } from './failure.ts';
import type { Layout } from './layout.ts';
import { assertTakes, mergeSql } from './merge.ts';
import type { Place } from './names.ts';
import type { SnowflakeRow, SnowflakeSession } from './session.ts';
import * as sql from './statements.ts';
import { type Stratum, strataOf, strataSql } from './strata.ts';
import { currentTransaction, endedFromOutside, requireStreamTable, rows, run, transaction } from './tables.ts';

/** The protocol of a load, step by step; warehouse.ts puts the steps together. */

export interface BatchWork {
  readonly place: Place;
  readonly stream: Stream;
  readonly batch: Batch;
  /** Name of the load's own staging table. */
  readonly staging: string;
  readonly watermark: Micros | null;
  readonly quarantined: readonly QuarantinedPlace[];
  readonly now: Micros;
}

/** @returns what the ledger says of the batch, or null where the table does not hold it. */
export async function ledgerOutcome(
  session: SnowflakeSession,
  place: Place,
  batch: Batch,
  outcome: LoadOutcome['outcome'],
): Promise<LoadOutcome | null> {
  const [row] = await rows(session, sql.readLedgerEntry(place, batch.stream, batch.id));
  if (!row) return null;
  return { outcome, ...countsOf(row), queryId: row['QUERY_ID'] ?? '' };
}

const countsOf = (row: SnowflakeRow): MergeCounts => ({
  inserted: Number(row['INSERTED']),
  updated: Number(row['UPDATED']),
  unchanged: Number(row['UNCHANGED']),
});

/** A token moves by so much at most. */
const LONGEST_STEP = 2 ** 20;

/**
 * In a transaction of its own: from here on, whoever took the fence before can commit no more. Steps are random: of two loaders, one whose
 * transaction was ended from outside would else believe that it has the token which the other has. @param random in [0, 1). @returns the token.
 */
export function takeFence(
  session: SnowflakeSession,
  { place, stream: { name }, now }: Pick<BatchWork, 'place' | 'stream' | 'now'>,
  random: () => number,
): Promise<number> {
  return transaction(session, async () => {
    await run(session, sql.takeFence(place, name, 1 + Math.floor(random() * LONGEST_STEP), now));
    const [row] = await rows(session, sql.readFence(place, name));
    // Outside of the transaction it would be the token of whoever has come since.
    if ((row?.['ID'] ?? null) === null) throw endedFromOutside();
    return Number(row?.['TOKEN']);
  });
}

/** Copies the batch's files into its staging table and checks them. @returns its parts. @throws CORRUPT where they are not what it says. */
export async function stage(session: SnowflakeSession, work: BatchWork): Promise<readonly Stratum[]> {
  const { place, stream, batch, staging } = work;
  if (batch.files.length === 0) return [];
  await session.run(createStaging(place, stream, batch, staging));
  const loaded = new Map<string, number>();
  for (const statement of copyFiles(place, stream, batch, staging))
    for (const row of await copied(session, batch, statement)) loaded.set(row['file'] ?? '', Number(row['rows_loaded']));
  checkFiles(batch, loaded);
  await checkRows(session, work);
  return strataOf(await session.rows(strataSql(work)), stream);
}

async function copied(session: SnowflakeSession, batch: Batch, statement: string): Promise<readonly SnowflakeRow[]> {
  try {
    return (await session.rows(statement)).filter((row) => row['file'] !== undefined);
  } catch (cause) {
    // What may pass by itself, and what a grant mends, says nothing of the files.
    if (session.isLost || !isTidemarkError(cause, 'WAREHOUSE') || cause.transient || isRefused(cause) || isWithoutWarehouse(cause))
      throw cause;
    throw corrupt(batch, `its files cannot be loaded: ${cause.message}`, cause);
  }
}

/** Snowflake names a file by its key, or by the stage's whole path. */
function checkFiles(batch: Batch, loaded: ReadonlyMap<string, number>): void {
  const found = [...loaded];
  const keys = new Set(batch.files.map(({ key }) => key));
  if (keys.size < batch.files.length) throw corrupt(batch, `it lists ${batch.files.length} files, of which ${keys.size} are different`);
  for (const { key, rows: expected } of batch.files) {
    const count = loaded.get(key) ?? found.find(([name]) => name.endsWith(`/${key}`))?.[1] ?? 0;
    if (count !== expected) throw corrupt(batch, `${key} has ${count} rows where ${expected} are listed`);
  }
}

async function checkRows(session: SnowflakeSession, { place, stream, batch, staging }: BatchWork): Promise<void> {
  const [row = {}] = await rows(session, inspectStaging(place, stream, batch, staging));
  const count = (name: string): number => Number(row[name]);
  const [total, distinct] = [count('ROW_COUNT'), count('DISTINCT_KEYS')];
  if (total !== batch.counts.rows) throw corrupt(batch, `its files have ${total} rows where it counts ${batch.counts.rows}`);
  if (total !== distinct) throw corrupt(batch, `it holds ${total} rows with ${distinct} keys`);
  if (count('VOID_ROWS') !== 0) throw corrupt(batch, 'it holds rows without a key, a version or a content hash');
  if (count('FOREIGN_ROWS') !== 0) throw corrupt(batch, 'it holds rows of another batch');
}

function corrupt(batch: Batch, what: string, cause?: unknown): TidemarkError {
  return new TidemarkError({
    code: 'CORRUPT',
    message: `Batch ${batch.id} of ${batch.stream}: ${what}`,
    hint: 'The table was not changed. Where the files still are not what the batch says, normalize the window again.',
    data: { batch: batch.id, stream: batch.stream },
    cause,
  });
}

/**
 * The one transaction of a load: merge, ledger, audit and watermark, or nothing.
 * @throws FENCED where the fence is not at `token` any more; UnknownOutcome where it cannot be told what became of it.
 */
export async function commitBatch(
  session: SnowflakeSession,
  work: BatchWork,
  strata: readonly Stratum[],
  token: number,
): Promise<LoadOutcome> {
  let committing = false;
  try {
    const outcome = await transaction(
      session,
      () => mergeBatch(session, work, strata, token),
      () => (committing = true),
    );
    // A COMMIT without a transaction is no error; and then another loader may have loaded the batch.
    const entry = await ledgerOutcome(session, work.place, work.batch, 'already');
    if (!entry) throw endedFromOutside();
    return entry.queryId === outcome.queryId ? outcome : entry;
  } catch (error) {
    if (committing || session.isLost) throw new UnknownOutcome('a load was not answered', { cause: error });
    throw error;
  }
}

async function mergeBatch(session: SnowflakeSession, work: BatchWork, strata: readonly Stratum[], token: number): Promise<LoadOutcome> {
  const { place, stream, batch, watermark, quarantined, now } = work;
  await holdFence(session, place, stream.name, token);
  // Only now: whoever was held up since the fence was taken may find the table altered by another.
  const { layout } = await requireStreamTable(session, place, stream);
  assertTakes(stream, batch, layout);
  const transactionId = await currentTransaction(session);
  const counts = await merge(session, work, { layout, transaction: transactionId }, strata);
  const queryId = session.queryId ?? '';
  const entry = sql.insertLedgerEntry(place, batch, { counts, queryId, transaction: transactionId, now });
  if ((await run(session, entry)).inserted !== 1) throw endedFromOutside();
  if (batch.transform) await run(session, sql.insertTransform(place, batch, transactionId));
  const made = batch.transform ? { transform: batch.transform } : {};
  const parts = strata.map(({ name, rows: count }) => ({ name, rows: count }));
  const detail = { batch: batch.id, origin: batch.origin, ...made, ...counts, watermark, token, strata: parts };
  await run(session, sql.insertAudit(place, stream.name, 'load', queryId, detail, now, transactionId));
  await run(session, sql.insertMetrics(place, batch, figuresOf(batch, counts, strata), now, transactionId));
  for (const statement of sql.insertQuarantine(place, batch, quarantined, now, transactionId)) await run(session, statement);
  if (watermark !== null) await run(session, sql.moveWatermark(place, stream.name, watermark, now, transactionId));
  return { outcome: 'loaded', ...counts, queryId };
}

async function holdFence(session: SnowflakeSession, place: Place, stream: string, token: number): Promise<void> {
  const { updated } = await run(session, sql.holdFence(place, stream, token));
  if (updated === 1) return;
  throw new TidemarkError({
    code: 'FENCED',
    message: `Another loader has taken over ${stream}: token ${token} is not the last one any more`,
    hint: 'Nothing was changed. The other loader goes on; this one must stop.',
  });
}

/** Fresh rows first; each part says itself how many rows it changed. */
async function merge(
  session: SnowflakeSession,
  work: BatchWork,
  into: { readonly layout: Layout; readonly transaction: string },
  strata: readonly Stratum[],
): Promise<MergeCounts> {
  let [inserted, updated] = [0, 0];
  for (const stratum of strata) {
    const changed = await session.run(mergeSql({ ...work, ...into }, stratum));
    inserted += changed.inserted;
    updated += changed.updated;
  }
  return { inserted, updated, unchanged: work.batch.counts.rows - inserted - updated };
}

function figuresOf(batch: Batch, counts: MergeCounts, strata: readonly Stratum[]): Readonly<Record<string, number>> {
  const { inserted, updated, unchanged } = counts;
  return {
    observations: batch.counts.observations,
    quarantined_records: batch.counts.quarantined,
    inserted_rows: inserted,
    updated_rows: updated,
    unchanged_rows: unchanged,
    staged_files: batch.files.length,
    staged_bytes: batch.files.reduce((sum, { bytes }) => sum + bytes, 0),
    ...Object.fromEntries(strata.map(({ name, rows: count }) => [`${name}_rows`, count])),
  };
}

/**
 * After a load without an answer, in a new session. Taking the fence first makes sure that the lost transaction cannot still come: it waits
 * until that one has ended.
 * @throws what was said, where the table does not hold the batch.
 */
export async function settle(
  session: SnowflakeSession,
  work: BatchWork,
  unknown: UnknownOutcome,
  random: () => number,
): Promise<LoadOutcome> {
  await takeFence(session, work, random);
  const outcome = await ledgerOutcome(session, work.place, work.batch, 'loaded');
  if (outcome) return outcome;
  throw unknown.cause;
}
