import { bucketBound, LATENESS_BUCKETS } from '../manifest/lateness.ts';
import { derivedSql } from '../schema/transform.ts';
import { DERIVED, LINEAGE, OVERFLOW, type RecordSchema } from '../schema/types.ts';
import { identifier, literal, literalList } from '../sql.ts';
import type { Transform } from '../stream.ts';
import { ISO_PATTERN, TIME_RANGE, type TimeForm } from '../time.ts';
import type { Seen } from './batch.ts';
import { type Definition, fieldsOf } from './definition.ts';

/**
 * The statements of the normalizer. Lines are JSON: `{"p":page,"i":position,"h":"content hash","r":record}`, a record being whole or its read
 * fields alone; other members are passed over. Of each observation, narrow rows have p, i, h (page, position, content hash), k0… (key) and t, v1… (version).
 */

/** DuckDB's reader takes twice the time where its buffers are larger than they need to be. */
const SMALLEST_OBJECT_LIMIT = 1 << 20;

/** A row group is held in memory while it is written: rows alone would be no limit where records are large. */
const ROW_GROUP_BYTES = 64_000_000;

type Fields = readonly (readonly [name: string, type: string])[];

const structType = (fields: Fields): string => `STRUCT(${fields.map(([name, of]) => `${identifier(name)} ${of}`).join(', ')})`;

/** Files of lines, the longest of them of so many bytes. */
export interface LineFiles {
  readonly files: readonly string[];
  readonly longest: number;
}

/** @param exact fields whose numbers are read as they were written, too. */
function readLines({ files, longest }: LineFiles, record: Fields, exact: Fields): string {
  const x = exact.length === 0 ? '' : `, x: ${literal(structType(exact))}`;
  return `read_json(${literalList(files)}, format = 'newline_delimited', maximum_object_size = ${Math.max(SMALLEST_OBJECT_LIMIT, longest + 1024)},
    columns = {p: 'INTEGER', i: 'INTEGER', h: 'VARCHAR'${x}, r: ${literal(structType(record))}})`;
}

export const keyNames = ({ key }: Pick<Definition, 'key'>): string[] => key.map((_, index) => `k${index}`);
export const versionNames = ({ version }: Pick<Definition, 'version'>): string[] =>
  version.map((_, index) => (index === 0 ? 't' : `v${index}`));
const narrowNames = (definition: Definition): string[] => [...keyNames(definition), ...versionNames(definition)];

/** A version time's text as microseconds, NULL where it is none of that form. Whether they are within TIME_RANGE is another question. */
export function microsSql(text: string, form: TimeForm): string {
  const pattern = form === 'iso' ? ISO_PATTERN : '-?\\d{1,17}(\\.\\d{1,12})?';
  return `CASE WHEN regexp_full_match(${text}, ${literal(pattern)}) THEN ${acceptedMicrosSql(text, form)} END`;
}

/** The same of a text that is known to be of that form. */
function acceptedMicrosSql(text: string, form: TimeForm): string {
  if (form === 'iso') {
    // DuckDB knows no time in small letters, and none with a zone but without seconds; most are neither.
    const full = `CASE WHEN substr(${text}, 17, 1) = ':' THEN ${text} ELSE substr(${text}, 1, 16) || ':00' || substr(${text}, 17) END`;
    return `epoch_us(coalesce(TRY_CAST(${text} AS TIMESTAMPTZ), TRY_CAST(replace(upper(${full}), 'T', ' ') AS TIMESTAMPTZ)))`;
  }
  const unit = { 'epoch-s': 1_000_000, 'epoch-ms': 1000, 'epoch-us': 1 }[form];
  // A decimal, not a double: 1763769723.123456 seconds keep their microseconds.
  return `TRY_CAST(trunc(TRY_CAST(${text} AS DECIMAL(38, 12)) * ${unit}) AS BIGINT)`;
}

