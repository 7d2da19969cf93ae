import { duckdbType } from '../schema/duckdb-types.ts';
import { type ColumnType, DERIVED, LINEAGE, OVERFLOW, type RecordSchema } from '../schema/types.ts';
import { identifier, literal } from '../sql.ts';
import type { Stream } from '../stream.ts';

/** The curated table: what its columns are called, of which type they are, and what they mean. */

export interface Column {
  readonly name: string;
  /** DuckDB's type, with NOT NULL where it always has a value. */
  readonly type: string;
  readonly comment: string;
}

export const tableSql = (stream: Stream): string => `main.${identifier(stream.name)}`;
export const latestViewSql = (stream: Stream): string => `main.${identifier(`${stream.name}_latest`)}`;

export const keyNames = (stream: Stream): readonly string[] => stream.key.map((column) => column.name);
export const versionNames = (stream: Stream): readonly string[] => stream.version.map((column) => column.name);

export function columnsOf(stream: Stream, schema: RecordSchema): readonly Column[] {
  return [
    ...keyNames(stream).map((name, index) => column(name, 'VARCHAR NOT NULL', `Key, part ${index + 1} of ${stream.key.length}`)),
    ...versionNames(stream).map((name, index) => column(name, versionType(index), VERSION_COMMENT)),
    ...schema.fields.map(({ name, type }) => column(name, duckdbType(type), fieldComment(stream, name, type))),
    column(OVERFLOW, OVERFLOW_TYPE, 'Fields that no column can hold, by name, as canonical JSON'),
    column(LINEAGE.page, 'VARCHAR', 'Stored page that the record came from'),
    column(LINEAGE.position, 'INTEGER', 'Zero-based position of the record in that page'),
    column(LINEAGE.contentHash, 'VARCHAR', "First 128 bits of SHA-256 over the record's bytes as landed, in hex"),
    column(LINEAGE.batch, 'VARCHAR', 'Batch that brought the row (tidemark.ledger)'),
    column(LINEAGE.loadedAt, 'TIMESTAMPTZ', 'When the row was loaded'),
  ];
}

export const OVERFLOW_TYPE = 'MAP(VARCHAR, VARCHAR)';
const VERSION_COMMENT = 'Orders the copies of one key: the greatest (version columns in order, then content hash) is the row';
const versionType = (index: number): string => (index === 0 ? 'TIMESTAMPTZ NOT NULL' : 'BIGINT NOT NULL');
const column = (name: string, type: string, comment: string): Column => ({ name, type, comment });

function fieldComment(stream: Stream, name: string, type: ColumnType): string {
  const forms: Partial<Record<ColumnType['kind'], string>> = {
    json: ', as canonical JSON text',
    'number-text': ', a number as text: no decimal holds its digits',
  };
  if (name === DERIVED) return "What the stream's transform made of the record; its version is the batch's, in tidemark.transforms";
  const personal = stream.personal.filter((path) => path === name || path.startsWith(`${name}.`));
  return `Field of the record${forms[type.kind] ?? ''}${personal.length > 0 ? `; personal data: ${personal.join(', ')}` : ''}`;
}

export function createTable(stream: Stream, schema: RecordSchema): string {
  const columns = columnsOf(stream, schema).map(({ name, type }) => `${identifier(name)} ${type}`);
  // No primary key: see DuckDBWarehouse. The guarded merge of a single writer keeps each key once, and summary() counts them.
  return `CREATE TABLE ${tableSql(stream)} (${columns.join(', ')})`;
}

export function commentOnTable(stream: Stream, schema: RecordSchema): string {
  const table = tableSql(stream);
  const about = `Latest accepted copy of each ${keyNames(stream).join(', ')}; kept by Tidemark, which alone writes it`;
  const columns = columnsOf(stream, schema).map(
    ({ name, comment }) => `COMMENT ON COLUMN ${table}.${identifier(name)} IS ${literal(comment)}`,
  );
  return [`COMMENT ON TABLE ${table} IS ${literal(about)}`, ...columns].join(';\n');
}

export const tableExists = (stream: Stream): string =>
  `SELECT 1 AS found FROM information_schema.tables WHERE table_schema = 'main' AND lower(table_name) = lower(${literal(stream.name)})`;

/**
 * The latest state of each thing that `latestBy` names, or null where the stream has no such view or its columns are not there yet.
 * A row that does not name its thing stands for itself.
 */
export function createLatestView(stream: Stream, schema: RecordSchema): string | null {
  const columns = columnsOf(stream, schema).map(({ name }) => name);
  if (stream.latestBy.length === 0 || !stream.latestBy.every((name) => columns.includes(name))) return null;
  const by = stream.latestBy.map(identifier);
  const order = [...versionNames(stream), LINEAGE.contentHash].map((name) => `${identifier(name)} DESC`);
  // Columns by name: the view says what it shows, and does not change when the table grows before the view is replaced.
  return `CREATE VIEW ${latestViewSql(stream)} AS SELECT ${columns.map(identifier).join(', ')} FROM ${tableSql(stream)}
QUALIFY ${by.map((name) => `${name} IS NULL`).join(' OR ')} OR row_number() OVER (PARTITION BY ${by.join(', ')} ORDER BY ${order.join(', ')}) = 1;
COMMENT ON VIEW ${latestViewSql(stream)} IS ${literal(`Latest row for each ${stream.latestBy.join(', ')}, by ${versionNames(stream).join(', ')}`)}`;
}

/** Before the table is described anew: its columns may have gone to the overflow, or the stream may want no view any more. */
export const dropLatestView = (stream: Stream): string => `DROP VIEW IF EXISTS ${latestViewSql(stream)}`;
