import { identifier } from '../../../sql.ts';
import { MIGRATIONS_TABLE, type MigrationContext, objectSql, textSql } from './names.ts';

/**
 * Tidemark's own tables: the columns of schema `tidemark` of the DuckDB warehouse, and their meaning. The fence is a table a stream, which
 * the loader makes: an UPDATE locks a table as a whole until its transaction ends.
 */

interface TableDefinition {
  readonly name: string;
  readonly comment: string;
  readonly columns: readonly (readonly [name: string, type: string, comment: string])[];
}

const TEXT = 'VARCHAR NOT NULL';
const COUNT = 'NUMBER(38,0) NOT NULL';
const TIME = 'TIMESTAMP_LTZ(6) NOT NULL';

/** Time Travel for what a mistake may have changed: most that every edition allows is a day; an administrator may raise it. */
const RETENTION_DAYS = 1;

const STREAMS: TableDefinition = {
  name: 'TIDEMARK_STREAMS',
  comment: 'One row a curated table: its key and version columns, and the types of its fields',
  columns: [
    ['STREAM', TEXT, 'Name of the stream as configured'],
    ['DEFINITION', TEXT, 'Key, version and latestBy columns, as JSON'],
    ['SCHEMA', TEXT, 'Types of the fields and the physical columns that hold them, as JSON'],
    ['CHANGED_AT', TIME, 'When the table was last created or altered'],
  ],
};

const LEDGER: TableDefinition = {
  name: 'TIDEMARK_LEDGER',
  comment: 'One row a batch that its curated table holds; written in the transaction that loads it',
  columns: [
    ['ENTRY', COUNT, 'Counts the loads, in their order'],
    ['STREAM', TEXT, 'Name of the stream as configured'],
    ['BATCH', TEXT, 'Id of the batch, derived from its content'],
    ['ORIGIN', TEXT, 'What made the batch: a window, a replay, a release'],
    ['WINDOW_KIND', 'VARCHAR', 'Kind of the window that was asked for; null where the batch is of none'],
    ['WINDOW_START', 'TIMESTAMP_LTZ(6)', 'First instant of that window'],
    ['WINDOW_END', 'TIMESTAMP_LTZ(6)', 'First instant after that window'],
    ['OBSERVATIONS', COUNT, 'Landed copies of records that the batch was made from'],
    ['QUARANTINED', COUNT, 'Of them, those that may not enter'],
    ['DISTINCT_KEYS', COUNT, 'Distinct keys among them'],
    ['ROW_COUNT', COUNT, 'Rows of the files of the batch'],
    ['MIN_TIME', 'TIMESTAMP_LTZ(6)', 'Least version time of the batch'],
    ['MAX_TIME', 'TIMESTAMP_LTZ(6)', 'Greatest version time of the batch'],
    ['INSERTED', COUNT, 'Rows of keys that the table did not have'],
    ['UPDATED', COUNT, 'Rows that were greater than what the table had'],
    ['UNCHANGED', COUNT, 'Rows that lost against what the table had'],
    ['QUERY_ID', TEXT, 'Id of the last MERGE of the load, as in QUERY_HISTORY'],
    ['LOADED_AT', TIME, 'When it was loaded'],
  ],
};

const AUDIT: TableDefinition = {
  name: 'TIDEMARK_AUDIT',
  comment: 'Every change that Tidemark made, in order of time',
  columns: [
    ['HAPPENED_AT', TIME, 'When it was made'],
    ['STREAM', TEXT, 'Name of the stream as configured'],
    ['ACTION', TEXT, 'What was done: load, migrate, advance'],
    ['QUERY_ID', 'VARCHAR', 'Id of the statement, as in QUERY_HISTORY'],
    ['DETAIL', TEXT, 'Particulars, as JSON; no values of records'],
  ],
};

const WATERMARK: TableDefinition = {
  name: 'TIDEMARK_WATERMARK',
  comment: 'One row a stream: the time up to which its curated table is complete; it never moves back',
  columns: [
    ['STREAM', TEXT, 'Name of the stream as configured'],
    ['WATERMARK', TIME, 'Everything before this time is loaded'],
    ['MOVED_AT', TIME, 'When it last moved'],
  ],
};

const TRANSFORMS: TableDefinition = {
  name: 'TIDEMARK_TRANSFORMS',
  comment: 'One row a batch of the ledger: the version of the transform that made it, which is 0 for none',
  columns: [
    ['STREAM', TEXT, 'Name of the stream as configured'],
    ['BATCH', TEXT, 'Id of the batch'],
    ['TRANSFORM', COUNT, 'Version of the transform'],
  ],
};

const QUARANTINE: TableDefinition = {
  name: 'TIDEMARK_QUARANTINE',
  comment: 'One row a record of a loaded batch that may not enter the table, 10,000 of a batch at most; its bytes are in the store alone',
  columns: [
    ['STREAM', TEXT, 'Name of the stream as configured'],
    ['BATCH', TEXT, 'Batch that the record would have come with'],
    ['PAGE', TEXT, 'Stored page that holds the record'],
    ['POSITION', COUNT, 'Zero-based position of the record in that page'],
    ['RULE', TEXT, 'The rule or contract that it broke'],
    ['CONTENT_HASH', 'VARCHAR', "First 128 bits of SHA-256 over the record's bytes as landed, in hex"],
    ['NOTED_AT', TIME, 'When the batch was loaded'],
  ],
};

const METRICS: TableDefinition = {
  name: 'TIDEMARK_METRICS',
  comment: 'What each load measured, one row a figure',
  columns: [
    ['STREAM', TEXT, 'Name of the stream as configured'],
    ['BATCH', 'VARCHAR', 'Batch that was loaded; null for a figure of the stream'],
    ['MEASURED_AT', TIME, 'When it was measured'],
    ['NAME', TEXT, 'What was measured, with its unit last: merge_ms, staged_rows'],
    ['VALUE', 'FLOAT NOT NULL', 'The figure'],
  ],
};

const MIGRATIONS: TableDefinition = {
  name: MIGRATIONS_TABLE,
  comment: 'One row a migration of these tables that was applied',
  columns: [
    ['VERSION', COUNT, 'Version of the migration; 0 is the row that migrations lock'],
    ['NAME', TEXT, 'What it is called'],
    ['CHECKSUM', TEXT, 'SHA-256 over its statements for names that are the same everywhere'],
    ['APPLIED_AT', TIME, 'When it was applied'],
    ['APPLIED_BY', TEXT, 'User and role that applied it'],
  ],
};

/** In the order of their creation, without the table of migrations: that one is there before any. */
export const TABLES: readonly TableDefinition[] = [STREAMS, LEDGER, AUDIT, WATERMARK, TRANSFORMS, QUARANTINE, METRICS];

export function createTable(context: MigrationContext, { name, comment, columns }: TableDefinition): string {
  const lines = columns.map(([column, type, about]) => `  ${identifier(column)} ${type} COMMENT ${textSql(about)}`);
  return `CREATE TABLE IF NOT EXISTS ${objectSql(context, name)} (
${lines.join(',\n')}
) DATA_RETENTION_TIME_IN_DAYS = ${RETENTION_DAYS} COMMENT = ${textSql(comment)}`;
}

export const createMigrationsTable = (context: MigrationContext): string => createTable(context, MIGRATIONS);
