import type { Batch } from '../../manifest/documents.ts';
import { LINEAGE } from '../../schema/types.ts';
import { identifier } from '../../sql.ts';
import type { Stream } from '../../stream.ts';
import { keyNames, versionNames } from '../curated.ts';
import { stagedColumns, stagedSql } from './columns.ts';
import { FILE_FORMAT, objectSql } from './migrations/names.ts';
import { columnSql, informationSql, instantSql, type Place, stageSql, stagingPrefix, stagingSchema, stagingSql, textSql } from './names.ts';
import type { Statement } from './statements.ts';

/** From the batch's files in the bucket into a staging table of its own. */

/** Files that one COPY takes by name. */
const COPY_FILES = 1000;

/** OR REPLACE, so that a statement that is sent twice makes one table. */
export function createStaging(place: Place, stream: Stream, batch: Batch, name: string): string {
  const columns = stagedColumns(stream, batch.schema).map((column) => `${stagedSql(column)} ${column.type}`);
  return `CREATE OR REPLACE TRANSIENT TABLE ${stagingSql(place, name)} (${columns.join(', ')})`;
}

export const dropStaging = (place: Place, name: string): string => `DROP TABLE IF EXISTS ${stagingSql(place, name)}`;

/** Staging tables of the stream that are older than any load may last. */
export const findLeftovers = (place: Place, stream: string, before: number): Statement => ({
  sql: `SELECT "TABLE_NAME" FROM ${informationSql(place, 'TABLES')}
WHERE "TABLE_SCHEMA" = ? AND STARTSWITH("TABLE_NAME", ?) AND "CREATED" < ${instantSql(before)}`,
  binds: [stagingSchema(place), stagingPrefix(stream)],
});

/**
 * The files by name, as many to a statement as Snowflake takes. FORCE, since the ledger alone says what is loaded: what COPY remembers of
 * files is forgotten after 64 days.
 */
export function copyFiles(place: Place, stream: Stream, batch: Batch, name: string): readonly string[] {
  const columns = stagedColumns(stream, batch.schema);
  const values = columns.map(({ field, type }) => `$1:${identifier(field)}::${type}`);
  const keys = [...new Set(batch.files.map(({ key }) => key))];
  const parts = Array.from({ length: Math.ceil(keys.length / COPY_FILES) }, (_, part) =>
    keys.slice(part * COPY_FILES, (part + 1) * COPY_FILES),
  );
  return parts.map(
    (files) => `COPY INTO ${stagingSql(place, name)} (${columns.map(stagedSql).join(', ')})
FROM (SELECT ${values.join(', ')} FROM ${stageSql(place)})
FILES = (${files.map(textSql).join(', ')})
FILE_FORMAT = (FORMAT_NAME = ${textSql(objectSql(place, FILE_FORMAT))}) FORCE = TRUE ON_ERROR = ABORT_STATEMENT`,
  );
}

/** One row: rows, distinct keys, rows of another batch, rows without a key, a version or a content hash. */
export function inspectStaging(place: Place, stream: Stream, batch: Batch, name: string): Statement {
  const needed = [...keyNames(stream), ...versionNames(stream), LINEAGE.contentHash].map((field) => `${columnSql(field)} IS NULL`);
  return {
    sql: `SELECT COALESCE(SUM("N"), 0) AS "ROW_COUNT", COUNT(*) AS "DISTINCT_KEYS", COALESCE(SUM("FOREIGN"), 0) AS "FOREIGN_ROWS", COALESCE(SUM("VOID"), 0) AS "VOID_ROWS"
FROM (SELECT COUNT(*) AS "N", COUNT_IF(${columnSql(LINEAGE.batch)} IS DISTINCT FROM ?) AS "FOREIGN", COUNT_IF(${needed.join(' OR ')}) AS "VOID"
FROM ${stagingSql(place, name)} GROUP BY ${keyNames(stream).map(columnSql).join(', ')})`,
    binds: [batch.id],
  };
}
