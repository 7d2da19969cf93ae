import type { Micros } from '../clock.ts';
import { TidemarkError } from '../errors.ts';
import { canConvert, convertSql } from '../schema/convert.ts';
import { type ColumnType, LINEAGE, OVERFLOW, type RecordSchema } from '../schema/types.ts';
import { identifier, literal, literalList } from '../sql.ts';
import type { Stream } from '../stream.ts';
import { columnsOf, keyNames, tableSql, versionNames } from './curated.ts';
import { overflowSql } from './evolve.ts';
import { instantSql } from './statements.ts';

/** From a batch's Parquet files into the curated table. */

/** A key such as `batch=…/part-….parquet` is no partition to DuckDB, which would add a column `batch`. */
const readFiles = (files: readonly string[]): string => `read_parquet(${literalList(files)}, hive_partitioning = false)`;

export const countFileRows = (file: string): string => `SELECT num_rows AS row_count FROM parquet_file_metadata(${literalList([file])})`;

/** One row: rows, distinct keys, rows of another batch, rows without a key, a version or a content hash. */
export function inspectFiles(stream: Stream, batch: string, files: readonly string[]): string {
  const keys = keyNames(stream).map(identifier);
  const needed = [...keyNames(stream), ...versionNames(stream), LINEAGE.contentHash].map((name) => `${identifier(name)} IS NULL`);
  return `
SELECT coalesce(sum(n), 0)::BIGINT AS row_count, count(*) AS distinct_keys, coalesce(sum(foreign_rows), 0)::BIGINT AS foreign_rows,
  coalesce(sum(void_rows), 0)::BIGINT AS void_rows
FROM (
  SELECT count(*) AS n, count(*) FILTER (${needed.join(' OR ')}) AS void_rows,
    count(*) FILTER (${identifier(LINEAGE.batch)} IS DISTINCT FROM ${literal(batch)}) AS foreign_rows
  FROM ${readFiles(files)} GROUP BY ${keys.join(', ')}
)`;
}

/*
 * The merge keeps of each key the greater of (version, content hash), in statements of one transaction: which keys of the batch the table
 * holds, away with the older rows among those, in with the batch's rows but for those that lost. DuckDB's own MERGE comes to the same (it,
 * too, replaces a row with nested columns), but joins whole rows where these join keys: into a filled table, at twice to three times the
 * CPU. Of the table's rows only keys and versions are read, and content hashes, the longest of the columns in question, only where versions
 * are equal; what was found is found again by its place in the table.
 */

/** By number, so that no name of the stream's meets `is_newer`. */
const heldKey = (index: number): string => `key_${index}`;

/** Tells a row by its place, which DuckDB calls rowid; where a field bears that name, by its key. */
interface Places {
  /** For the list of what is held. */
  readonly noted: readonly string[];
  /** Whether `curated` and `held` are the same row. */
  readonly same: string;
}

function placesOf(stream: Stream, schema: RecordSchema): Places {
  const isTaken = columnsOf(stream, schema).some(({ name }) => name.toLowerCase() === 'rowid');
  if (isTaken) return { noted: [], same: matchesHeld(stream, 'curated') };
  return { noted: ['curated.rowid AS row_place'], same: 'curated.rowid = held.row_place' };
}

/**
 * Makes the table `held`: the keys of the batch that the curated table has, and whether the batch's row is the greater; NULL where both are
 * of one version.
 */
export function findHeld(stream: Stream, schema: RecordSchema, files: readonly string[]): string {
  const keys = keyNames(stream).map(identifier);
  const [mine, theirs] = ['incoming', 'curated'].map(
    (of) =>
      `(${versionNames(stream)
        .map((name) => `${of}.${identifier(name)}`)
        .join(', ')})`,
  );
  const noted = keys.map((name, index) => `incoming.${name} AS ${heldKey(index)}`);
  return `
CREATE OR REPLACE TEMP TABLE held AS
SELECT ${[...noted, ...placesOf(stream, schema).noted].join(', ')}, CASE WHEN ${mine} <> ${theirs} THEN ${mine} > ${theirs} END AS is_newer
FROM ${tableSql(stream)} AS curated JOIN (FROM ${readFiles(files)}) AS incoming
ON (${keys.map((name) => `curated.${name} = incoming.${name}`).join(' AND ')})`;
}

export const countTies = 'SELECT count(*) AS ties FROM temp.held WHERE is_newer IS NULL';

/**
 * Decides those of one version by the content hash. The same observation again is not the greater, so the row keeps the lineage of its first
 * landing; unless a greater transform has read it: the older one's row is never the greater, whichever comes last. Texts compare by their
 * bytes, as the hash's hex digits must.
 * @param transform version that made the batch. Where it is 0, none of the table's rows is of a smaller one.
 */
