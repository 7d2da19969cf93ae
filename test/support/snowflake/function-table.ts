import { castSql, jsonList, variantSql } from './casts.ts';
import { shown } from './catalogue.ts';
import { Cursor } from './cursor.ts';
import { timestampFormat } from './formats.ts';
import { sqlString } from './names.ts';
import type { Scope } from './scope.ts';
import type { SnowflakeType } from './types.ts';

/** The functions that are known, by name: arguments as DuckDB's SQL in, a call out. */

const LTZ: SnowflakeType = { name: 'TIMESTAMP_LTZ', scale: 9 };
const NTZ: SnowflakeType = { name: 'TIMESTAMP_NTZ', scale: 9 };
const TEXT: SnowflakeType = { name: 'TEXT', length: 16_777_216 };

export type Translation = (args: readonly string[], scope: Scope) => string;

const same =
  (name: string): Translation =>
  (args) =>
    `${name}(${args.join(', ')})`;
export const anyNull = (args: readonly string[]): string => args.map((arg) => `${arg} IS NULL`).join(' OR ');
const nullIfAnyIs =
  (name: string): Translation =>
  (args) =>
    `(CASE WHEN ${anyNull(args)} THEN NULL ELSE ${name}(${args.join(', ')}) END)`;
const cast =
  (type: SnowflakeType, tries = false): Translation =>
  (args, scope) =>
    castSql(args[0] ?? 'NULL', type, scope, tries);
const instant: Translation = (_, scope) => `make_timestamptz(${scope.now()})`;

function number(args: readonly string[], scope: Scope, tries: boolean): string {
  return castSql(args[0] ?? 'NULL', { name: 'FIXED', precision: Number(args[1] ?? 38), scale: Number(args[2] ?? 0) }, scope, tries);
}

const toText: Translation = (args, scope) =>
  args[1] === undefined
    ? castSql(args[0] ?? 'NULL', TEXT, scope, false)
    : `strftime(${args[0]}, ${sqlString(timestampFormat(args[1].slice(1, -1)))})`;

/** Alternating keys and values; a pair with a NULL in it is left out. */
const objectOf: Translation = (args) => `sf_object(${jsonList(args)})`;
const part = (unit = ''): string => unit.replace(/^'(.*)'$/, '$1').toLowerCase();

