import type { Micros } from '../../clock.ts';
import { assert } from '../../errors.ts';
import type { Batch } from '../../manifest/documents.ts';
import type { ColumnType } from '../../schema/types.ts';
import { identifier } from '../../sql.ts';
import type { Stream } from '../../stream.ts';
import { DAY, formatInstant, type TimeForm } from '../../time.ts';
import { keyNames, versionNames } from '../curated.ts';
import { CLUSTER_DATE, columnSql, daySql, type Place, stagingSql, textSql } from './names.ts';
import type { SnowflakeRow } from './session.ts';

/**
 * A batch is merged in up to three parts by the date that the table is clustered by, each with literal bounds, so that Snowflake can leave
 * out what no row of the part can be in. Most rows are fresh; the few that are old must not widen the bounds of all others.
 */

export const STRATA = ['fresh', 'late', 'wide'] as const;

/** Days back from the batch's latest that a stratum begins at: fresh is the last two days, late the last thirty. */
const FRESH_DAYS = 2;
const LATE_DAYS = 30;

export interface Stratum {
  readonly name: (typeof STRATA)[number];
  readonly rows: number;
  /** By key column, both ends included, by UTF-8 bytes. */
  readonly keys: readonly { readonly low: string; readonly high: string }[];
  /** Of its rows' own dates, as 2026-11-20, both ends included. */
  readonly days: { readonly first: string; readonly last: string };
}

/** A batch in its staging table. */
export interface Staged {
  readonly place: Place;
  readonly stream: Stream;
  readonly batch: Pick<Batch, 'schema' | 'maxTime'>;
  /** Name of the staging table. */
  readonly staging: string;
}

const dayOf = (micros: Micros): string => formatInstant(micros).slice(0, 10);

/** First day of each stratum but the last, which has what is older. */
export function firstDays({ maxTime }: Pick<Batch, 'maxTime'>): { readonly fresh: string; readonly late: string } {
  const latest = maxTime ?? 0;
  return { fresh: dayOf(latest - (FRESH_DAYS - 1) * DAY), late: dayOf(latest - (LATE_DAYS - 1) * DAY) };
}

/** The date by which a staged row is clustered, if its key is new to the table. @param of what its columns' names begin with. */
export function clusterDateSql({ stream, batch }: Pick<Staged, 'stream' | 'batch'>, of = ''): string {
  if (!stream.clusterBy) return `${of}${columnSql(versionNames(stream)[0] ?? '')}::DATE`;
  const field = batch.schema.fields.find(({ name }) => name === stream.clusterBy);
  const isKey = keyNames(stream).includes(stream.clusterBy);
  // Where no record of the batch has it: one date for all of them, so that the date is still a function of the record.
  if (!field && !isKey) return daySql(NO_DAY);
  const value = `${of}${columnSql(stream.clusterBy)}`;
  return `COALESCE(${instantOf(value, field?.type ?? { kind: 'text' }, stream.version[0].form)}::DATE, ${daySql(NO_DAY)})`;
}

/** Of rows whose time is not there, or cannot be read. */
const NO_DAY = '1970-01-01';

/**
 * What a row of the table must be, if it has the key of a row of the stratum. The key's own bounds follow from the join. Those of the date hold
 * where it follows from the record alone, and for rows of the table that had no such time by then.
 */
export function boundsSql(stream: Stream, { keys, days }: Stratum, table: string): readonly string[] {
  const ends = keyNames(stream).map((name, index) => {
    const { low = '', high = '' } = keys[index] ?? {};
    return `${table}.${columnSql(name)} BETWEEN ${textSql(low)} AND ${textSql(high)}`;
  });
  if (!stream.clusterBy || days.first <= NO_DAY) return ends;
  const date = `${table}.${identifier(CLUSTER_DATE)}`;
  return [...ends, `(${date} BETWEEN ${daySql(days.first)} AND ${daySql(days.last)} OR ${date} = ${daySql(NO_DAY)})`];
}

const SCALES: Readonly<Record<Exclude<TimeForm, 'iso'>, number>> = { 'epoch-s': 0, 'epoch-ms': 3, 'epoch-us': 6 };
/** Seconds beyond which no number is taken for a time: Snowflake would refuse the statement. */
const MOST_SECONDS = 100_000_000_000;

function instantOf(value: string, { kind }: ColumnType, form: TimeForm): string {
  // A JSON text stands in quotes, once the field has had other values.
  const written = kind === 'json' ? `TRIM(${value}, '"')` : `${value}::VARCHAR`;
  if (form === 'iso') return `TRY_TO_TIMESTAMP_LTZ(${written})`;
  const whole = `TRY_TO_NUMBER(${written}, 38, 0)`;
  const scale = SCALES[form];
  return `CASE WHEN ABS(${whole}) < ${MOST_SECONDS * 10 ** scale} THEN TO_TIMESTAMP_LTZ(${whole}, ${scale}) END`;
}

/** A row a stratum that has rows. */
export function strataSql({ place, stream, batch, staging }: Staged): string {
  const keys = keyNames(stream).map((name, index) => `${columnSql(name)} AS "K${index}"`);
  const { fresh, late } = firstDays(batch);
  const ends = keys.map((_, index) => `MIN("K${index}") AS "L${index}", MAX("K${index}") AS "H${index}"`);
  const stratum = `CASE WHEN "DAY" >= ${daySql(fresh)} THEN 'fresh' WHEN "DAY" >= ${daySql(late)} THEN 'late' ELSE 'wide' END`;
  return `SELECT "STRATUM", COUNT(*) AS "N", ${ends.join(', ')}, TO_VARCHAR(MIN("DAY"), 'YYYY-MM-DD') AS "FIRST_DAY", TO_VARCHAR(MAX("DAY"), 'YYYY-MM-DD') AS "LAST_DAY"
FROM (SELECT *, ${stratum} AS "STRATUM"
FROM (SELECT ${keys.join(', ')}, ${clusterDateSql({ stream, batch })} AS "DAY" FROM ${stagingSql(place, staging)}))
GROUP BY "STRATUM"`;
}

/** @param rows of `strataSql`. @returns fresh first. */
export function strataOf(rows: readonly SnowflakeRow[], stream: Stream): readonly Stratum[] {
  return STRATA.flatMap((name) => {
    const row = rows.find((candidate) => candidate['STRATUM'] === name);
    return row ? [stratumOf(name, row, stream)] : [];
  });
}

function stratumOf(name: Stratum['name'], row: SnowflakeRow, stream: Stream): Stratum {
  const text = (column: string): string => {
    const value = row[column];
    assert(typeof value === 'string', `a stratum without ${column}`);
    return value;
  };
  return {
    name,
    rows: Number(text('N')),
    keys: stream.key.map((_, index) => ({ low: text(`L${index}`), high: text(`H${index}`) })),
    days: { first: text('FIRST_DAY'), last: text('LAST_DAY') },
  };
}

/** Which staged rows are of the stratum. */
export function rowsOfStratum(staged: Pick<Staged, 'stream' | 'batch'>, { name }: Pick<Stratum, 'name'>, of: string): string {
  const day = clusterDateSql(staged, of);
  const { fresh, late } = firstDays(staged.batch);
  if (name === 'fresh') return `${day} >= ${daySql(fresh)}`;
  return name === 'late' ? `${day} >= ${daySql(late)} AND ${day} < ${daySql(fresh)}` : `${day} < ${daySql(late)}`;
}
