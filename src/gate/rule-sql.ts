import { type Decimal, decimalOf, EXPONENT_LIMIT } from './decimal.ts';
import { holds, type Literal, type Operator, type Rule } from './rule.ts';

/**
 * The rule as a DuckDB expression that is TRUE where a value passes and FALSE otherwise, never NULL. Says the same as checkValue.
 * @param valueSql an expression of type JSON: the field's raw value, SQL NULL where the record has no such field. It is repeated, so it
 *   should be a column. Numbers are judged by its text, so it must carry them as they were written.
 */
export function ruleSql(rule: Rule, valueSql: string): string {
  const json = `CAST(${valueSql} AS VARCHAR)`;
  switch (rule.kind) {
    case 'and':
    case 'or':
      return `(${rule.rules.map((part) => ruleSql(part, valueSql)).join(rule.kind === 'and' ? ' AND ' : ' OR ')})`;
    case 'not':
      return `(NOT ${ruleSql(rule.rule, valueSql)})`;
    case 'present':
      return `coalesce(${json} <> 'null', FALSE)`;
    case 'absent':
      return `coalesce(${json} = 'null', TRUE)`;
    case 'type':
    case 'compare':
    case 'length':
    case 'in':
    case 'matches':
      return `coalesce(${testSql(rule, json, `json_extract_string(${valueSql}, '$')`)}, FALSE)`;
  }
}

type ValueTest = Extract<Rule, { kind: 'type' | 'compare' | 'length' | 'in' | 'matches' }>;

const IS = {
  text: (json: string) => `starts_with(${json}, '"')`,
  boolean: (json: string) => `${json} IN ('true', 'false')`,
  number: (json: string) => `regexp_matches(${json}, '^-?[0-9]')`,
} as const;

/** @param decoded the value as text; only looked at where it is one. */
function testSql(rule: ValueTest, json: string, decoded: string): string {
  switch (rule.kind) {
    case 'type':
      return `(${IS[rule.type](json)})`;
    case 'compare':
      return `CASE WHEN ${IS.number(json)} THEN ${numberSql(rule.operator, json, rule.number)} END`;
    case 'length':
      return `CASE WHEN ${IS.text(json)} THEN length(${decoded}) ${rule.operator} ${rule.length} END`;
    case 'in':
      return `(${rule.values.map((literal) => equalsSql(literal, json, decoded)).join(' OR ')})`;
    case 'matches':
      return `CASE WHEN ${IS.text(json)} THEN regexp_matches(${decoded}, ${quoted(rule.pattern.re2)}) END`;
  }
}

function equalsSql(literal: Literal, json: string, decoded: string): string {
  if (literal.type === 'boolean') return `${json} = '${literal.value}'`;
  if (literal.type === 'number') return `(${testSql({ kind: 'compare', operator: '=', number: literal.number }, json, decoded)})`;
  return `(CASE WHEN ${IS.text(json)} THEN ${decoded} = ${quoted(literal.text)} END)`;
}

/** NUL cannot stand in a statement's text. */
const quoted = (text: string): string => `'${text.replaceAll("'", "''").replaceAll('\0', "' || chr(0) || '")}'`;

/**
 * Up to 12 digits before the point and 6 after it are compared as decimals of 64 bits, all others by their digits: DuckDB reads a text
 * into a decimal of 128 bits two hundred times slower.
 */
const SHORT_TYPE = 'DECIMAL(18, 6)';
const SHORT = /^-?[0-9]{1,12}(?:\.[0-9]{1,6})?$/;

function numberSql(operator: Operator, json: string, number: string): string {
  const byDigits = digitsSql(operator, json, decimalOf(number));
  if (!SHORT.test(number)) return byDigits;
  const short = `regexp_matches(${json}, '${SHORT.source}')`;
  return `CASE WHEN ${short} THEN TRY_CAST(${json} AS ${SHORT_TYPE}) ${operator} CAST('${number}' AS ${SHORT_TYPE}) ELSE ${byDigits} END`;
}

/** The SQL twin of compareDecimals: sign first, then the place of the first digit, then the digits as text. */
function digitsSql(operator: Operator, json: string, constant: Decimal): string {
  const parts = decimalSql(json);
  const when = (order: number) => (holds(operator, order) ? 'TRUE' : 'FALSE');
  const larger = constant.sign === 0 ? 0 : constant.sign;
  return [
    `CASE WHEN ${parts.sign} <> ${constant.sign} THEN (CASE WHEN ${parts.sign} < ${constant.sign} THEN ${when(-1)} ELSE ${when(1)} END)`,
    `WHEN ${constant.sign} = 0 THEN ${when(0)}`,
    `WHEN ${parts.magnitude} < ${constant.magnitude} THEN ${when(-larger)}`,
    `WHEN ${parts.magnitude} > ${constant.magnitude} THEN ${when(larger)}`,
    `WHEN ${parts.digits} < '${constant.digits}' THEN ${when(-larger)}`,
    `WHEN ${parts.digits} > '${constant.digits}' THEN ${when(larger)}`,
    `ELSE ${when(0)} END`,
  ].join(' ');
}

function decimalSql(json: string): { readonly sign: string; readonly magnitude: string; readonly digits: string } {
  const whole = `regexp_extract(${json}, '^-?([0-9]+)', 1)`;
  const all = `(${whole} || regexp_extract(${json}, '[.]([0-9]+)', 1))`;
  const significant = `ltrim(${all}, '0')`;
  const digits = `rtrim(${significant}, '0')`;
  const power = `regexp_extract(${json}, '[eE][+-]?0*([0-9]+)$', 1)`;
  const exponent = `(CASE WHEN length(${power}) > ${EXPONENT_LIMIT.digits} THEN ${EXPONENT_LIMIT.value} ELSE coalesce(TRY_CAST(${power} AS BIGINT), 0) END)`;
  const signedExponent = `(CASE WHEN regexp_matches(${json}, '[eE]-') THEN -${exponent} ELSE ${exponent} END)`;
  return {
    digits,
    sign: `(CASE WHEN ${digits} = '' THEN 0 WHEN starts_with(${json}, '-') THEN -1 ELSE 1 END)`,
    magnitude: `(length(${whole}) - (length(${all}) - length(${significant})) + ${signedExponent})`,
  };
}
