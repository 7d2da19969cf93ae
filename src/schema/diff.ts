import { duckdbType } from './duckdb-types.ts';
import type { ColumnType, Member, RecordSchema } from './types.ts';

/** One difference between two schemas of a stream. `from` is null for a field that is new, `to` is `_overflow` for one that moved there. */
export interface SchemaChange {
  readonly path: string;
  readonly from: string | null;
  readonly to: string;
}

export function diffSchemas(before: RecordSchema, after: RecordSchema): SchemaChange[] {
  const moved = after.overflow.filter((name) => !before.overflow.includes(name));
  const from = (name: string): string | null => {
    const column = before.fields.find((field) => field.name === name);
    return column ? describe(column.type) : null;
  };
  return [...diffMembers('', before.fields, after.fields), ...moved.map((path) => ({ path, from: from(path), to: '_overflow' }))];
}

function diffMembers(prefix: string, before: readonly Member[], after: readonly Member[]): SchemaChange[] {
  const known = new Map(before.map((member) => [member.name, member.type]));
  return after.flatMap(({ name, type }) => diffTypes(prefix === '' ? name : `${prefix}.${name}`, known.get(name) ?? null, type));
}

function diffTypes(path: string, before: ColumnType | null, after: ColumnType): SchemaChange[] {
  if (after.kind === 'struct' && (before === null || before.kind === 'struct'))
    return diffMembers(path, before?.members ?? [], after.members);
  if (after.kind === 'list' && before?.kind === 'list') return diffTypes(`${path}[]`, before.element, after.element);
  const from = before && describe(before);
  const to = describe(after);
  return from === to ? [] : [{ path, from, to }];
}

/** The type as people read it. VARCHAR alone would not tell text, exact number and JSON apart. */
export function describe(type: ColumnType): string {
  if (type.kind === 'list') return `${describe(type.element)}[]`;
  if (type.kind === 'struct') return `struct(${type.members.map((member) => `${member.name} ${describe(member.type)}`).join(', ')})`;
  return type.kind === 'integer' || type.kind === 'decimal' || type.kind === 'boolean' ? duckdbType(type).toLowerCase() : type.kind;
}
