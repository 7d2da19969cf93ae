import type { DuckDBConnection } from '@duckdb/node-api';
import { DuckDBScalarFunction, VARCHAR } from '@duckdb/node-api';

/** VARIANT is kept as JSON text: no spaces, members in the order of their names, numbers digit for digit. */

type Json = null | boolean | string | RawNumber | readonly Json[] | { readonly [name: string]: Json };

class RawNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const parse = (text: string): Json =>
  JSON.parse(text, ((_: string, value: unknown, context: { source: string }) =>
    typeof value === 'number' ? new RawNumber(shortest(context.source)) : value) as (key: string, value: unknown) => unknown) as Json;

/** 1.10 is 1.1; digits are never lost. */
function shortest(source: string): string {
  if (/[eE]/.test(source)) return String(Number(source));
  return source.includes('.') ? source.replace(/\.?0+$/, '') : source;
}

function write(value: Json): string {
  if (value instanceof RawNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value as { readonly [name: string]: Json }).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${write(member)}`).join(',')}}`;
}

export const canonical = (text: string): string => write(parse(text));

/** `$."a"[0]` */
function get(text: string, path: string): string | null {
  let value: Json | undefined = parse(text);
  for (const [, name, index, bare] of path.matchAll(/\."((?:[^"]|"")*)"|\[(\d+)\]|\.([A-Za-z_][A-Za-z0-9_$]*)/g)) {
    if (value === null || typeof value !== 'object' || value instanceof RawNumber) return null;
    value = (value as Record<string, Json>)[index ?? name?.replaceAll('""', '"') ?? bare ?? ''];
    if (value === undefined) return null;
  }
  return value === undefined ? null : write(value);
}

/** From a list of JSON texts. */
const itemsOf = (list: string): Json[] => (JSON.parse(list) as (string | null)[]).map((item) => (item === null ? null : parse(item)));

const arrayOf = (list: string): string => write(itemsOf(list));

/** Members from [key, value, key, value, …]; pairs with a NULL are left out. */
function objectOf(list: string): string {
  const items = itemsOf(list);
  const pairs = Array.from({ length: Math.floor(items.length / 2) }, (_, pair) => [items[2 * pair], items[2 * pair + 1]] as const);
  return write(
    Object.fromEntries(
      pairs.filter(([key, value]) => key !== null && value !== null).map(([key, value]) => [key as string, value ?? null]),
    ),
  );
}

/** A VARIANT as text: a text without its quotes, null as NULL. */
function plain(text: string): string | null {
  const value = text.startsWith('"') || text === 'null' ? (JSON.parse(text) as string | null) : text;
  return value;
}

/** OBJECT_INSERT: without a value there is nothing to insert; OBJECT_DELETE. */
function insert(object: string, key: string, value: string | null, replaces: string): string {
  const members = parse(object) as Record<string, Json>;
  if (value === null) return object;
  if (key in members && replaces !== 'true') throw new Error(`Duplicate field key '${key}'`);
  return write({ ...members, [key]: parse(value) });
}

function remove(object: string, key: string): string {
  const { [key]: _, ...rest } = parse(object) as Record<string, Json>;
  return write(rest);
}

const TYPES: Readonly<Record<string, string>> = { string: 'VARCHAR', boolean: 'BOOLEAN', object: 'OBJECT' };

function typeOf(text: string): string {
  const value = parse(text);
  if (value === null) return 'NULL_VALUE';
  if (Array.isArray(value)) return 'ARRAY';
  if (value instanceof RawNumber) return value.text.includes('.') ? 'DECIMAL' : 'INTEGER';
  return TYPES[typeof value] ?? 'OBJECT';
}

function tried(text: string): string | null {
  try {
    return canonical(text);
  } catch {
    return null;
  }
}

/** Name, number of arguments, and which of them may be NULL; any other makes the answer NULL. */
const BUILT_IN: readonly [string, number, (...args: string[]) => string | null, nullable?: number][] = [
  ['sf_canonical', 1, canonical],
  ['sf_tried', 1, tried],
  ['sf_get_text', 2, get],
  ['sf_object_text', 1, objectOf],
  ['sf_array_text', 1, arrayOf],
  ['sf_insert_text', 4, insert, 2],
  ['sf_plain_text', 1, plain],
  ['sf_remove_text', 2, remove],
  ['sf_typeof_text', 1, typeOf],
];

const MACROS = `
CREATE OR REPLACE MACRO sf_parse(x) AS CAST(sf_canonical(CAST(x AS VARCHAR)) AS JSON);
CREATE OR REPLACE MACRO sf_try_parse(x) AS CAST(sf_tried(CAST(x AS VARCHAR)) AS JSON);
CREATE OR REPLACE MACRO sf_variant(x) AS CAST(sf_canonical(CAST(to_json(x) AS VARCHAR)) AS JSON);
CREATE OR REPLACE MACRO sf_plain(x) AS sf_plain_text(CAST(x AS VARCHAR));
CREATE OR REPLACE MACRO sf_text(x, format) AS CASE WHEN typeof(x) = 'JSON' THEN sf_plain(x) WHEN starts_with(typeof(x), 'TIMESTAMP') THEN strftime(TRY_CAST(x AS TIMESTAMP), format) ELSE CAST(x AS VARCHAR) END;
CREATE OR REPLACE MACRO sf_get(x, path) AS CAST(sf_get_text(CAST(x AS VARCHAR), path) AS JSON);
CREATE OR REPLACE MACRO sf_object(x) AS CAST(sf_object_text(CAST(to_json(x) AS VARCHAR)) AS JSON);
CREATE OR REPLACE MACRO sf_array(x) AS CAST(sf_array_text(CAST(to_json(x) AS VARCHAR)) AS JSON);
CREATE OR REPLACE MACRO sf_insert(o, k, v, u) AS CAST(sf_insert_text(CAST(o AS VARCHAR), k, CAST(v AS VARCHAR), CAST(u AS VARCHAR)) AS JSON);
CREATE OR REPLACE MACRO sf_remove(o, k) AS CAST(sf_remove_text(CAST(o AS VARCHAR), k) AS JSON);
CREATE OR REPLACE MACRO sf_typeof(x) AS sf_typeof_text(CAST(x AS VARCHAR));
`;

/** Gives the connection's database the functions that the translation of VARIANT calls. */
export async function addVariantFunctions(connection: DuckDBConnection): Promise<void> {
  for (const [name, arity, compute, nullable] of BUILT_IN) {
    connection.registerScalarFunction(
      DuckDBScalarFunction.create({
        name,
        returnType: VARCHAR,
        parameterTypes: Array.from({ length: arity }, () => VARCHAR),
        specialHandling: nullable !== undefined,
        mainFunction: (info, input, output) => {
          const columns = Array.from({ length: arity }, (_, index) => input.getColumnVector(index));
          for (let row = 0; row < input.rowCount; row += 1) {
            const args = columns.map((column) => column.getItem(row) as string | null);
            try {
              output.setItem(row, args.some((arg, index) => arg === null && index !== nullable) ? null : compute(...(args as string[])));
            } catch (error) {
              info.setError(String(error));
              return;
            }
          }
          output.flush();
        },
      }),
    );
  }
  await connection.run(MACROS);
}
