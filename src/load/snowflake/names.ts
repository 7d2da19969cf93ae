import { identifier } from '../../sql.ts';
import { objectSql, STAGE, stagingSchemaSql, textSql } from './migrations/names.ts';

/** What things are called in Snowflake, and how names and values are written there. */

export { textSql };

/** Database and schema, as configured. */
export interface Place {
  readonly database: string;
  readonly schema: string;
}

/** Names that users may write unquoted, in any case. */
const PLAIN = /^[A-Za-z_][A-Za-z0-9_$]*$/;

/** A field, or a stream, as Snowflake calls it: `amount` is AMOUNT, so that `SELECT amount` finds it; `a.b` stays as it is. */
export const folded = (name: string): string => (PLAIN.test(name) ? name.toUpperCase() : name);

/** The column of a view that shows a field; also that of a staging table. */
export const columnSql = (field: string): string => identifier(folded(field));

/** Tidemark's own columns of the curated rows. */
export const CLUSTER_DATE = '_CLUSTER_DATE';

export const rowsName = (stream: string): string => `${folded(stream)}__ROWS`;
const fenceName = (stream: string): string => `${folded(stream)}__FENCE`;
export const viewName = (stream: string): string => folded(stream);
const latestName = (stream: string): string => `${folded(stream)}_LATEST`;

export const rowsSql = (place: Place, stream: string): string => objectSql(place, rowsName(stream));
/** A table for each stream: a statement that changes a row locks its table, so that streams would wait for one another. */
export const fenceSql = (place: Place, stream: string): string => objectSql(place, fenceName(stream));
export const viewSql = (place: Place, stream: string): string => objectSql(place, viewName(stream));
export const latestSql = (place: Place, stream: string): string => objectSql(place, latestName(stream));
export const stageSql = (place: Place): string => `@${objectSql(place, STAGE)}`;

export const stagingSchema = ({ schema }: Place): string => `${schema}_STAGING`;
/** What every staging table of a stream begins with. */
export const stagingPrefix = (stream: string): string => `${folded(stream)}__`;
/** @param attempt tells two loads of one batch apart. */
export const stagingName = (stream: string, batch: string, attempt: string): string =>
  `${stagingPrefix(stream)}${batch.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 8)}_${attempt}`;
export const stagingSql = (place: Place, name: string): string => `${stagingSchemaSql(place)}.${identifier(name)}`;

export const informationSql = ({ database }: Place, view: 'TABLES' | 'COLUMNS'): string =>
  `${identifier(database)}.INFORMATION_SCHEMA.${view}`;

export const table = (place: Place, name: 'STREAMS' | 'LEDGER' | 'AUDIT' | 'WATERMARK' | 'TRANSFORMS' | 'METRICS' | 'QUARANTINE'): string =>
  objectSql(place, `TIDEMARK_${name}`);

/** An instant as an expression; NULL where there is none. */
export const instantSql = (micros: number | null): string => (micros === null ? 'NULL' : `TO_TIMESTAMP_LTZ(${micros}, 6)`);

/** @param day as 2026-11-20. */
export const daySql = (day: string): string => `'${day}'::DATE`;