export function breakTies(stream: Stream, schema: RecordSchema, files: readonly string[], transform: number): string {
  const hash = identifier(LINEAGE.contentHash);
  const [mine, theirs] = transform === 0 ? [[], []] : [[transform], ['coalesce(made.transform, 0)']];
  const made = transform === 0 ? '' : `\n  ${transformOfRow(stream)}`;
  return `
UPDATE temp.held AS held SET is_newer = tie.is_newer
FROM (
  SELECT ${keyNames(stream)
    .map((_, index) => `held.${heldKey(index)}`)
    .join(', ')},
    (${[`incoming.${hash}`, ...mine].join(', ')}) > (${[`curated.${hash}`, ...theirs].join(', ')}) AS is_newer
  FROM ${tableSql(stream)} AS curated
  JOIN (FROM temp.held WHERE is_newer IS NULL) AS held ON (${placesOf(stream, schema).same})
  JOIN (FROM ${readFiles(files)}) AS incoming ON (${matchesHeld(stream, 'incoming')})${made}
) AS tie
WHERE ${keyNames(stream)
    .map((_, index) => `held.${heldKey(index)} = tie.${heldKey(index)}`)
    .join(' AND ')}`;
}

const transformOfRow = (stream: Stream): string =>
  `LEFT JOIN tidemark.transforms AS made ON (made.stream = ${literal(stream.name)} AND made.batch = curated.${LINEAGE.batch})`;

export const deleteOlder = (stream: Stream, schema: RecordSchema): string => `
DELETE FROM ${tableSql(stream)} AS curated USING temp.held AS held
WHERE held.is_newer AND ${placesOf(stream, schema).same}`;

/** Whole rows go from the files into the table: what is joined with them are keys alone, of the rows that lost. */
export function insertRows(stream: Stream, from: RecordSchema, to: RecordSchema, files: readonly string[], now: Micros): string {
  const columns = columnsOf(stream, to).map(({ name }) => identifier(name));
  return `
INSERT INTO ${tableSql(stream)} (${columns.join(', ')})
SELECT ${columns.map((name) => `incoming.${name}`).join(', ')} FROM (${sourceSql(stream, from, to, files, now)}) AS incoming
WHERE NOT EXISTS (SELECT 1 FROM temp.held AS held WHERE NOT held.is_newer AND ${matchesHeld(stream, 'incoming')})`;
}

const matchesHeld = (stream: Stream, rows: string): string =>
  keyNames(stream)
    .map((name, index) => `${rows}.${identifier(name)} = held.${heldKey(index)}`)
    .join(' AND ');

/** The files' rows as rows of the curated table: a batch may have been written under a narrower schema than the table has by now. */
function sourceSql(stream: Stream, from: RecordSchema, to: RecordSchema, files: readonly string[], now: Micros): string {
  const types = new Map(from.fields.map((field) => [field.name, field.type]));
  const fields = to.fields.map(({ name, type }) => {
    const own = types.get(name);
    return `${convertSql(identifier(name), own ?? { kind: 'unknown' }, type)} AS ${identifier(name)}`;
  });
  const moved = from.fields.filter((field) => to.overflow.includes(field.name));
  const lineage = [LINEAGE.page, LINEAGE.position, LINEAGE.contentHash, LINEAGE.batch].map(identifier);
  return `SELECT ${[
    ...[...keyNames(stream), ...versionNames(stream)].map(identifier),
    ...fields,
    `${overflowSql(moved)} AS ${identifier(OVERFLOW)}`,
    ...lineage,
    `${instantSql(now)} AS ${identifier(LINEAGE.loadedAt)}`,
  ].join(', ')} FROM ${readFiles(files)}`;
}

/** @throws SCHEMA where the table, as it is, cannot hold every row of a batch written under `from`. */
export function assertHolds(stream: Stream, from: RecordSchema, to: RecordSchema): void {
  const types = new Map(to.fields.map((field) => [field.name, field.type]));
  const homeless = [
    ...from.fields.filter(({ name, type }) => !to.overflow.includes(name) && !fits(type, types.get(name))).map((field) => field.name),
    ...from.overflow.filter((name) => !to.overflow.includes(name)),
  ];
  if (homeless.length === 0) return;
  throw new TidemarkError({
    code: 'SCHEMA',
    message: `Table ${stream.name} cannot hold what the batch has in ${homeless.join(', ')}`,
    hint: 'Nothing was changed. Migrate the table to the schema of the batch, then load it again.',
  });
}

const fits = (type: ColumnType, column: ColumnType | undefined): boolean => column !== undefined && canConvert(type, column);
