import { duckdbType } from '../../src/schema/duckdb-types.ts';
import type { ColumnType, Member } from '../../src/schema/types.ts';
import { identifier, literal } from '../../src/sql.ts';
import { canonical, type Json, type TypedNumber } from './canonical-json.ts';

/** A value of a type, written as DuckDB SQL. */
export function valueSql(value: Json, type: ColumnType): string {
  if (value === null) return `CAST(NULL AS ${duckdbType(type)})`;
  if (type.kind === 'list') return listSql(value as Json[], type);
  if (type.kind === 'struct') return structSql(value as Record<string, Json>, type.members);
  if (type.kind === 'text') return literal(value as string);
  if (type.kind === 'json') return literal(canonical(value));
  if (type.kind === 'boolean') return value === true ? 'true' : 'false';
  const { digits } = value as TypedNumber;
  return type.kind === 'number-text' ? literal(digits) : `CAST('${digits}' AS ${duckdbType(type)})`;
}

const listSql = (items: readonly Json[], type: ColumnType & { kind: 'list' }): string =>
  `CAST([${items.map((item) => valueSql(item, type.element)).join(', ')}] AS ${duckdbType(type)})`;

function structSql(value: Record<string, Json>, members: readonly Member[]): string {
  const known = members.filter(({ type }) => type.kind !== 'unknown');
  return `struct_pack(${known.map(({ name, type }) => `${identifier(name)} := ${valueSql(value[name] ?? null, type)}`).join(', ')})`;
}

/** Members in order of name, as every schema has them. */
export const membersOf = (types: Readonly<Record<string, ColumnType>>): Member[] =>
  Object.entries(types)
    .map(([name, type]): Member => ({ name, type }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));

export const integer: ColumnType = { kind: 'integer' };
export const text: ColumnType = { kind: 'text' };
export const json: ColumnType = { kind: 'json' };
export const decimal = (precision: 18 | 38, scale: number): ColumnType => ({ kind: 'decimal', precision, scale });
export const list = (element: ColumnType): ColumnType => ({ kind: 'list', element });
export const struct = (members: Readonly<Record<string, ColumnType>>): ColumnType => ({ kind: 'struct', members: membersOf(members) });
