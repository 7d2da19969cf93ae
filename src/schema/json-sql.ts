import { assert } from '../errors.ts';
import { literal } from '../sql.ts';
import { knownMembers } from './duckdb-types.ts';
import type { ColumnType, Member } from './types.ts';

/**
 * DuckDB SQL for the canonical JSON text of a typed value: members by name (UTF-16 code units), null members left out, null elements
 * kept, numbers in plain digits, texts escaped as JSON.stringify does, no blanks. NULL stays NULL.
 */
export function jsonSql(expr: string, type: ColumnType, depth = 0): string {
  switch (type.kind) {
    case 'unknown':
      return 'CAST(NULL AS VARCHAR)';
    case 'boolean':
      return `CAST(${expr} AS VARCHAR)`;
    case 'integer':
    case 'decimal':
    case 'number-text':
      return plainDigitsSql(expr, type);
    case 'json':
      return expr;
    case 'text':
      return quotedSql(expr);
    case 'list':
      return listSql(expr, type.element, depth);
    case 'struct':
      return structSql(expr, type.members, depth);
  }
}

/** Digits without exponent, trailing zeros or a point that nothing follows. A number-text is canonical already. */
export function plainDigitsSql(expr: string, type: ColumnType): string {
  if (type.kind === 'number-text') return expr;
  const digits = `CAST(${expr} AS VARCHAR)`;
  if (type.kind !== 'decimal' || type.scale === 0) return digits;
  const trimmed = `rtrim(rtrim(${digits}, '0'), '.')`;
  if (type.scale < type.precision) return trimmed;
  // DuckDB writes a decimal that is all scale without its leading zero: `.05`, `-.05`, and for 0 nothing is left after trimming.
  return `regexp_replace(${trimmed}, '^(-?)(\\.|$)', '\\10\\2')`;
}

/**
 * DuckDB's to_json escapes as JSON.stringify does but for nine control characters, whose hex digits it writes in capitals (`\u001B`).
 * Replacing in the finished text would also hit a text that holds a backslash and `u001B` itself, so such texts go by the character.
 */
function quotedSql(expr: string): string {
  const inner = (text: string): string => `CAST(to_json(${text}) AS VARCHAR)[2:-2]`;
  const one = `CASE WHEN c < ' ' THEN lower(${inner('c')}) ELSE ${inner('c')} END`;
  const slow = `'"' || array_to_string(list_transform(string_split(${expr}, ''), lambda c: ${one}), '') || '"'`;
  return `CASE WHEN regexp_matches(${expr}, '[\\x0B\\x0E\\x0F\\x1A-\\x1F]') THEN ${slow} ELSE CAST(to_json(${expr}) AS VARCHAR) END`;
}

function listSql(expr: string, element: ColumnType, depth: number): string {
  const name = `j${depth}`;
  const items = `list_transform(${expr}, lambda ${name}: coalesce(${jsonSql(name, element, depth + 1)}, 'null'))`;
  return `'[' || array_to_string(${items}, ',') || ']'`;
}

/** concat_ws leaves NULLs out, and a NULL member makes its whole `"name":` NULL. */
function structSql(expr: string, members: readonly Member[], depth: number): string {
  const known = knownMembers(members).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  assert(known.length > 0, 'a struct without members has no type in DuckDB; it is JSON');
  const parts = known.map(({ name, type }) => {
    const value = jsonSql(`struct_extract(${expr}, ${literal(name)})`, type, depth);
    return `${literal(`${JSON.stringify(name)}:`)} || ${value}`;
  });
  return `CASE WHEN ${expr} IS NULL THEN NULL ELSE '{' || concat_ws(',', ${parts.join(', ')}) || '}' END`;
}
