import {
  DuckDBDateValue,
  DuckDBDecimalType,
  type DuckDBResult,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
} from '@duckdb/node-api';
import { decoded } from './names.ts';
import { MAX_LENGTH, type SnowflakeType } from './types.ts';

/** A column as the wire describes it. */
export interface RowType {
  readonly name: string;
  readonly type: SnowflakeType;
}

export type WireValue = string | null;

export interface RowSet {
  readonly columns: readonly RowType[];
  readonly rows: readonly (readonly WireValue[])[];
}

export const textColumn = (name: string): RowType => ({ name, type: { name: 'TEXT', length: MAX_LENGTH } });
export const countColumn = (name: string): RowType => ({ name, type: { name: 'FIXED', precision: 19, scale: 0 } });

/** One row with one text: what most statements answer. */
export const statusRow = (text: string): RowSet => ({ columns: [textColumn('status')], rows: [[text]] });

export const textRows = (names: readonly string[], rows: readonly (readonly WireValue[])[]): RowSet => ({
  columns: names.map(textColumn),
  rows,
});

export function wireColumn({ name, type }: RowType): Record<string, unknown> {
  const isText = type.name === 'TEXT';
  return {
    name,
    database: '',
    schema: '',
    table: '',
    type: type.name.toLowerCase(),
    nullable: true,
    precision: type.precision ?? null,
    scale: type.scale ?? null,
    length: isText ? (type.length ?? MAX_LENGTH) : null,
    byteLength: isText ? Math.min((type.length ?? MAX_LENGTH) * 4, MAX_LENGTH) : null,
    collation: null,
  };
}

/** DuckDB's result as the wire has it: every value a text. */
export async function rowSetOf(result: DuckDBResult, indent: number): Promise<RowSet> {
  const types = result.columnTypes();
  const columns = result.columnNames().map((name, index) => ({ name: decoded(name), type: typeOf(types[index]) }));
  const rows = await result.getRows();
  return { columns, rows: rows.map((row) => row.map((value, index) => wireValue(value, columns[index]?.type.name ?? 'TEXT', indent))) };
}

const INTEGERS: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.TINYINT,
  DuckDBTypeId.SMALLINT,
  DuckDBTypeId.INTEGER,
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UTINYINT,
  DuckDBTypeId.USMALLINT,
  DuckDBTypeId.UINTEGER,
  DuckDBTypeId.UBIGINT,
  DuckDBTypeId.UHUGEINT,
]);

const TYPES: ReadonlyMap<DuckDBTypeId, SnowflakeType> = new Map<DuckDBTypeId, SnowflakeType>([
  [DuckDBTypeId.VARCHAR, { name: 'TEXT', length: MAX_LENGTH }],
  [DuckDBTypeId.DOUBLE, { name: 'REAL' }],
  [DuckDBTypeId.FLOAT, { name: 'REAL' }],
  [DuckDBTypeId.BOOLEAN, { name: 'BOOLEAN' }],
  [DuckDBTypeId.DATE, { name: 'DATE' }],
  [DuckDBTypeId.TIMESTAMP_TZ, { name: 'TIMESTAMP_LTZ', scale: 6 }],
  [DuckDBTypeId.TIMESTAMP, { name: 'TIMESTAMP_NTZ', scale: 6 }],
]);

function typeOf(type: DuckDBType | undefined): SnowflakeType {
  if (type instanceof DuckDBDecimalType) return { name: 'FIXED', precision: type.width, scale: type.scale };
  if (type === undefined || type.typeId === DuckDBTypeId.SQLNULL) return { name: 'TEXT', length: MAX_LENGTH };
  if (INTEGERS.has(type.typeId)) return { name: 'FIXED', precision: 38, scale: 0 };
  if (type.typeId === DuckDBTypeId.VARCHAR && type.alias === 'JSON') return { name: 'VARIANT' };
  const known = TYPES.get(type.typeId);
  if (!known) throw new Error(`The test server has no type of the service for DuckDB's ${type.toString()}`);
  return known;
}

/** DATE: days since the epoch; timestamps: seconds with six digits; BOOLEAN: 1 or 0. */
function wireValue(value: DuckDBValue, type: SnowflakeType['name'], indent: number): WireValue {
  if (value === null) return null;
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (value instanceof DuckDBDateValue) return String(value.days);
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue) return seconds(value.micros);
  if (type === 'VARIANT') return indented(String(value), indent);
  return String(value);
}

function seconds(micros: bigint): string {
  const digits = (micros < 0n ? -micros : micros).toString().padStart(7, '0');
  return `${micros < 0n ? '-' : ''}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

const rawNumber = ((_: string, value: unknown, { source }: { source: string }) =>
  typeof value === 'number' ? (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source) : value) as (
  key: string,
  value: unknown,
) => unknown;

const indented = (json: string, indent: number): string =>
  indent === 0 ? json : JSON.stringify(JSON.parse(json, rawNumber), null, indent);