const integerSql = (text: string): string => `CASE WHEN regexp_full_match(${text}, '-?\\d{1,18}') THEN TRY_CAST(${text} AS BIGINT) END`;

/**
 * Every line of an index: p, i, h, key, version, and `verdict`: why the record may not enter, NULL where it may. The limit limits nothing:
 * it keeps DuckDB from judging a line twice, once for the filter of whoever reads this and once for the row.
 */
function judged(definition: Definition, index: LineFiles, released: readonly string[]): string {
  const { keys: keyed, versions: versioned, ruled } = fieldsOf(definition);
  const record = [...new Set([...keyed, ...versioned, ...ruled])].map((name) => [name, ruled.includes(name) ? 'JSON' : 'VARCHAR'] as const);
  // A field with a rule is read as JSON, so that the rule sees its type; ->> takes its text out again.
  const text = (name: string): string => (ruled.includes(name) ? `(r.${identifier(name)} ->> '$')` : `r.${identifier(name)}`);
  const keys = definition.key.map(
    (column, index) => `${column.constant === null ? text(column.name) : literal(column.constant)} AS k${index}`,
  );
  const [time, ...integers] = definition.version;
  const versions = [
    `${microsSql(text(time.name), time.form)} AS t`,
    ...integers.map((column, at) => `${integerSql(text(column.name))} AS v${at + 1}`),
  ];
  const values = ruled.map((name, at) => `coalesce(CAST(x.${identifier(name)} AS JSON), r.${identifier(name)}) AS q${at}`);
  const exact = ruled.map((name) => [name, 'VARCHAR'] as const);
  return `(SELECT p, i, h, ${narrowNames(definition).join(', ')}, ${verdictSql(definition, ruled, released)} AS verdict
      FROM (SELECT p, i, h, ${[...keys, ...versions, ...values].join(', ')} FROM ${readLines(index, record, exact)}) LIMIT ${Number.MAX_SAFE_INTEGER})`;
}

/** The first thing that keeps a record out: `key`, `version`, or the number of a rule; NULL where nothing does. */
function verdictSql(definition: Definition, ruled: readonly string[], released: readonly string[]): string {
  const keys = keyNames(definition).map((name) => `${name} IS NULL OR ${name} = ''`);
  const versions = versionNames(definition).map((name) => `${name} IS NULL`);
  const range = `t < ${TIME_RANGE.from} OR t >= ${TIME_RANGE.to}`;
  const known = released.length > 0 ? ` AND NOT list_contains(${literalList(released)}, h)` : '';
  const rules = definition.rules.map((rule, at) => `WHEN NOT (${rule.passes(`q${ruled.indexOf(rule.field)}`)})${known} THEN '${at}'`);
  return `CASE WHEN ${keys.join(' OR ')} THEN 'key' WHEN ${versions.join(' OR ')} OR ${range} THEN 'version' ${rules.join(' ')} END`;
}

/** What was written as sightings, by short names; `p` is the page's key. */
function accepted(definition: Definition, files: readonly string[]): string {
  const keys = definition.key.map((column, index) => `${identifier(column.name)} AS k${index}`);
  const versions = definition.version.map(({ name }, index) =>
    index === 0 ? `epoch_us(${identifier(name)}) AS t` : `${identifier(name)} AS v${index}`,
  );
  return `(SELECT ${LINEAGE.page} AS p, ${LINEAGE.position} AS i, ${LINEAGE.contentHash} AS h, ${[...keys, ...versions].join(', ')}
      FROM read_parquet(${literalList(files)}))`;
}

export const sightingTotals = (definition: Definition, path: string): string =>
  `SELECT count(*) AS accepted, min(t) AS first, max(t) AS last FROM ${accepted(definition, [path])}`;

