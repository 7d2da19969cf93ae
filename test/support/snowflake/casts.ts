import { timestampFormat } from './formats.ts';
import { sqlString } from './names.ts';
import type { Scope } from './scope.ts';
import { duckType, type SnowflakeType } from './types.ts';

/** A VARIANT is cast by what it holds, anything else as it is. */
export function castSql(value: string, type: SnowflakeType, scope: Scope, tries: boolean): string {
  const cast = tries ? 'TRY_CAST' : 'CAST';
  if (type.name === 'VARIANT' || type.name === 'OBJECT' || type.name === 'ARRAY') return variantSql(value);
  if (type.name === 'TEXT') {
    const format = sqlString(timestampFormat(scope.parameter('TIMESTAMP_OUTPUT_FORMAT')));
    return once(value, (operand) => `sf_text(${operand}, ${format})`);
  }
  const to = duckType(type);
  return once(
    value,
    (operand) => `(CASE typeof(${operand}) WHEN 'JSON' THEN ${cast}(sf_plain(${operand}) AS ${to}) ELSE ${cast}(${operand} AS ${to}) END)`,
  );
}

/** What is long is written once and named: written as often as it is meant, nested casts would grow with the power of two. */
const once = (value: string, use: (operand: string) => string): string =>
  value.length < 60 ? use(value) : `(list_transform([${value}], lambda v: ${use('v')})[1])`;

/** DuckDB's own to_json would make doubles of the numbers of what is JSON already. */
export const variantSql = (value: string): string =>
  /^sf_(?:get|insert|remove|parse|try_parse|object|array|variant)\([^()]*\)$/.test(value)
    ? value
    : once(value, (operand) => `(CASE typeof(${operand}) WHEN 'JSON' THEN TRY_CAST(${operand} AS JSON) ELSE sf_variant(${operand}) END)`);

/** As JSON text, for functions that take any number of values. */
export const jsonList = (values: readonly string[]): string =>
  `[${values.map((value) => `CAST(${variantSql(value)} AS VARCHAR)`).join(', ')}]`;
