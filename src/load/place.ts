import type { EngineValue } from '../engine.ts';
import { canonicalJson, parseExact, valueAt } from '../json/exact.ts';
import { knownMembers } from '../schema/duckdb-types.ts';
import { jsonSql } from '../schema/json-sql.ts';
import { type ColumnType, OVERFLOW, type RecordSchema } from '../schema/types.ts';
import { identifier, literal } from '../sql.ts';

/** Where a row holds what a path of field names leads to. */
export interface Place {
  /** Canonical JSON text, as deep as the columns' types lead; NULL where the row has nothing there. */
  readonly sql: string;
  /** The rest of the path, inside that JSON: DuckDB's own way into JSON takes numbers through a double. */
  readonly rest: readonly string[];
}

export const NOWHERE: Place = { sql: 'CAST(NULL AS VARCHAR)', rest: [] };

export function placeOf({ fields, overflow }: RecordSchema, [name = '', ...rest]: readonly string[]): Place {
  if (overflow.includes(name)) return { sql: `${OVERFLOW}[${literal(name)}]`, rest };
  const field = fields.find((candidate) => candidate.name === name);
  return field ? placeIn(identifier(name), field.type, rest) : NOWHERE;
}

function placeIn(expr: string, type: ColumnType, path: readonly string[]): Place {
  const [name, ...rest] = path;
  if (name === undefined || type.kind === 'json') return { sql: jsonSql(expr, type), rest: path };
  const member = type.kind === 'struct' ? knownMembers(type.members).find((candidate) => candidate.name === name) : undefined;
  return member ? placeIn(`struct_extract(${expr}, ${literal(name)})`, member.type, rest) : NOWHERE;
}

/** @param value of the place's SQL. @returns canonical JSON; null where there is nothing. */
export function jsonAt(value: EngineValue | undefined, { rest }: Place): string | null {
  if (typeof value !== 'string') return null;
  if (rest.length === 0) return value;
  const found = valueAt(parseExact(value), rest);
  return found === null ? null : canonicalJson(found);
}