/** One value: the records with a verdict, in their order. */
export const listRefused = (definition: Definition, index: LineFiles, released: readonly string[]): string =>
  `SELECT coalesce(list({'p': p, 'i': i, 'verdict': verdict, 'key': [${keyNames(definition).join(', ')}]} ORDER BY p, i), []) AS records
    FROM ${judged(definition, index, released)} WHERE verdict IS NOT NULL`;

/**
 * Observations of keys that the batch has more than once, in the order of the law: place 1 is the key's winner, the greatest by (version,
 * content hash); of equal ones the first landed. Most keys come once, and telling those by a hash of the key is five times as fast as
 * a window over everything; two keys with one hash merely take the window for nothing.
 */
export function settleRivals(definition: Definition, files: readonly string[]): string {
  const keys = keyNames(definition).join(', ');
  const order = versionNames(definition)
    .map((name) => `${name} DESC`)
    .join(', ');
  const narrow = accepted(definition, files);
  return `CREATE OR REPLACE TEMP TABLE repeated AS SELECT hash(${keys}) AS key_hash FROM ${narrow} GROUP BY key_hash HAVING count(*) > 1;
    CREATE OR REPLACE TEMP TABLE rivals AS
    SELECT p, i, h, ${narrowNames(definition).join(', ')}, row_number() OVER (PARTITION BY ${keys} ORDER BY ${order}, h DESC, p, i) AS place
    FROM ${narrow} WHERE hash(${keys}) IN (SELECT key_hash FROM repeated);
    DROP TABLE repeated`;
}

/** What the batch leaves out: whatever lost against another observation of the batch. */
export const settleLosers = (): string => 'CREATE OR REPLACE TEMP TABLE left_out AS SELECT p, i FROM rivals WHERE place > 1';

/**
 * What goes on where batches are loaded: nothing of which one of them has the same, or something greater. Of a sweep nearly all is there as it
 * is, which content hashes alone tell, at half the cost of comparing keys and versions.
 */
export function settleKept(definition: Definition, files: readonly string[], sightings: readonly string[]): string {
  const basis = `read_parquet(${literalList(sightings)})`;
  const same = definition.key.map((column, index) => `s.${identifier(column.name)} = w.k${index}`);
  const theirs = [...definition.version.map((column) => `s.${identifier(column.name)}`), `s.${LINEAGE.contentHash}`];
  const mine = [...versionNames(definition).map((name) => (name === 't' ? 'make_timestamptz(w.t)' : `w.${name}`)), 'w.h'];
  return `CREATE OR REPLACE TEMP TABLE kept AS SELECT p, i
      FROM ${accepted(definition, files)} ANTI JOIN (SELECT ${LINEAGE.contentHash} AS h FROM ${basis}) USING (h) ANTI JOIN left_out USING (p, i);
    CREATE OR REPLACE TEMP TABLE known AS SELECT p, i FROM (FROM ${accepted(definition, files)} SEMI JOIN kept USING (p, i)) w
      WHERE EXISTS (SELECT 1 FROM ${basis} s WHERE ${same.join(' AND ')} AND (${theirs.join(', ')}) >= (${mine.join(', ')}));
    DELETE FROM kept USING known WHERE kept.p = known.p AND kept.i = known.i;
    DROP TABLE known`;
}

export const countLosers = (): string => 'SELECT count(*) AS n FROM left_out';
export const countKept = (): string => 'SELECT count(*) AS n FROM kept';

/** Keys with one version and different contents. */
export const countConflicts = (definition: Definition): string =>
  `SELECT count(*) AS n FROM (SELECT 1 FROM rivals GROUP BY ${narrowNames(definition).join(', ')} HAVING min(h) <> max(h))`;

