import type { Micros } from '../../clock.ts';
import type { Batch } from '../../manifest/documents.ts';
import type { MergeCounts } from '../statements.ts';
import type { QuarantinedPlace } from '../warehouse.ts';
import { fenceSql, instantSql, type Place, table, textSql } from './names.ts';

/** The statements on Tidemark's own tables in Snowflake, one statement each. Texts are bound; numbers and times stand in the statement. */

/** A statement and what its `?` stand for. */
export interface Statement {
  readonly sql: string;
  readonly binds: readonly (string | null)[];
}

export const BEGIN = 'BEGIN';
export const COMMIT = 'COMMIT';
export const ROLLBACK = 'ROLLBACK';

const statement = (sql: string, ...binds: (string | null)[]): Statement => ({ sql, binds });
const epoch = (name: string): string => `DATE_PART(EPOCH_MICROSECOND, "${name}") AS "${name}"`;

export const readStream = (place: Place, stream: string): Statement =>
  statement(`SELECT "DEFINITION", "SCHEMA" FROM ${table(place, 'STREAMS')} WHERE "STREAM" = ?`, stream);

/** A MERGE locks the table: of two that come at once, the second finds the row of the first. Only within the transaction, as whatever follows. */
export const insertStream = (
  place: Place,
  stream: string,
  { definition, schema }: StreamRow,
  now: Micros,
  transaction: string,
): Statement =>
  statement(
    `MERGE INTO ${table(place, 'STREAMS')} AS t
USING (SELECT ? AS "STREAM", ? AS "DEFINITION", ? AS "SCHEMA", ${instantSql(now)} AS "CHANGED_AT"${onlyWithin(transaction)}) AS s ON t."STREAM" = s."STREAM"
WHEN NOT MATCHED THEN INSERT ("STREAM", "DEFINITION", "SCHEMA", "CHANGED_AT") VALUES (s."STREAM", s."DEFINITION", s."SCHEMA", s."CHANGED_AT")`,
    stream,
    definition,
    schema,
  );

export interface StreamRow {
  readonly definition: string;
  readonly schema: string;
}

/** Changes nothing where another one has changed it since it was read. */
export const updateStream = (
  place: Place,
  stream: string,
  before: StreamRow,
  after: StreamRow,
  now: Micros,
  transaction: string,
): Statement =>
  statement(
    `UPDATE ${table(place, 'STREAMS')} SET "DEFINITION" = ?, "SCHEMA" = ?, "CHANGED_AT" = ${instantSql(now)}
WHERE "STREAM" = ? AND "DEFINITION" = ? AND "SCHEMA" = ? AND ${withinSql(transaction)}`,
    after.definition,
    after.schema,
    stream,
    before.definition,
    before.schema,
  );

export const createFence = (place: Place, stream: string): string =>
  `CREATE TABLE IF NOT EXISTS ${fenceSql(place, stream)} (
"STREAM" VARCHAR NOT NULL COMMENT 'Name of the stream as configured',
"TOKEN" NUMBER(38,0) NOT NULL COMMENT 'The last token that was taken; it only rises',
"TAKEN_AT" TIMESTAMP_LTZ(6) NOT NULL COMMENT 'When it was taken'
) COMMENT = ${textSql(`One row: a loader of ${stream} takes the next token, and commits only while it is still the last one taken`)}`;

/** NULL outside of a transaction. */
export const readTransaction = (): Statement => statement('SELECT CURRENT_TRANSACTION() AS "ID"');

/**
 * Holds in that transaction alone. One that stood idle for five minutes while another waited for its lock is rolled back by the service
 * (https://docs.snowflake.com/en/sql-reference/transactions, "Aborting transactions"), and so is one that an administrator ends: what its
 * session sends after that might be committed by itself.
 */
export const withinSql = (transaction: string): string => `CURRENT_TRANSACTION() = ${textSql(transaction)}`;

/** Of a SELECT without a table: one row within the transaction, none outside of it; always one where none is named. */
const onlyWithin = (transaction: string | null): string => (transaction === null ? '' : ` WHERE ${withinSql(transaction)}`);

