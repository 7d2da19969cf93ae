import type { Micros } from '../../clock.ts';
import { TidemarkError } from '../../errors.ts';
import type { Batch } from '../../manifest/documents.ts';
import { LINEAGE, OVERFLOW } from '../../schema/types.ts';
import { identifier } from '../../sql.ts';
import type { Stream } from '../../stream.ts';
import { keyNames, versionNames } from '../curated.ts';
import { allColumns, columnFor, type Layout } from './layout.ts';
import { CLUSTER_DATE, columnSql, folded, instantSql, rowsSql, stagingSql, table, textSql } from './names.ts';
import { withinSql } from './statements.ts';
import { boundsSql, clusterDateSql, rowsOfStratum, type Staged, type Stratum } from './strata.ts';
import { snowflakeType } from './types.ts';

/** From the staging table into the curated rows. */

export interface MergeTarget extends Staged {
  readonly batch: Pick<Batch, 'schema' | 'maxTime' | 'transform'>;
  readonly layout: Layout;
  readonly now: Micros;
  /** Id of the transaction in which it changes anything; in any where left out. */
  readonly transaction?: string;
}

/** A column of the table, and where a staged row has its value. */
interface Assignment {
  readonly column: string;
  readonly value: string;
}

/** How a row of the table is named in the conditions, and one of the batch. */
const THEIRS = 't';
const OURS = 's';

/** One stratum of the batch. It names each key once, so no row of the table meets two of its rows. */
export function mergeSql(target: MergeTarget, stratum: Stratum): string {
  const { place, stream } = target;
  const all = assignments(target);
  const join = keyNames(stream).map((name) => `${THEIRS}.${columnSql(name)} = ${OURS}.${columnSql(name)}`);
  const keys = new Set(keyNames(stream).map((name) => folded(name)));
  const changed = all.filter(({ column }) => !keys.has(column) && column !== CLUSTER_DATE).map(({ column }) => identifier(column));
  const columns = all.map(({ column }) => identifier(column));
  return `MERGE INTO ${rowsSql(place, stream.name)} AS ${THEIRS}
USING (${sourceSql(target, stratum, all)}) AS ${OURS}
ON ${[...join, ...boundsSql(stream, stratum, THEIRS)].join(' AND ')}
WHEN MATCHED AND ${isGreater(target, heldTransform(all))} THEN UPDATE SET ${changed.map((column) => `${column} = ${OURS}.${column}`).join(', ')}
WHEN NOT MATCHED THEN INSERT (${columns.join(', ')}) VALUES (${columns.map((column) => `${OURS}.${column}`).join(', ')})`;
}

/** Of a field's columns the one that takes the batch's values; the others are emptied, since a row has its value in one. */
function assignments({ stream, batch, layout, now }: MergeTarget): readonly Assignment[] {
  const types = new Map(batch.schema.fields.map(({ name, type }) => [name, type]));
  const own = (field: string): Assignment => ({ column: folded(field), value: `i.${columnSql(field)}` });
  const fields = allColumns(layout).map(({ field, name, type }): Assignment => {
    const from = types.get(field);
    const isTheOne = from !== undefined && columnFor(layout, field, from)?.name === name;
    return { column: name, value: isTheOne ? `i.${columnSql(field)}::${snowflakeType(type)}` : `NULL::${snowflakeType(type)}` };
  });
  return [
    ...[...keyNames(stream), ...versionNames(stream)].map(own),
    ...fields,
    ...[OVERFLOW, LINEAGE.page, LINEAGE.position, LINEAGE.contentHash, LINEAGE.batch].map(own),
    { column: folded(LINEAGE.loadedAt), value: instantSql(now) },
    { column: CLUSTER_DATE, value: clusterDateSql({ stream, batch }, 'i.') },
  ];
}

/** What the source calls the version of the transform that made the row that the table has of a key: as no column is called. */
function heldTransform(all: readonly Assignment[]): string {
  let name = '_HELD_TRANSFORM';
  while (all.some(({ column }) => column === name)) name += '_';
  return identifier(name);
}

function sourceSql(target: MergeTarget, stratum: Stratum, all: readonly Assignment[]): string {
  const { place, stream, batch, staging, transaction } = target;
  const staged = `${stagingSql(place, staging)} AS i`;
  const within = transaction === undefined ? [] : [withinSql(transaction)];
  const where = `WHERE ${[rowsOfStratum(target, stratum, 'i.'), ...within].join(' AND ')}`;
  const values = all.map(({ column, value }) => `${value} AS ${identifier(column)}`);
  if (!batch.transform) return `SELECT ${values.join(', ')} FROM ${staged} ${where}`;
  const join = keyNames(stream).map((name) => `h.${columnSql(name)} = i.${columnSql(name)}`);
  return `SELECT ${[...values, `COALESCE(m."TRANSFORM", 0) AS ${heldTransform(all)}`].join(', ')} FROM ${staged}
LEFT JOIN ${rowsSql(place, stream.name)} AS h ON (${[...join, ...boundsSql(stream, stratum, 'h')].join(' AND ')})
LEFT JOIN ${table(place, 'TRANSFORMS')} AS m ON (m."STREAM" = ${textSql(stream.name)} AND m."BATCH" = h.${columnSql(LINEAGE.batch)}) ${where}`;
}

/**
 * By version, then content hash. The same observation again is not the greater, so the row keeps the lineage of its first landing; unless a
 * greater transform has read it.
 */
function isGreater({ stream, batch }: MergeTarget, held: string): string {
  const order = [...versionNames(stream), LINEAGE.contentHash].map((name): readonly [string, string] => [
    `${OURS}.${columnSql(name)}`,
    `${THEIRS}.${columnSql(name)}`,
  ]);
  const made: readonly (readonly [string, string])[] = batch.transform ? [[String(batch.transform), `${OURS}.${held}`]] : [];
  return [...order, ...made].reduceRight(
    (rest, [ours, theirs]) => (rest === '' ? `${ours} > ${theirs}` : `(${ours} > ${theirs} OR (${ours} = ${theirs} AND ${rest}))`),
    '',
  );
}

/** @throws SCHEMA where the table, as it is, cannot hold every row of a batch written under that schema. */
export function assertTakes(stream: Stream, { schema }: Pick<Batch, 'schema'>, layout: Layout): void {
  const homeless = [
    ...schema.fields.filter(({ name, type }) => columnFor(layout, name, type) === null).map(({ name }) => name),
    ...schema.overflow.filter((name) => !layout.schema.overflow.includes(name)),
  ];
  if (homeless.length === 0) return;
  throw new TidemarkError({
    code: 'SCHEMA',
    message: `Table ${stream.name} cannot hold what the batch has in ${homeless.join(', ')}`,
    hint: 'Nothing was changed. Migrate the table to the schema of the batch, then load it again.',
  });
}
