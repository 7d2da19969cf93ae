import type { Micros } from '../clock.ts';
import type { Batch } from '../manifest/documents.ts';
import { literal } from '../sql.ts';

/** The statements on Tidemark's own tables, schema `tidemark` of the warehouse. The curated tables' are in curated.ts and merge.ts. */

/** Counts the layouts of schema `tidemark`; a file with another one is refused. */
export const LAYOUT = 1;

export const instantSql = (micros: Micros | null): string =>
  micros === null ? 'CAST(NULL AS TIMESTAMPTZ)' : `make_timestamptz(${micros})`;
const textSql = (text: string | null): string => (text === null ? 'CAST(NULL AS VARCHAR)' : literal(text));

export const hasLayout = (): string => `SELECT 1 AS found FROM duckdb_schemas() WHERE schema_name = 'tidemark'`;

export const readLayout = (): string => `SELECT value FROM tidemark.meta WHERE name = 'layout'`;

/** Without primary keys on what grows: DuckDB checks them against rows that the same transaction has removed. One writer keeps them unique. */
export const createLayout = (): string => `
CREATE SCHEMA tidemark;
CREATE TABLE tidemark.meta (name VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);
COMMENT ON TABLE tidemark.meta IS 'Facts about these tables; layout is the version of their structure';
INSERT INTO tidemark.meta VALUES ('layout', '${LAYOUT}');
CREATE TABLE tidemark.streams (stream VARCHAR NOT NULL, definition VARCHAR NOT NULL, schema VARCHAR NOT NULL, changed_at TIMESTAMPTZ NOT NULL);
COMMENT ON TABLE tidemark.streams IS 'One row a curated table: its key and version columns, and the types of its fields, as JSON';
CREATE TABLE tidemark.fence (stream VARCHAR NOT NULL, token BIGINT NOT NULL, taken_at TIMESTAMPTZ NOT NULL);
COMMENT ON TABLE tidemark.fence IS 'One row a stream: a loader takes the next token, and commits only while it is still the last one taken';
CREATE TABLE tidemark.ledger (
  entry BIGINT NOT NULL, stream VARCHAR NOT NULL, batch VARCHAR NOT NULL, origin VARCHAR NOT NULL,
  window_kind VARCHAR, window_start TIMESTAMPTZ, window_end TIMESTAMPTZ,
  observations BIGINT NOT NULL, quarantined BIGINT NOT NULL, distinct_keys BIGINT NOT NULL, row_count BIGINT NOT NULL,
  min_time TIMESTAMPTZ, max_time TIMESTAMPTZ,
  inserted BIGINT NOT NULL, updated BIGINT NOT NULL, unchanged BIGINT NOT NULL, query_id VARCHAR NOT NULL, loaded_at TIMESTAMPTZ NOT NULL);
COMMENT ON TABLE tidemark.ledger IS 'One row a batch that its curated table holds; written in the transaction that loads it';
CREATE TABLE tidemark.audit (happened_at TIMESTAMPTZ NOT NULL, stream VARCHAR NOT NULL, action VARCHAR NOT NULL, query_id VARCHAR, detail VARCHAR NOT NULL);
COMMENT ON TABLE tidemark.audit IS 'Every change that Tidemark made, in order of time; detail is JSON';
CREATE TABLE tidemark.watermark (stream VARCHAR NOT NULL, watermark TIMESTAMPTZ NOT NULL, moved_at TIMESTAMPTZ NOT NULL);
COMMENT ON TABLE tidemark.watermark IS 'One row a stream: the time up to which its curated table is complete; it never moves back'`;

/** Younger than the layout: warehouses that were made before have it from the next migration on. */
export const createTransforms = (): string => `
CREATE TABLE IF NOT EXISTS tidemark.transforms (stream VARCHAR NOT NULL, batch VARCHAR NOT NULL, transform INTEGER NOT NULL);
COMMENT ON TABLE tidemark.transforms IS 'One row a batch of the ledger that a transform made: its version, which is 0 for all others'`;

