import { isDeepStrictEqual } from 'node:util';
import { assert } from '../../errors.ts';
import { knownMembers } from '../../schema/duckdb-types.ts';
import type { ColumnType, Member } from '../../schema/types.ts';

/**
 * Snowflake's types, and what a column can take. A value is never converted where it is written: a field whose type has widened has several
 * columns, and each row its value in the one that keeps it as it came.
 */

export function snowflakeType(type: ColumnType): string {
  switch (type.kind) {
    case 'boolean':
      return 'BOOLEAN';
    case 'integer':
      return 'NUMBER(38,0)';
    case 'decimal':
      return `NUMBER(38,${type.scale})`;
    case 'unknown':
    case 'number-text':
    case 'text':
    case 'json':
      return 'VARCHAR';
    case 'list':
    case 'struct':
      return 'VARIANT';
  }
}

/** Whether a column that was made for `column` keeps every value of `type`, told apart from those that it keeps already. */
export function takes(column: ColumnType, type: ColumnType): boolean {
  if (column.kind === 'integer' || column.kind === 'decimal') return isNumberWithin(type, column);
  return column.kind === 'number-text' ? type.kind === 'number-text' : takesInside(column, type);
}

/** Room for whole digits: an integer has 18 at most. */
const WHOLE_DIGITS = 18;

function isNumberWithin(type: ColumnType, column: Extract<ColumnType, { kind: 'integer' | 'decimal' }>): boolean {
  const scale = column.kind === 'integer' ? 0 : column.scale;
  if (type.kind === 'integer') return 38 - scale >= WHOLE_DIGITS;
  // Of one scale alone: a number with more digits before the point may not fit beside the digits behind it.
  return type.kind === 'decimal' && type.scale <= scale && 38 - scale >= type.precision - type.scale;
}

/**
 * The same for what is inside a VARIANT, where a number has its digits either way. A text may look like canonical JSON, so one column never
 * holds both.
 */
function takesInside(column: ColumnType, type: ColumnType): boolean {
  if (type.kind === 'unknown' || column.kind === 'unknown') return true;
  if (isNumber(column) && isNumber(type)) return true;
  if (column.kind === 'json') return type.kind === 'json' || type.kind === 'number-text';
  if (column.kind === 'list' && type.kind === 'list') return takesInside(column.element, type.element);
  if (column.kind === 'struct' && type.kind === 'struct') return takesMembers(column.members, type.members);
  return column.kind === type.kind;
}

const isNumber = ({ kind }: ColumnType): boolean => kind === 'integer' || kind === 'decimal' || kind === 'number-text';

function takesMembers(column: readonly Member[], members: readonly Member[]): boolean {
  const types = new Map(column.map(({ name, type }) => [name, type]));
  return knownMembers(members).every(({ name, type }) => takesInside(types.get(name) ?? UNKNOWN, type));
}

const UNKNOWN: ColumnType = { kind: 'unknown' };

/** What a column is for, once it has taken values of `type` as well. */
export function widened(column: ColumnType, type: ColumnType): ColumnType {
  if (isDeepStrictEqual(column, type) || type.kind === 'unknown') return column;
  if (column.kind === 'unknown') return type;
  if (column.kind === 'list' && type.kind === 'list') return { kind: 'list', element: widened(column.element, type.element) };
  if (column.kind === 'struct' && type.kind === 'struct') return { kind: 'struct', members: widenedMembers(column.members, type.members) };
  assert(takesInside(column, type) || takes(column, type), `a column of ${column.kind} was given ${type.kind}`);
  return column;
}

function widenedMembers(column: readonly Member[], members: readonly Member[]): Member[] {
  const types = new Map(column.map(({ name, type }) => [name, type]));
  for (const { name, type } of members) types.set(name, widened(types.get(name) ?? UNKNOWN, type));
  return [...types].map(([name, type]) => ({ name, type })).sort((a, b) => (a.name < b.name ? -1 : 1));
}
