import { canonicalJson, type ExactObject, type ExactValue, isHollow, JsonNumber, valueAt } from '../json/exact.ts';
import { canonicalNumber } from '../json/number.ts';
import { identifier, literal } from '../sql.ts';
import type { KeyColumn, Transform } from '../stream.ts';
import { duckdbType } from './duckdb-types.ts';
import { jsonSql } from './json-sql.ts';
import { type ColumnType, DERIVED, type RecordSchema } from './types.ts';

/**
 * Columns that a stream's configuration makes of its records, in the struct `_derived`. An expression names what it reads of the record in
 * braces, as `{payload.amount}`, and is given that as text: the text itself, a number's digits, `true`, canonical JSON of whatever is more.
 * So what it makes depends on the record alone, whichever type the field's column has by then.
 */

/** `{payload.amount}`. A brace that is meant as one stands in a text, and there is doubled: `'{{'`. */
const INPUT = /\{\{|\}\}|\{([^{}]*)\}/g;

export type Input = readonly string[];

/** What expressions read, each once. */
export function inputsOf(transform: Transform | null): Input[] {
  const texts = (transform?.columns ?? []).flatMap(({ sql }) => [...sql.matchAll(INPUT)].flatMap(([, path]) => (path ? [path] : [])));
  return [...new Set(texts)].sort().map((path) => path.split('.'));
}

/** Why an expression cannot be one; null where it may be. What DuckDB says of it is another question. */
export function expressionProblem(sql: string): string | null {
  const bare = sql.replaceAll(/'(?:[^']|'')*'/g, "''").replaceAll(INPUT, (_all, path?: string) => (path === undefined ? '' : 'x'));
  if (/[{}]/.test(bare)) return 'a brace is missing: fields stand in braces, as {payload.amount}, and a brace in a text is doubled';
  if (inputsOf({ version: 1, columns: [{ name: '', type: { kind: 'text' }, sql }] }).some((path) => path.includes('')))
    return 'names no field: paths are written as {payload.amount}';
  if (/;|--|\/\*/.test(bare)) return 'is more than one expression';
  const changing = CHANGING.exec(bare)?.[0];
  if (changing) return `says ${changing}: an expression depends on the record alone, so that a replay gives the same`;
  return null;
}

/** What DuckDB answers differently from query to query (what changes from row to row it refuses itself), and ways out of the record. */
const CHANGING =
  /\b(?:now|today|current_\w+|get_current_\w+|localtime\w*|transaction_timestamp|getenv|getvariable|select|from|read_\w+|over)\b/i;

/** The schema with the struct of derived columns; as it is where there are none. */
export function withDerived(schema: RecordSchema, transform: Transform | null): RecordSchema {
  const columns = transform?.columns ?? [];
  if (columns.length === 0) return schema;
  const members = columns.map(({ name, type }) => ({ name, type })).sort(byName);
  return { ...schema, fields: [...schema.fields, { name: DERIVED, type: { kind: 'struct' as const, members } }].sort(byName) };
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);

/**
 * Inputs that are written beside a record's columns, as texts: those that lie in a JSON column or in the overflow, whose digits SQL would
 * round, and the fields of the version, whose columns do not have them as they were written.
 */
export function writtenInputs(inputs: readonly Input[], schema: RecordSchema, fixed: FixedInputs): Input[] {
  return inputs.filter((path) => inputSql(path, schema, fixed) === null);
}

/** Columns that a record's own fields do not decide. */
export interface FixedInputs {
  readonly key: readonly KeyColumn[];
  readonly version: readonly { readonly name: string }[];
}

export const inputName = (path: Input): string => path.join('.');

/** As the expression is given it; null where the record has nothing there. */
export function inputText(record: ExactObject, path: Input): string | null {
  const value: ExactValue = valueAt(record, path);
  if (isHollow(value)) return null;
  if (typeof value === 'string') return value;
  return value instanceof JsonNumber ? canonicalNumber(value.source) : canonicalJson(value);
}

/**
 * The struct of derived columns, over the record `r`. An expression that fails for a record gives NULL there: one odd record must not
 * keep its batch out.
 */
export function derivedSql(transform: Transform, schema: RecordSchema, fixed: FixedInputs): string {
  const columns = transform.columns.map(({ name, type, sql }) => {
    const given = sql.replaceAll(INPUT, (brace: string, path?: string) => (path === undefined ? brace.slice(1) : inputExpression(path)));
    return `${identifier(name)} := TRY(CAST((${given}) AS ${duckdbType(type)}))`;
  });
  return `struct_pack(${columns.join(', ')})`;

  function inputExpression(text: string): string {
    const path = text.split('.');
    const given = inputSql(path, schema, fixed) ?? `r.${DERIVED}.${identifier(inputName(path))}`;
    // DuckDB would move a cast of a member down to where the struct is read, out of TRY; of a coalesce it does not.
    return `coalesce(${given}, NULL)`;
  }
}

/** @returns null where it is written beside the columns. */
function inputSql(path: Input, schema: RecordSchema, { key, version }: FixedInputs): string | null {
  const [name = '', ...rest] = path;
  const constant = key.find((column) => column.name === name)?.constant ?? null;
  if (constant !== null) return rest.length > 0 ? NOTHING : literal(constant);
  if (key.some((column) => column.name === name)) return rest.length > 0 ? NOTHING : `r.${identifier(name)}`;
  if (version.some((column) => column.name === name)) return rest.length > 0 ? NOTHING : null;
  if (schema.overflow.includes(name)) return null;
  const field = schema.fields.find((one) => one.name === name);
  return field && name !== DERIVED ? typedSql(`r.${identifier(name)}`, field.type, rest) : NOTHING;
}

const NOTHING = 'CAST(NULL AS VARCHAR)';

function typedSql(expr: string, type: ColumnType, path: readonly string[]): string | null {
  if (type.kind === 'json') return null;
  const [name, ...rest] = path;
  if (name === undefined) return type.kind === 'text' ? expr : jsonSql(expr, type);
  const member = type.kind === 'struct' ? type.members.find((one) => one.name === name) : undefined;
  return member ? typedSql(`struct_extract(${expr}, ${literal(name)})`, member.type, rest) : NOTHING;
}
