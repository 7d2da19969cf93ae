import type { Engine } from '../../engine.ts';
import type { Batch } from '../../manifest/documents.ts';
import { identifier, literalList } from '../../sql.ts';
import type { Stream } from '../../stream.ts';
import { keyNames, versionNames } from '../curated.ts';
import { textOf } from '../values.ts';
import { EMPTY, grown } from './layout.ts';
import { mergeSql } from './merge.ts';
import { folded, type Place, stagingName } from './names.ts';
import { boundsSql, firstDays, type Stratum, strataOf } from './strata.ts';

/** What loading a batch would ask of Snowflake, found out from the batch's files alone: nobody is asked, nothing is changed. */

export interface ExplainedStratum extends Stratum {
  /** What a micro-partition must hold to be read. */
  readonly bounds: readonly string[];
  /** Days of the table that can be touched; null where dates bound nothing, since the stream has no `clusterBy`. */
  readonly partitionDays: number | null;
  readonly merge: string;
}

export interface ExplainedBatch {
  readonly batch: string;
  readonly rows: number;
  readonly strata: readonly ExplainedStratum[];
}

/** @param files local paths of `batch.files`. */
export async function explainBatch(
  engine: Pick<Engine, 'rows'>,
  place: Place,
  stream: Stream,
  batch: Batch,
  files: readonly string[],
): Promise<ExplainedBatch> {
  const rows = files.length === 0 ? [] : await engine.rows(strataOfFiles(stream, batch, files));
  const asSnowflake = rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, textOf(value)])));
  const { layout } = grown(stream, EMPTY, batch.schema, batch.schema, new Map());
  const target = { place, stream, batch, layout, staging: stagingName(stream.name, batch.id, 'plan'), now: 0 };
  const strata = strataOf(asSnowflake, stream).map((stratum) => ({
    ...stratum,
    bounds: boundsSql(stream, stratum, folded(stream.name)),
    partitionDays: stream.clusterBy ? daysOf(stratum) : null,
    merge: mergeSql(target, stratum),
  }));
  return { batch: batch.id, rows: batch.counts.rows, strata };
}

const DAY_MS = 86_400_000;
const daysOf = ({ days }: Stratum): number => (Date.parse(days.last) - Date.parse(days.first)) / DAY_MS + 1;

/** The same rows as `strataSql` has of the staging table. */
function strataOfFiles(stream: Stream, batch: Batch, files: readonly string[]): string {
  const keys = keyNames(stream).map(identifier);
  const { fresh, late } = firstDays(batch);
  const ends = keys.map((key, index) => `min(${key}) AS "L${index}", max(${key}) AS "H${index}"`);
  const day = (end: 'min' | 'max'): string => `strftime(${end}("DAY"), '%Y-%m-%d')`;
  const stratum = `CASE WHEN "DAY" >= DATE '${fresh}' THEN 'fresh' WHEN "DAY" >= DATE '${late}' THEN 'late' ELSE 'wide' END`;
  return `SELECT ${stratum} AS "STRATUM", count(*) AS "N", ${ends.join(', ')}, ${day('min')} AS "FIRST_DAY", ${day('max')} AS "LAST_DAY"
FROM (SELECT ${keys.join(', ')}, ${dayOf(stream, batch)} AS "DAY" FROM read_parquet(${literalList(files)}, hive_partitioning = false))
GROUP BY ${stratum}`;
}

/** The cluster date of a row whose key is new, in UTC. */
function dayOf(stream: Stream, batch: Batch): string {
  const noDay = `DATE '1970-01-01'`;
  if (!stream.clusterBy) return `CAST(make_timestamp(epoch_us(${identifier(versionNames(stream)[0] ?? '')})) AS DATE)`;
  const name = identifier(stream.clusterBy);
  const isThere = batch.schema.fields.some((field) => field.name === stream.clusterBy) || keyNames(stream).includes(stream.clusterBy);
  if (!isThere) return noDay;
  const { form } = stream.version[0];
  const text = `CAST(${name} AS VARCHAR)`;
  const instant =
    form === 'iso'
      ? `make_timestamp(epoch_us(TRY_CAST(trim(${text}, '"') AS TIMESTAMPTZ)))`
      : `make_timestamp(CAST(TRY_CAST(${text} AS DECIMAL(38, 6)) * ${MICROS[form]} AS BIGINT))`;
  return `coalesce(CAST(${instant} AS DATE), ${noDay})`;
}

const MICROS = { 'epoch-s': 1_000_000, 'epoch-ms': 1000, 'epoch-us': 1 } as const;
