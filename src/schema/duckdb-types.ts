import { assert } from '../errors.ts';
import { identifier } from '../sql.ts';
import type { ColumnType, Member } from './types.ts';

/** DuckDB's name for a column type. Texts, number-texts and JSON are all VARCHAR: RecordSchema tells them apart. */
export function duckdbType(type: ColumnType): string {
  switch (type.kind) {
    case 'boolean':
      return 'BOOLEAN';
    case 'integer':
      return 'BIGINT';
    case 'decimal':
      return `DECIMAL(${type.precision}, ${type.scale})`;
    case 'unknown':
    case 'number-text':
    case 'text':
    case 'json':
      return 'VARCHAR';
    case 'list':
      return `${duckdbType(type.element)}[]`;
    case 'struct':
      return structType(type.members);
  }
}

/** Members that have a place in the struct: an unknown one has none yet. */
export function knownMembers(members: readonly Member[]): readonly Member[] {
  return members.filter((member) => member.type.kind !== 'unknown');
}

function structType(members: readonly Member[]): string {
  const known = knownMembers(members);
  assert(known.length > 0, 'a struct without members has no type in DuckDB; it is JSON');
  return `STRUCT(${known.map((member) => `${identifier(member.name)} ${duckdbType(member.type)}`).join(', ')})`;
}
