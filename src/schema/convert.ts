import { isDeepStrictEqual } from 'node:util';
import { TidemarkError } from '../errors.ts';
import { identifier, literal } from '../sql.ts';
import { duckdbType, knownMembers } from './duckdb-types.ts';
import { jsonSql, plainDigitsSql } from './json-sql.ts';
import type { ColumnType, Member } from './types.ts';

/**
 * DuckDB SQL that turns `expr`, a value of the narrower type `from`, into the same value of the wider type `to`. NULL stays NULL.
 * @throws SCHEMA where `to` cannot hold every value of `from`.
 */
export function convertSql(expr: string, from: ColumnType, to: ColumnType): string {
  return convert(expr, from, to, 0);
}

/** Whether every value of `from` has its exact counterpart in `to`. */
export function canConvert(from: ColumnType, to: ColumnType): boolean {
  if (from.kind === 'unknown' || to.kind === 'json') return true;
  if (from.kind === 'list' && to.kind === 'list') return canConvert(from.element, to.element);
  if (from.kind === 'struct' && to.kind === 'struct') return canConvertMembers(from.members, to.members);
  if (to.kind === 'decimal')
    return from.kind === 'integer' ? to.precision - to.scale >= 18 : from.kind === 'decimal' && fitsDecimal(from, to);
  if (to.kind === 'number-text') return from.kind === 'integer' || from.kind === 'decimal' || from.kind === 'number-text';
  return from.kind === to.kind;
}

function canConvertMembers(from: readonly Member[], to: readonly Member[]): boolean {
  const types = new Map(to.map((member) => [member.name, member.type]));
  return knownMembers(from).every((member) => canConvert(member.type, types.get(member.name) ?? { kind: 'unknown' }));
}

type Decimal = Extract<ColumnType, { kind: 'decimal' }>;
const fitsDecimal = (from: Decimal, to: Decimal): boolean =>
  to.scale >= from.scale && to.precision - to.scale >= from.precision - from.scale;

function convert(expr: string, from: ColumnType, to: ColumnType, depth: number): string {
  if (isDeepStrictEqual(from, to)) return expr;
  if (from.kind === 'unknown') return `CAST(NULL AS ${duckdbType(to)})`;
  if (to.kind === 'json') return jsonSql(expr, from, depth);
  if (from.kind === 'list' && to.kind === 'list') return convertList(expr, from.element, to.element, depth);
  if (from.kind === 'struct' && to.kind === 'struct') return convertStruct(expr, from.members, to.members, depth);
  if (!canConvert(from, to)) throw narrower(from, to);
  return to.kind === 'number-text' ? plainDigitsSql(expr, from) : `CAST(${expr} AS ${duckdbType(to)})`;
}

/** Lambda parameters carry their depth: an inner one must not hide an outer one. */
function convertList(expr: string, from: ColumnType, to: ColumnType, depth: number): string {
  const element = `e${depth}`;
  return `list_transform(${expr}, lambda ${element}: ${convert(element, from, to, depth + 1)})`;
}

/** A NULL struct stays NULL; packing alone would make it a struct of NULLs. */
function convertStruct(expr: string, from: readonly Member[], to: readonly Member[], depth: number): string {
  const types = new Map(from.map((member) => [member.name, member.type]));
  const missing = knownMembers(from).find((member) => !to.some(({ name }) => name === member.name));
  if (missing) throw narrower({ kind: 'struct', members: from }, { kind: 'struct', members: to });
  const members = knownMembers(to).map(({ name, type }) => {
    const member = `struct_extract(${expr}, ${literal(name)})`;
    return `${identifier(name)} := ${convert(member, types.get(name) ?? { kind: 'unknown' }, type, depth)}`;
  });
  return `CASE WHEN ${expr} IS NULL THEN NULL ELSE struct_pack(${members.join(', ')}) END`;
}

function narrower(from: ColumnType, to: ColumnType): TidemarkError {
  return new TidemarkError({
    code: 'SCHEMA',
    message: `A column of type ${duckdbType(to)} (${to.kind}) cannot hold every value of ${duckdbType(from)} (${from.kind})`,
    hint: 'Nothing was changed. Types only widen: load with the union of both schemas.',
  });
}
