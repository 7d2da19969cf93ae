import { hash } from 'node:crypto';
import {
  type ExactObject,
  type ExactValue,
  exactJson,
  hasLoneSurrogate,
  isObject,
  JsonNumber,
  memberOf,
  parseExact,
} from '../json/exact.ts';
import { holdsAnywhere, SEEN, type Shape } from '../schema/shape.ts';
import type { ReadFields } from './fields.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export const hasLineBreaks = (bytes: Buffer): boolean => bytes.includes(LINE_FEED) || bytes.includes(CARRIAGE_RETURN);

/** Line breaks stand only between tokens; as blanks they mean the same, keep a record on its line, and everything in its place. */
export function onOneLine(bytes: Buffer): Buffer {
  if (!hasLineBreaks(bytes)) return bytes;
  return Buffer.from(bytes.map((byte) => (byte === LINE_FEED || byte === CARRIAGE_RETURN ? 0x20 : byte)));
}

/** Hex digits of the content hash. */
export const HASH_LENGTH = 32;

/** First 128 bits of SHA-256 over the record's bytes as landed, in hex: the content hash of the law. */
export function contentHash(record: Buffer): string {
  return hash('sha256', record, 'hex').slice(0, HASH_LENGTH);
}

/** Writes it into `bytes`. Digit by digit: cutting the text off and handing it to a call cost a tenth of the hash itself. */
export function writeContentHash(record: Buffer, bytes: Buffer, at: number): void {
  const digits = hash('sha256', record, 'hex');
  for (let digit = 0; digit < HASH_LENGTH; digit++) bytes[at + digit] = digits.charCodeAt(digit);
}

/** Whether records of that shape must be looked at one by one before DuckDB's JSON reader may see them. */
export function needsCare(shape: Shape, fields: ReadFields): boolean {
  const member = (name: string): Shape | undefined => shape.members?.get(name);
  return (
    holdsAnywhere(shape, SEEN.surrogate | SEEN.duplicate) ||
    fields.keys.some((name) => holdsHere(member(name), KEY_ODDITIES)) ||
    fields.versions.some((name) => isRespelled(member(name))) ||
    fields.ruled.some((name) => holdsHere(member(name), SEEN.wide))
  );
}

/** A key is a text or a whole number; DuckDB would read these as texts without a word. */
const KEY_ODDITIES = SEEN.boolean | SEEN.array | SEEN.object | SEEN.pointed;

const holdsHere = (shape: Shape | undefined, marks: number): boolean => shape !== undefined && (shape.seen & marks) !== 0;

/**
 * Whether DuckDB, which takes a number with a point for a double, would write other digits as text than the record had. Sixteen digits,
 * six of them behind the point, are seconds with microseconds until the year 2286, and come back as they were.
 */
function isRespelled(shape: Shape | undefined): boolean {
  if (!holdsHere(shape, SEEN.pointed) || !shape) return false;
  return holdsHere(shape, SEEN.exponent) || shape.scale > 6 || shape.integerDigits + shape.scale > 16;
}

/** A record as DuckDB may read it, and those of its numbers that rules need as they were written. */
export interface CarefulRecord {
  readonly record: ExactObject;
  /** As a JSON object of texts. */
  readonly exact: string | null;
}

export interface Refusal {
  readonly rule: 'record' | 'key' | 'text' | `contract: ${string}`;
  readonly reason: string;
  readonly value: string | null;
}

/**
 * A record in the form in which DuckDB reads it as JSON.parse would, and without rounding: each name once, keys as texts or whole
 * numbers, versions as texts.
 * @returns the record, or why it may not enter.
 */
export function readCarefully(text: string, fields: ReadFields): CarefulRecord | Refusal {
  const record = parseExact(text);
  if (!isObject(record)) return { rule: 'record', reason: 'the record is not a JSON object', value: text.slice(0, 200) };
  if (hasLoneSurrogate(record)) {
    return { rule: 'text', reason: 'a text holds a lone surrogate escape, which no UTF-8 text can hold', value: null };
  }
  const odd = fields.keys.find((name) => !isKey(record, name));
  if (odd === undefined) return { record: versionsAsText(record, fields.versions), exact: exactNumbers(record, fields.ruled) };
  return {
    rule: 'key',
    reason: `the key field ${odd} is neither a text nor a whole number`,
    value: exactJson(memberOf(record, odd)).slice(0, 200),
  };
}

function versionsAsText(record: ExactObject, versions: readonly string[]): ExactObject {
  const entries = Object.entries(record).map(([name, value]): [string, ExactValue] => [
    name,
    value instanceof JsonNumber && versions.includes(name) ? value.source : value,
  ]);
  return Object.fromEntries(entries);
}

function exactNumbers(record: ExactObject, ruled: readonly string[]): string | null {
  const numbers = ruled.flatMap((name) => {
    const value = memberOf(record, name);
    return value instanceof JsonNumber ? [`${JSON.stringify(name)}:${JSON.stringify(value.source)}`] : [];
  });
  return numbers.length === 0 ? null : `{${numbers.join(',')}}`;
}

/** An absent key is left to the statement that looks for absent keys everywhere. */
function isKey(record: ExactObject, name: string): boolean {
  const value = memberOf(record, name);
  if (value instanceof JsonNumber) return /^-?\d+$/.test(value.source);
  return value === null || typeof value === 'string';
}
