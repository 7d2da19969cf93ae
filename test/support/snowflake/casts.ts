import { timestampFormat } from './formats.ts';
import { sqlString } from './names.ts';
import type { Scope } from './scope.ts';
import { duckType, type SnowflakeType } from './types.ts';

/** A VARIANT is cast by what it holds, anything else as it is. */
export function castSql(value: string, type: SnowflakeType, scope: Scope, tries: boolean): string {
  const cast = tries ? 'TRY_CAST' : 'CAST';
  if (type.name === 'VARIANT' || type.name === 'OBJECT' || type.name === 'ARRAY') return `sf_variant(${value})`;
  if (type.name === 'TEXT') return `sf_text(${value}, ${sqlString(timestampFormat(scope.parameter('TIMESTAMP_OUTPUT_FORMAT')))})`;
  return `(CASE typeof(${value}) WHEN 'JSON' THEN ${cast}(sf_plain(${value}) AS ${duckType(type)}) ELSE ${cast}(${value} AS ${duckType(type)}) END)`;
}
