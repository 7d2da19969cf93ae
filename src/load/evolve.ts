import { isDeepStrictEqual } from 'node:util';
import { assert } from '../errors.ts';
import { convertSql } from '../schema/convert.ts';
import { duckdbType, knownMembers } from '../schema/duckdb-types.ts';
import { jsonSql } from '../schema/json-sql.ts';
import { type ColumnType, type Member, OVERFLOW, type RecordSchema } from '../schema/types.ts';
import { identifier, literal } from '../sql.ts';
import type { Stream } from '../stream.ts';
import { OVERFLOW_TYPE, tableSql } from './curated.ts';

/** How a curated table gets from one schema to a wider one, in place, keeping every value of every row. */

/** @returns statements, to run in order in one transaction; none where nothing changes. */
export function evolveTable(stream: Stream, from: RecordSchema, to: RecordSchema): string[] {
  const table = tableSql(stream);
  const old = new Map(from.fields.map((field) => [field.name, field.type]));
  const kept = new Set(to.fields.map((field) => field.name));
  const moved = from.fields.filter((field) => !kept.has(field.name));
  assert(
    moved.every((field) => to.overflow.includes(field.name)),
    `the schema for ${stream.name} has lost a field`,
  );
  return [...moveToOverflow(table, moved), ...to.fields.flatMap(({ name, type }) => evolveColumn(table, [name], old.get(name), type))];
}

/** Before columns are added: a name may leave for the overflow because its twin in another case comes. */
function moveToOverflow(table: string, moved: readonly Member[]): string[] {
  if (moved.length === 0) return [];
  const overflow = `ALTER TABLE ${table} ALTER COLUMN ${identifier(OVERFLOW)} SET DATA TYPE ${OVERFLOW_TYPE} USING ${overflowSql(moved)}`;
  // By the column's own conversion: DuckDB refuses to commit an UPDATE together with the DROP COLUMN that has to follow it.
  return [overflow, ...moved.map(({ name }) => `ALTER TABLE ${table} DROP COLUMN ${identifier(name)}`)];
}

/**
 * The overflow map with the values of `moved` columns added. Entries are in order of name and never null, whichever way they came in; a
 * map without entries is NULL.
 */
export function overflowSql(moved: readonly Member[]): string {
  const added = moved.map(({ name, type }) => `struct_pack(key := ${literal(name)}, value := ${jsonSql(identifier(name), type)})`);
  const held = `coalesce(map_entries(${identifier(OVERFLOW)}), [])`;
  const entries = added.length === 0 ? held : `list_concat(${held}, [${added.join(', ')}])`;
  const real = `list_filter(${entries}, lambda o: struct_extract(o, 'value') IS NOT NULL AND struct_extract(o, 'value') <> 'null')`;
  return `CASE WHEN len(${real}) > 0 THEN map_from_entries(list_sort(${real})) END`;
}

function evolveColumn(table: string, path: readonly string[], from: ColumnType | undefined, to: ColumnType): string[] {
  if (isDeepStrictEqual(from, to)) return [];
  const name = path.map(identifier).join('.');
  if (from === undefined) return [`ALTER TABLE ${table} ADD COLUMN ${name} ${duckdbType(to)}`];
  if (from.kind === 'struct' && to.kind === 'struct' && onlyGrows(from.members, to.members))
    return growStruct(table, path, from.members, to.members);
  return [`ALTER TABLE ${table} ALTER COLUMN ${name} SET DATA TYPE ${duckdbType(to)} USING ${convertSql(name, from, to)}`];
}

function growStruct(table: string, path: readonly string[], from: readonly Member[], to: readonly Member[]): string[] {
  const old = typesByName(from);
  return knownMembers(to).flatMap(({ name, type }) => evolveColumn(table, [...path, name], old.get(name), type));
}

/** Whether members are added, and those that were there are as they were but for members that they got: nothing has to be rewritten. */
function onlyGrows(from: readonly Member[], to: readonly Member[]): boolean {
  const wider = typesByName(to);
  return knownMembers(from).every(({ name, type }) => {
    const next = wider.get(name);
    if (next?.kind === 'struct' && type.kind === 'struct') return onlyGrows(type.members, next.members);
    return isDeepStrictEqual(type, next);
  });
}

const typesByName = (members: readonly Member[]): Map<string, ColumnType> =>
  new Map(knownMembers(members).map((member) => [member.name, member.type]));
