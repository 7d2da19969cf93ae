import { TidemarkError } from '../errors.ts';
import { identifier, literal } from '../sql.ts';
import type { Stream } from '../stream.ts';

/** A value for each key column; null fits any. */
export type KeyPattern = readonly (string | null)[];

/**
 * What a question for a key may mean. All key columns in order; or one text: `environment/evt_1`, or just `evt_1`, which fits any key
 * column that tells records apart (neither constant nor the environment).
 * @throws CONFIG where the number of values fits no key.
 */
export function keyPatterns(stream: Stream, asked: readonly string[]): readonly KeyPattern[] {
  const width = stream.key.length;
  const [only] = asked;
  if (asked.length === width) return [asked];
  if (asked.length !== 1 || only === undefined) throw notAKey(stream, asked);
  const parts = only.split('/');
  // An id may itself hold a slash, so the whole text is tried as well.
  const whole = parts.length === width ? [parts] : [];
  return [...whole, ...tellingColumns(stream).map((column) => stream.key.map((_, at) => (at === column ? only : null)))];
}

function tellingColumns({ key, environment }: Stream): number[] {
  const field = environment && 'field' in environment ? environment.field : null;
  const telling = [...key.keys()].filter((at) => key[at]?.constant === null && key[at].name !== field);
  return telling.length > 0 ? telling : [...key.keys()];
}

const notAKey = (stream: Stream, asked: readonly string[]): TidemarkError =>
  new TidemarkError({
    code: 'CONFIG',
    message: `${asked.join(' ')} is no key of ${stream.name}: its key is (${stream.key.map((column) => column.name).join(', ')})`,
    hint: 'Give one text, as it stands in the record; or a value for each of these columns, in this order.',
  });

export const fits = (patterns: readonly KeyPattern[], key: readonly (string | null)[]): boolean =>
  patterns.some((pattern) => pattern.every((value, at) => value === null || value === key[at]));

/** The same as an SQL condition over the key's columns. */
export function patternSql(stream: Stream, patterns: readonly KeyPattern[]): string {
  const one = (pattern: KeyPattern): string =>
    pattern.flatMap((value, at) => (value === null ? [] : [`${identifier(stream.key[at]?.name ?? '')} = ${literal(value)}`])).join(' AND ');
  return patterns.map((pattern) => `(${one(pattern) || 'true'})`).join(' OR ');
}