export const insertFence = (place: Place, stream: string, now: Micros): Statement =>
  statement(
    `MERGE INTO ${fenceSql(place, stream)} AS t USING (SELECT ? AS "STREAM") AS s ON t."STREAM" = s."STREAM"
WHEN NOT MATCHED THEN INSERT ("STREAM", "TOKEN", "TAKEN_AT") VALUES (s."STREAM", 0, ${instantSql(now)})`,
    stream,
  );

/** @param step how far the token moves, at least 1. */
export const takeFence = (place: Place, stream: string, step: number, now: Micros): Statement =>
  statement(
    `UPDATE ${fenceSql(place, stream)} SET "TOKEN" = "TOKEN" + ${step}, "TAKEN_AT" = ${instantSql(now)} WHERE "STREAM" = ?`,
    stream,
  );

/** With the id of the transaction that reads it. */
export const readFence = (place: Place, stream: string): Statement =>
  statement(`SELECT "TOKEN", CURRENT_TRANSACTION() AS "ID" FROM ${fenceSql(place, stream)} WHERE "STREAM" = ?`, stream);

/** Changes the row, though not its token: whoever takes the fence meanwhile waits until this transaction has ended. */
export const holdFence = (place: Place, stream: string, token: number): Statement =>
  statement(`UPDATE ${fenceSql(place, stream)} SET "TOKEN" = "TOKEN" WHERE "STREAM" = ? AND "TOKEN" = ${token}`, stream);

const LEDGER_TIMES = ['WINDOW_START', 'WINDOW_END', 'MIN_TIME', 'MAX_TIME', 'LOADED_AT'];

export const readLedger = (place: Place, stream: string): Statement =>
  statement(
    `SELECT "BATCH", "ORIGIN", "WINDOW_KIND", "ROW_COUNT", "INSERTED", "UPDATED", "DISTINCT_KEYS", ${LEDGER_TIMES.map(epoch).join(', ')}
FROM ${table(place, 'LEDGER')} WHERE "STREAM" = ? ORDER BY "ENTRY"`,
    stream,
  );

export const readLedgerEntry = (place: Place, stream: string, batch: string): Statement =>
  statement(
    `SELECT "INSERTED", "UPDATED", "UNCHANGED", "QUERY_ID" FROM ${table(place, 'LEDGER')} WHERE "STREAM" = ? AND "BATCH" = ?`,
    stream,
    batch,
  );

/** What a load says of itself, beside its batch. */
export interface LoadFacts {
  readonly counts: MergeCounts;
  readonly queryId: string;
  readonly transaction: string;
  readonly now: Micros;
}

/** Entries are counted by stream, under its fence. Nothing is inserted outside of the transaction. */
export function insertLedgerEntry(place: Place, batch: Batch, { counts, queryId, transaction, now }: LoadFacts): Statement {
  const { window } = batch;
  const columns: readonly (readonly [name: string, sql: string, bind?: string | null])[] = [
    ['ENTRY', 'COALESCE(MAX("ENTRY"), 0) + 1'],
    ['STREAM', '?', batch.stream],
    ['BATCH', '?', batch.id],
    ['ORIGIN', '?', batch.origin],
    ['WINDOW_KIND', '?', window?.kind ?? null],
    ['WINDOW_START', instantSql(window?.start ?? null)],
    ['WINDOW_END', instantSql(window?.end ?? null)],
    ['OBSERVATIONS', String(batch.counts.observations)],
    ['QUARANTINED', String(batch.counts.quarantined)],
    ['DISTINCT_KEYS', String(batch.counts.distinct)],
    ['ROW_COUNT', String(batch.counts.rows)],
    ['MIN_TIME', instantSql(batch.minTime)],
    ['MAX_TIME', instantSql(batch.maxTime)],
    ['INSERTED', String(counts.inserted)],
    ['UPDATED', String(counts.updated)],
    ['UNCHANGED', String(counts.unchanged)],
    ['QUERY_ID', '?', queryId],
    ['LOADED_AT', instantSql(now)],
  ];
  return statement(
    `INSERT INTO ${table(place, 'LEDGER')} (${columns.map(([name]) => `"${name}"`).join(', ')})
SELECT ${columns.map(([, sql]) => sql).join(', ')} FROM ${table(place, 'LEDGER')} WHERE "STREAM" = ? HAVING ${withinSql(transaction)}`,
    ...columns.flatMap(([, , bind]) => (bind === undefined ? [] : [bind])),
    batch.stream,
  );
}