export const hasTransforms = (): string =>
  `SELECT 1 AS found FROM duckdb_tables() WHERE schema_name = 'tidemark' AND table_name = 'transforms'`;

export const insertTransform = (batch: Batch): string =>
  `INSERT INTO tidemark.transforms VALUES (${literal(batch.stream)}, ${literal(batch.id)}, ${batch.transform ?? 0})`;

export const readStream = (stream: string): string => `SELECT definition, schema FROM tidemark.streams WHERE stream = ${literal(stream)}`;

export const insertStream = (stream: string, definition: string, schema: string, now: Micros): string => `
INSERT INTO tidemark.streams VALUES (${literal(stream)}, ${literal(definition)}, ${literal(schema)}, ${instantSql(now)});
INSERT INTO tidemark.fence VALUES (${literal(stream)}, 0, ${instantSql(now)})`;

export const updateStream = (stream: string, definition: string, schema: string, now: Micros): string => `
UPDATE tidemark.streams SET definition = ${literal(definition)}, schema = ${literal(schema)}, changed_at = ${instantSql(now)}
WHERE stream = ${literal(stream)}`;

export const takeFence = (stream: string, now: Micros): string => `
UPDATE tidemark.fence SET token = token + 1, taken_at = ${instantSql(now)} WHERE stream = ${literal(stream)} RETURNING token`;

/** Changes the row, though not its token: a loader that takes the fence meanwhile conflicts with this transaction. */
export const holdFence = (stream: string, token: number): string => `
UPDATE tidemark.fence SET token = token WHERE stream = ${literal(stream)} AND token = ${token} RETURNING token`;

export const readLedger = (stream: string): string => `
SELECT batch, origin, window_kind, window_start, window_end, row_count, inserted, updated, distinct_keys, min_time, max_time, loaded_at
FROM tidemark.ledger WHERE stream = ${literal(stream)} ORDER BY entry`;

export const readLedgerEntry = (stream: string, batch: string): string => `
SELECT inserted, updated, unchanged, query_id FROM tidemark.ledger WHERE stream = ${literal(stream)} AND batch = ${literal(batch)}`;

export interface MergeCounts {
  readonly inserted: number;
  readonly updated: number;
  readonly unchanged: number;
}

export function insertLedgerEntry(batch: Batch, counts: MergeCounts, queryId: string, now: Micros): string {
  const { window } = batch;
  const columns = [
    '(SELECT coalesce(max(entry), 0) + 1 FROM tidemark.ledger)',
    ...[batch.stream, batch.id, batch.origin, window?.kind ?? null].map(textSql),
    ...[window?.start ?? null, window?.end ?? null].map(instantSql),
    batch.counts.observations,
    batch.counts.quarantined,
    batch.counts.distinct,
    batch.counts.rows,
    ...[batch.minTime, batch.maxTime].map(instantSql),
    counts.inserted,
    counts.updated,
    counts.unchanged,
    textSql(queryId),
    instantSql(now),
  ];
  return `INSERT INTO tidemark.ledger VALUES (${columns.join(', ')})`;
}

export const insertAudit = (stream: string, action: string, queryId: string | null, detail: unknown, now: Micros): string => `
INSERT INTO tidemark.audit VALUES (${instantSql(now)}, ${literal(stream)}, ${literal(action)}, ${textSql(queryId)}, ${literal(JSON.stringify(detail))})`;

export const readWatermark = (stream: string): string => `SELECT watermark FROM tidemark.watermark WHERE stream = ${literal(stream)}`;

/** Two statements in one transaction: the first time there is no row to move, and it never moves back. */
export const moveWatermark = (stream: string, watermark: Micros, now: Micros): string => `
UPDATE tidemark.watermark SET watermark = ${instantSql(watermark)}, moved_at = ${instantSql(now)}
WHERE stream = ${literal(stream)} AND watermark < ${instantSql(watermark)};
INSERT INTO tidemark.watermark SELECT ${literal(stream)}, ${instantSql(watermark)}, ${instantSql(now)}
WHERE NOT EXISTS (SELECT 1 FROM tidemark.watermark WHERE stream = ${literal(stream)})`;
