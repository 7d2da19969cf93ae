import { compareDecimals } from './decimal.ts';
import { holds, type Literal, type Rule, type ScalarType } from './rule.ts';

/**
 * Whether a field's value passes. Says the same as the SQL of ruleSql.
 * @param jsonText the field's raw JSON value without blanks around it, or null where the record has no such field.
 */
export function checkValue(rule: Rule, jsonText: string | null): boolean {
  const value = jsonText === 'null' ? null : jsonText;
  switch (rule.kind) {
    case 'and':
      return rule.rules.every((part) => checkValue(part, value));
    case 'or':
      return rule.rules.some((part) => checkValue(part, value));
    case 'not':
      return !checkValue(rule.rule, value);
    case 'present':
      return value !== null;
    case 'absent':
      return value === null;
    case 'type':
    case 'compare':
    case 'length':
    case 'in':
    case 'matches':
      return value !== null && checkPresent(rule, value);
  }
}

type ValueTest = Extract<Rule, { kind: 'type' | 'compare' | 'length' | 'in' | 'matches' }>;

function checkPresent(rule: ValueTest, json: string): boolean {
  const type = scalarType(json);
  switch (rule.kind) {
    case 'type':
      return type === rule.type;
    case 'compare':
      return type === 'number' && holds(rule.operator, compareDecimals(json, rule.number));
    case 'length':
      return type === 'text' && holds(rule.operator, Math.sign(characters(textOf(json)) - rule.length));
    case 'in':
      return rule.values.some((literal) => literal.type === type && equals(literal, json));
    case 'matches':
      return type === 'text' && new RegExp(rule.pattern.javascript, 'u').test(textOf(json));
  }
}

function scalarType(json: string): ScalarType | null {
  if (json.startsWith('"')) return 'text';
  if (json === 'true' || json === 'false') return 'boolean';
  return /^-?[0-9]/.test(json) ? 'number' : null;
}

function textOf(json: string): string {
  const text: string = JSON.parse(json);
  return text;
}

/** Code points, as DuckDB's length() counts. */
const characters = (text: string): number => Array.from(text).length;

function equals(literal: Literal, json: string): boolean {
  if (literal.type === 'text') return textOf(json) === literal.text;
  if (literal.type === 'boolean') return json === String(literal.value);
  return compareDecimals(json, literal.number) === 0;
}