/** One value: of the records that are kept although they lie before the watermark, how many in each bucket of lateness. */
export function countLate(definition: Definition, files: readonly string[], { watermark, at }: Seen): string {
  const bucket = `least(${LATENESS_BUCKETS - 1}, greatest(0, ceil(log2(greatest(1, ${at} - t) / ${bucketBound(0)}))))::INTEGER`;
  return `SELECT list(coalesce(n, 0)::INTEGER ORDER BY bucket) AS counts FROM range(${LATENESS_BUCKETS}) AS buckets(bucket)
    LEFT JOIN (SELECT ${bucket} AS bucket, count(*) AS n
      FROM (FROM ${accepted(definition, files)} WHERE t < ${watermark}) SEMI JOIN kept USING (p, i) GROUP BY 1) USING (bucket)`;
}

export const dropSettled = (): readonly string[] => ['DROP TABLE rivals', 'DROP TABLE left_out', 'DROP TABLE IF EXISTS kept'];

/** One value: of each page of which anything is in the table, the positions of that, joined by commas. */
export const listPositions = (table: 'left_out' | 'kept'): string =>
  `SELECT coalesce(list({'page': p, 'count': n, 'positions': positions}), []) AS pages
    FROM (SELECT p, count(*) AS n, string_agg(i::VARCHAR, ',') AS positions FROM ${table} GROUP BY p)`;

/**
 * Sightings: every accepted observation of these index files, as it landed. In the order of its key it would take twice the time and a
 * quarter more room, and whoever looks a key up reads the whole file anyway.
 */
export function saveSightings(definition: Definition, index: LineFiles, released: readonly string[], pages: string, path: string): string {
  const keys = definition.key.map((column, index) => `k${index} AS ${identifier(column.name)}`);
  const versions = definition.version.map(
    (column, index) => `${index === 0 ? 'make_timestamptz(t)' : `v${index}`} AS ${identifier(column.name)}`,
  );
  return `COPY (SELECT ${[...keys, ...versions].join(', ')}, h AS ${LINEAGE.contentHash}, ${pageKey(pages)} AS ${LINEAGE.page}, i AS ${LINEAGE.position}
      FROM ${judged(definition, index, released)} WHERE verdict IS NULL)
    TO ${literal(path)} (${PARQUET}, ROW_GROUP_SIZE 100000)`;
}

/** 40% faster than the defaults, at the same size. */
export const PARQUET =
  'FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARQUET_VERSION v2, WRITE_BLOOM_FILTER false, DICTIONARY_SIZE_LIMIT 2000, STRING_DICTIONARY_PAGE_SIZE_LIMIT 131072';

export const countRows = (path: string): string => `SELECT num_rows AS n FROM parquet_file_metadata(${literal(path)})`;

/** The key of page `p`, from the JSON file that lists them all, in their order. */
const pageKey = (path: string): string =>
  `(SELECT list(key ORDER BY p) FROM read_json(${literal(path)}, format = 'newline_delimited', columns = {p: 'INTEGER', key: 'VARCHAR'}))[p + 1]`;

/**
 * The rows of a file once more, with the columns that the transform makes of them in place of what it reads and they do not have.
 * @param from rows as a RowsTask writes them. @param to the file of the batch.
 */
export function saveDerived(definition: Definition, transform: Transform, schema: RecordSchema, from: string, to: string): string {
  const names = [
    ...definition.key.map(({ name }) => name),
    ...definition.version.map(({ name }) => name),
    ...schema.fields.flatMap(({ name }) => (name === DERIVED ? [] : [name])),
    OVERFLOW,
  ];
  const lineage = [LINEAGE.page, LINEAGE.position, LINEAGE.contentHash, LINEAGE.batch];
  const columns = [
    ...names.map((name) => `r.${identifier(name)}`),
    `${derivedSql(transform, schema, definition)} AS ${identifier(DERIVED)}`,
    ...lineage.map((name) => `r.${name}`),
  ];
  return `COPY (SELECT ${columns.join(', ')} FROM read_parquet(${literal(from)}) r)
    TO ${literal(to)} (${PARQUET}, ROW_GROUP_SIZE_BYTES ${ROW_GROUP_BYTES})`;
}
