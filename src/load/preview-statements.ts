import type { Batch } from '../manifest/documents.ts';
import { DERIVED, LINEAGE, type RecordSchema } from '../schema/types.ts';
import { identifier, literal, literalList } from '../sql.ts';
import type { Stream } from '../stream.ts';
import { keyNames, tableSql, versionNames } from './curated.ts';
import { NOWHERE, type Place, placeOf } from './place.ts';

/** A batch's rows beside those that the table has of their keys, as the table `changes`: nothing of the warehouse itself is changed. */

export interface Measure {
  /** Before the currency, in what is told. */
  readonly label: string;
  readonly amount: readonly string[];
  readonly currency: readonly string[] | null;
}

/** The money that the stream's configuration names, and every derived number. */
export function measuresOf({ money }: Stream, schema: RecordSchema): Measure[] {
  const derived = schema.fields.find(({ name }) => name === DERIVED)?.type;
  const members = derived?.kind === 'struct' ? derived.members : [];
  const numbers = members.filter(({ type }) => ['integer', 'decimal', 'number-text'].includes(type.kind));
  return [
    ...(money ? [{ label: '', ...money }] : []),
    ...numbers.map(({ name }) => ({ label: `${DERIVED}.${name}`, amount: [DERIVED, name], currency: money?.currency ?? null })),
  ];
}

/** Every field, and each derived column for itself. */
const pathsOf = (schema: RecordSchema): string[][] => [
  ...schema.fields.flatMap(({ name, type }) =>
    name === DERIVED && type.kind === 'struct' ? type.members.map((member) => [DERIVED, member.name]) : [[name]],
  ),
  ...schema.overflow.map((name) => [name]),
];

export interface Comparison {
  readonly stream: Stream;
  readonly batch: Batch;
  readonly files: readonly string[];
  /** Of the table; null where there is none yet. */
  readonly table: RecordSchema | null;
  /** Of both. */
  readonly wider: RecordSchema;
  /** Whether the warehouse knows of transforms. */
  readonly transforms: boolean;
}

/** Texts compare as they are: equal values are equal canonical JSON, whatever types the columns have on either side. */
export function saveChanges(comparison: Comparison): string {
  const { stream, batch, files, wider } = comparison;
  const paths = pathsOf(wider);
  const measures = measuresOf(stream, wider);
  const incoming = sideSql(stream, batch.schema, paths, measures, readFiles(files));
  const keys = keyNames(stream).map((_, index) => `k${index}`);
  const fields = paths.map((path, index) => `{'name': ${literal(path.join('.'))}, 'before': c.f${index}, 'after': i.f${index}}`);
  const differing = fields.length === 0 ? '[]' : `list_filter([${fields.join(', ')}], lambda f: f.before IS DISTINCT FROM f.after)`;
  const values = measures.map((_, index) => `c.a${index} AS before_a${index}, c.u${index} AS before_u${index}, i.a${index}, i.u${index}`);
  return `CREATE OR REPLACE TEMP TABLE changes AS
SELECT * REPLACE (CASE WHEN kind = 'reread' AND len(fields) = 0 THEN 'same' ELSE kind END AS kind,
  CASE WHEN kind IN ('updated', 'reread') THEN fields ELSE [] END AS fields)
FROM (SELECT ${[...keys.map((key) => `i.${key}`), 'CAST(make_timestamp(i.v0) AS DATE) AS day', `${kindSql(comparison)} AS kind`, `${differing} AS fields`, ...values].join(', ')}
  FROM (${incoming}) AS i LEFT JOIN (${curatedSql(comparison, paths, measures)}) AS c ON (${keys.map((key) => `i.${key} = c.${key}`).join(' AND ')}))`;
}

const readFiles = (files: readonly string[]): string => `read_parquet(${literalList(files)}, hive_partitioning = false)`;

function sideSql(
  stream: Stream,
  schema: RecordSchema,
  paths: readonly (readonly string[])[],
  measures: readonly Measure[],
  from: string,
): string {
  const columns = [
    ...keyNames(stream).map((name, index) => `${identifier(name)} AS k${index}`),
    ...versionNames(stream).map((name, index) => `${index === 0 ? `epoch_us(${identifier(name)})` : identifier(name)} AS v${index}`),
    `${LINEAGE.contentHash} AS h, ${LINEAGE.batch} AS b`,
    ...paths.map((path, index) => `${placeOf(schema, path).sql} AS f${index}`),
    ...measures.flatMap((measure, index) => [
      `${amountPlace(measure, schema).sql} AS a${index}`,
      `${currencyPlace(measure, schema).sql} AS u${index}`,
    ]),
  ];
  return `SELECT ${columns.join(', ')} FROM ${from}`;
}

export const amountPlace = ({ amount }: Measure, schema: RecordSchema): Place => placeOf(schema, amount);
export const currencyPlace = ({ currency }: Measure, schema: RecordSchema): Place => (currency ? placeOf(schema, currency) : NOWHERE);

/** Of the table's rows only those whose keys the batch has are put into words. */
function curatedSql(
  { stream, batch, files, table }: Comparison,
  paths: readonly (readonly string[])[],
  measures: readonly Measure[],
): string {
  if (table === null) return `${sideSql(stream, batch.schema, paths, measures, readFiles(files))} WHERE false`;
  const keys = keyNames(stream).map(identifier).join(', ');
  const theirs = `${tableSql(stream)} WHERE (${keys}) IN (SELECT (${keys}) FROM ${readFiles(files)})`;
  return sideSql(stream, table, paths, measures, theirs);
}

/** As the merge decides, but that a row which is read anew and says the same changes nothing. */
function kindSql({ stream, batch, transforms }: Comparison): string {
  const order = [...versionNames(stream).map((_, index) => `v${index}`), 'h'];
  const [mine, theirs] = ['i', 'c'].map((side) => `(${order.map((name) => `${side}.${name}`).join(', ')})`);
  const ours = literal(stream.name);
  const made = transforms ? `coalesce((SELECT max(transform) FROM tidemark.transforms WHERE stream = ${ours} AND batch = c.b), 0)` : '0';
  return `CASE WHEN c.k0 IS NULL THEN 'inserted' WHEN ${mine} > ${theirs} THEN 'updated'
    WHEN ${mine} = ${theirs} AND ${made} < ${batch.transform ?? 0} THEN 'reread' ELSE 'same' END`;
}

export const countDays = (): string =>
  `SELECT CAST(day AS VARCHAR) AS day, kind, count(*) AS n FROM changes WHERE kind <> 'same' GROUP BY ALL ORDER BY ALL`;

export const countSame = (): string => `SELECT count(*) AS n FROM changes WHERE kind = 'same'`;

export const countFields = (): string =>
  `SELECT field.name AS name, count(*) AS n FROM (SELECT unnest(fields) AS field FROM changes) GROUP BY ALL ORDER BY ALL`;

/** Rows of one amount and currency before and after are counted together, so that nothing is added up before it is exact. */
export const tallyMeasure = (index: number): string =>
  `SELECT CAST(day AS VARCHAR) AS day, before_a${index} AS before_amount, before_u${index} AS before_unit, a${index} AS after_amount,
  u${index} AS after_unit, count(*) AS n FROM changes WHERE kind <> 'same' GROUP BY ALL ORDER BY ALL`;

export function sampleChanges(stream: Stream, kind: string, limit: number): string {
  const keys = keyNames(stream).map((_, index) => `k${index}`);
  return `SELECT ${keys.join(', ')}, fields FROM changes WHERE kind = ${literal(kind)} ORDER BY ${keys.join(', ')} LIMIT ${limit}`;
}