export const FUNCTIONS: Readonly<Record<string, Translation>> = {
  ABS: same('abs'),
  CEIL: same('ceil'),
  FLOOR: same('floor'),
  ROUND: same('round'),
  MOD: ([a, b]) => `(${a} % ${b})`,
  COALESCE: same('coalesce'),
  NVL: same('coalesce'),
  IFNULL: same('coalesce'),
  NULLIF: same('nullif'),
  NVL2: ([a, b, c]) => `(CASE WHEN ${a} IS NOT NULL THEN ${b} ELSE ${c} END)`,
  IFF: ([a, b, c]) => `(CASE WHEN ${a} THEN ${b} ELSE ${c} END)`,
  EQUAL_NULL: ([a, b]) => `(${a} IS NOT DISTINCT FROM ${b})`,
  GREATEST: nullIfAnyIs('greatest'),
  LEAST: nullIfAnyIs('least'),
  CONCAT: (args) => `(${args.join(' || ')})`,
  LENGTH: same('length'),
  LEN: same('length'),
  UPPER: same('upper'),
  LOWER: same('lower'),
  TRIM: same('trim'),
  LTRIM: same('ltrim'),
  RTRIM: same('rtrim'),
  LEFT: same('left'),
  RIGHT: same('right'),
  SUBSTR: same('substr'),
  SUBSTRING: same('substr'),
  REPLACE: same('replace'),
  STARTSWITH: same('starts_with'),
  ENDSWITH: same('ends_with'),
  CONTAINS: same('contains'),
  SPLIT_PART: same('split_part'),
  LPAD: same('lpad'),
  REPEAT: same('repeat'),
  REGEXP_LIKE: same('regexp_full_match'),
  REGEXP_REPLACE: ([text, pattern, by]) => `regexp_replace(${text}, ${pattern}, ${by ?? "''"}, 'g')`,
  MD5: same('md5'),
  SHA2: ([text]) => `sha256(${text})`,
  TO_VARIANT: ([value = 'NULL']) => variantSql(value),
  PARSE_JSON: ([text]) => `sf_parse(${text})`,
  TRY_PARSE_JSON: ([text]) => `sf_try_parse(${text})`,
  TO_JSON: ([value = 'NULL']) => `CAST(${variantSql(value)} AS VARCHAR)`,
  OBJECT_CONSTRUCT: objectOf,
  OBJECT_INSERT: ([object, key, value, replaces]) => `sf_insert(${object}, ${key}, ${variantSql(value ?? 'NULL')}, ${replaces ?? 'FALSE'})`,
  OBJECT_DELETE: ([object, ...keys]) => keys.reduce((rest, key) => `sf_remove(${rest}, ${key})`, object ?? 'NULL'),
  ARRAY_CONSTRUCT: (args) => `sf_array(${jsonList(args)})`,
  ARRAY_SIZE: ([value]) => `CAST(json_array_length(${value}) AS BIGINT)`,
  OBJECT_KEYS: ([value]) => `sf_variant(json_keys(${value}))`,
  GET: ([value, key]) => `sf_get(${value}, ${/^\d+$/.test(key ?? '') ? `'$[${key}]'` : `'$."' || ${key} || '"'`})`,
  GET_PATH: ([value, path]) => `sf_get(${value}, '$.' || ${path})`,
  TYPEOF: ([value]) => `sf_typeof(${value})`,
  IS_NULL_VALUE: ([value]) => `(json_type(${value}) = 'NULL')`,
  IS_OBJECT: ([value]) => `(json_type(${value}) = 'OBJECT')`,
  IS_ARRAY: ([value]) => `(json_type(${value}) = 'ARRAY')`,
  STRIP_NULL_VALUE: ([value]) => `(CASE json_type(${value}) WHEN 'NULL' THEN NULL ELSE ${value} END)`,
  TO_VARCHAR: toText,
  TO_CHAR: toText,
  TO_BOOLEAN: cast({ name: 'BOOLEAN' }),
  TRY_TO_BOOLEAN: cast({ name: 'BOOLEAN' }, true),
  TO_DOUBLE: cast({ name: 'REAL' }),
  TRY_TO_DOUBLE: cast({ name: 'REAL' }, true),
  TO_DATE: cast({ name: 'DATE' }),
  TRY_TO_DATE: cast({ name: 'DATE' }, true),
  TO_NUMBER: (args, scope) => number(args, scope, false),
  TO_DECIMAL: (args, scope) => number(args, scope, false),
  TRY_TO_NUMBER: (args, scope) => number(args, scope, true),
  TRY_TO_DECIMAL: (args, scope) => number(args, scope, true),
  TO_TIMESTAMP_LTZ: ([value, scale], scope) => epochOr(value, scale, LTZ, scope),
  TO_TIMESTAMP_NTZ: ([value, scale], scope) => epochOr(value, scale, NTZ, scope),
  TO_TIMESTAMP: ([value, scale], scope) => epochOr(value, scale, NTZ, scope),
  TRY_TO_TIMESTAMP_LTZ: cast(LTZ, true),
  TRY_TO_TIMESTAMP_NTZ: cast(NTZ, true),
  CURRENT_TIMESTAMP: instant,
  LOCALTIMESTAMP: instant,
  GETDATE: instant,
  SYSDATE: (_, scope) => `make_timestamp(${scope.now()})`,
  CURRENT_DATE: (_, scope) => `CAST(make_timestamptz(${scope.now()}) AS DATE)`,
  DATE_TRUNC: (args) => `date_trunc('${part(args[0])}', ${args[1]})`,
  DATEADD: (args) => `(${args[2]} + to_${plural(part(args[0]))}(CAST(${args[1]} AS BIGINT)))`,
  DATEDIFF: (args) => `date_diff('${part(args[0])}', ${args[1]}, ${args[2]})`,
  DATE_PART: (args) => epochPart(part(args[0]), args[1] ?? 'NULL'),
  YEAR: same('year'),
  MONTH: same('month'),
  DAY: same('day'),
  HOUR: same('hour'),
  CONVERT_TIMEZONE: ([zone, value]) => `(CAST(${value} AS TIMESTAMPTZ) AT TIME ZONE ${zone})`,
  COUNT_IF: same('count_if'),
  SUM: same('sum'),
  MIN: same('min'),
  MAX: same('max'),
  AVG: same('avg'),
  MEDIAN: same('median'),
  ANY_VALUE: same('any_value'),
  BOOLOR_AGG: same('bool_or'),
  BOOLAND_AGG: same('bool_and'),
  ROW_NUMBER: same('row_number'),
  RANK: same('rank'),
  DENSE_RANK: same('dense_rank'),
  LAG: same('lag'),
  LEAD: same('lead'),
  FIRST_VALUE: same('first_value'),
  LAST_VALUE: same('last_value'),
  ARRAY_AGG: ([value]) => `sf_array(list(CAST(${variantSql(value ?? 'NULL')} AS VARCHAR)) FILTER (${value} IS NOT NULL))`,
  SEQ4: () => '(row_number() OVER () - 1)',
  IS_ROLE_IN_SESSION: ([role = ''], scope) => (scope.hasRole(role.slice(1, -1)) ? 'TRUE' : 'FALSE'),
  SYSTEM$GET_TAG_ON_CURRENT_COLUMN: ([tag = ''], scope) => textOrNull(tagValue(tag.slice(1, -1), scope)),
  SYSTEM$TYPEOF: ([value]) => `typeof(${value})`,
};

export const textOrNull = (value: string | null): string => (value === null ? 'CAST(NULL AS VARCHAR)' : sqlString(value));

/** The tag is named in a text, as it would be in a statement. */
const tagValue = (tag: string, { columnTags }: Scope): string | null => columnTags?.get(shown(new Cursor(tag).qualifiedName())) ?? null;

const plural = (unit: string): string => (unit.endsWith('s') ? unit : `${unit}s`);

/** Seconds, milliseconds, microseconds or nanoseconds since the epoch, or a text. */
function epochOr(value = 'NULL', scale: string | undefined, type: SnowflakeType, scope: Scope): string {
  if (scale === undefined && !/^\(?-? ?\d+\)?$/.test(value)) return castSql(value, type, scope, false);
  const micros = `CAST(CAST(${value} AS DECIMAL(38,0)) * 1000000 / ${10 ** Number(scale ?? 0)} AS BIGINT)`;
  const exact = `CAST(CASE WHEN ${Number(scale ?? 0)} <= 6 THEN CAST(${value} AS DECIMAL(38,0)) * ${10 ** Math.max(0, 6 - Number(scale ?? 0))} ELSE ${micros} END AS BIGINT)`;
  return type.name === 'TIMESTAMP_LTZ' ? `make_timestamptz(${exact})` : `make_timestamp(${exact})`;
}

function epochPart(unit: string, value: string): string {
  const scales: Readonly<Record<string, string>> = {
    epoch_second: `CAST(floor(epoch(${value})) AS BIGINT)`,
    epoch_millisecond: `epoch_ms(${value})`,
    epoch_microsecond: `epoch_us(${value})`,
    epoch_nanosecond: `epoch_ns(${value})`,
  };
  return scales[unit] ?? `date_part('${unit}', ${value})`;
}