export const insertTransform = (place: Place, batch: Batch, transaction: string): Statement =>
  statement(
    `INSERT INTO ${table(place, 'TRANSFORMS')} ("STREAM", "BATCH", "TRANSFORM") SELECT ?, ?, ${batch.transform ?? 0}${onlyWithin(transaction)}`,
    batch.stream,
    batch.id,
  );

export const insertAudit = (
  place: Place,
  stream: string,
  action: string,
  queryId: string | null,
  detail: unknown,
  now: Micros,
  transaction: string | null = null,
): Statement =>
  statement(
    `INSERT INTO ${table(place, 'AUDIT')} ("HAPPENED_AT", "STREAM", "ACTION", "QUERY_ID", "DETAIL") SELECT ${instantSql(now)}, ?, ?, ?, ?${onlyWithin(transaction)}`,
    stream,
    action,
    queryId,
    JSON.stringify(detail),
  );

/** @param figures by name, with its unit last. */
export function insertMetrics(
  place: Place,
  batch: Batch,
  figures: Readonly<Record<string, number>>,
  now: Micros,
  transaction: string,
): Statement {
  const only = onlyWithin(transaction);
  const rows = Object.entries(figures).map(([name, value]) => `SELECT ?, ?, ${instantSql(now)}, ${textSql(name)}, ${value}${only}`);
  return statement(
    `INSERT INTO ${table(place, 'METRICS')} ("STREAM", "BATCH", "MEASURED_AT", "NAME", "VALUE") ${rows.join(' UNION ALL ')}`,
    ...rows.flatMap(() => [batch.stream, batch.id]),
  );
}

/** Records that one statement lists. */
const LISTED = 200;

/** A row a record, a statement for so many. */
export function insertQuarantine(
  place: Place,
  batch: Batch,
  records: readonly QuarantinedPlace[],
  now: Micros,
  transaction: string,
): readonly Statement[] {
  const parts = Array.from({ length: Math.ceil(records.length / LISTED) }, (_, part) => records.slice(part * LISTED, (part + 1) * LISTED));
  return parts.map((part) =>
    statement(
      `INSERT INTO ${table(place, 'QUARANTINE')} ("STREAM", "BATCH", "PAGE", "POSITION", "RULE", "CONTENT_HASH", "NOTED_AT") ${part
        .map(({ position }) => `SELECT ?, ?, ?, ${position}, ?, ?, ${instantSql(now)}${onlyWithin(transaction)}`)
        .join(' UNION ALL ')}`,
      ...part.flatMap(({ page, rule, contentHash }) => [batch.stream, batch.id, page, rule, contentHash]),
    ),
  );
}

export const readWatermark = (place: Place, stream: string): Statement =>
  statement(
    `SELECT DATE_PART(EPOCH_MICROSECOND, MAX("WATERMARK")) AS "WATERMARK" FROM ${table(place, 'WATERMARK')} WHERE "STREAM" = ?`,
    stream,
  );

/** In one statement, which locks the table: the first time there is no row to move, and it never moves back. */
export const moveWatermark = (place: Place, stream: string, watermark: Micros, now: Micros, transaction: string | null = null): Statement =>
  statement(
    `MERGE INTO ${table(place, 'WATERMARK')} AS t
USING (SELECT ? AS "STREAM", ${instantSql(watermark)} AS "WATERMARK", ${instantSql(now)} AS "MOVED_AT"${onlyWithin(transaction)}) AS s ON t."STREAM" = s."STREAM"
WHEN MATCHED AND t."WATERMARK" < s."WATERMARK" THEN UPDATE SET "WATERMARK" = s."WATERMARK", "MOVED_AT" = s."MOVED_AT"
WHEN NOT MATCHED THEN INSERT ("STREAM", "WATERMARK", "MOVED_AT") VALUES (s."STREAM", s."WATERMARK", s."MOVED_AT")`,
    stream,
  );
