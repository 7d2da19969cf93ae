import { canonicalNumber } from './number.ts';

/** A number as it was written. */
export class JsonNumber {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

/** A JSON value whose numbers still have all their digits. */
export type ExactValue = null | boolean | string | JsonNumber | readonly ExactValue[] | ExactObject;
export interface ExactObject {
  readonly [name: string]: ExactValue;
}

type Reviver = (name: string, value: unknown, context: { source?: string }) => unknown;

/** JSON.parse, but numbers keep their text. Of members with one name the last counts. */
export function parseExact(text: string): ExactValue {
  const revive: Reviver = (_name, value, context) => (typeof value === 'number' ? new JsonNumber(context.source ?? String(value)) : value);
  return JSON.parse(text, revive as (name: string, value: unknown) => unknown) as ExactValue;
}

export function isObject(value: ExactValue): value is ExactObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber);
}

const isArray = (value: ExactValue): value is readonly ExactValue[] => Array.isArray(value);

/** The member of that name; null where there is none. What objects inherit is no member. */
export function memberOf(object: ExactObject, name: string): ExactValue {
  return Object.hasOwn(object, name) ? (object[name] ?? null) : null;
}

/** The value that a path of member names leads to; null where it leads nowhere. */
export function valueAt(value: ExactValue, path: readonly string[]): ExactValue {
  return path.reduce<ExactValue>((at, name) => (isObject(at) ? memberOf(at, name) : null), value);
}

/** Whether it is null, or an object without any value: the two are one. */
export function isHollow(value: ExactValue): boolean {
  if (value === null) return true;
  return isObject(value) && Object.values(value).every(isHollow);
}

/**
 * The one text of a value: members sorted by name (UTF-16 code units), members without a value dropped, numbers in canonical digits, texts
 * escaped as JSON.stringify does, no white space. Equal values are equal texts, whichever way they came.
 */
export function canonicalJson(value: ExactValue): string {
  if (isHollow(value)) return 'null';
  if (value instanceof JsonNumber) return canonicalNumber(value.source);
  if (isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const names = Object.keys(value)
    .filter((name) => !isHollow(memberOf(value, name)))
    .sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalJson(memberOf(value, name))}`).join(',')}}`;
}

/** The value as JSON text, with its numbers as they were written and each name once. */
export function exactJson(value: ExactValue): string {
  if (value instanceof JsonNumber) return value.source;
  if (isArray(value)) return `[${value.map(exactJson).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, member]) => `${JSON.stringify(name)}:${exactJson(member)}`)
    .join(',')}}`;
}

/** Whether a text (or name) anywhere in it holds a lone surrogate, which no UTF-8 text can hold. */
export function hasLoneSurrogate(value: ExactValue): boolean {
  if (typeof value === 'string') return !value.isWellFormed();
  if (isArray(value)) return value.some(hasLoneSurrogate);
  return isObject(value) && Object.entries(value).some(([name, member]) => !name.isWellFormed() || hasLoneSurrogate(member));
}
