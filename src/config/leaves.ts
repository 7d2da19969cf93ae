import { z } from 'zod';
import type { Micros } from '../clock.ts';
import { isTidemarkError } from '../errors.ts';
import { parseRule } from '../gate/rules.ts';
import { expressionProblem } from '../schema/transform.ts';
import { formatDuration, parseDuration } from '../time.ts';
import { parseResponsePath, RESPONSE_PATH_PATTERN } from './response-path.ts';
import { SECRET_PATTERN } from './secret.ts';

/**
 * The single values of the configuration. A message that begins with `expected` is completed with what was found. Nothing is converted
 * here, so that what was checked is what was written; build.ts converts.
 */
export function text(expected: string, test: (value: string) => boolean, pattern?: RegExp) {
  const error = `expected ${expected}`;
  return z
    .string({ error })
    .refine(test, { error })
    .meta({ description: expected, ...(pattern && { pattern: pattern.source }) });
}

export const matching = (expected: string, pattern: RegExp) => text(expected, (value) => pattern.test(value), pattern);

export function wholeNumber(least: number, most: number) {
  const error = `expected a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

/** @param error as shown, with what is allowed. */
export const number = (error: string, least: number) => z.number({ error }).min(least, { error });

export function duration(least: Micros, most: Micros) {
  const within = (value: string) => {
    const micros = parseDuration(value);
    return micros !== null && micros >= least && micros <= most;
  };
  return text(
    `a duration from ${formatDuration(least)} to ${formatDuration(most)}, as 90s, 5m, 48h or 7d`,
    within,
    /^\d+(\.\d+)?(ms|s|m|h|d)$/,
  );
}

export const flag = () => z.boolean({ error: 'expected true or false' });

export const choice = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `expected one of ${values.join(', ')}` });

/** A mapping with these keys and no others. Unknown keys are reported with the allowed ones, by problems.ts. */
export function section<T extends z.ZodRawShape>(shape: T) {
  const allowed = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? allowed.join(', ') : `expected a mapping of ${allowed.join(', ')}`),
  });
}

export const list = <T extends z.ZodType>(element: T, what: string) => z.array(element, { error: `expected a list of ${what}` });

export const secret = () => matching('env:NAME or file:PATH, since secrets do not stand in this file', SECRET_PATTERN);

export const name = (what: string) => text(what, (value) => value.trim() !== '');

export const field = () => text('the name of a top-level field', (value) => value !== '');

export const parameter = () => text('the name of a query parameter', (value) => value.trim() !== '');

export const responsePath = () =>
  text(
    'a path into the response, as $, $.data.items or $["odd name"]',
    (value) => parseResponsePath(value) !== null,
    RESPONSE_PATH_PATTERN,
  );

/** Placeholders in braces may stand anywhere after the host. */
export const url = (expected: string) => text(expected, isHttpUrl, /^https?:\/\//);

function isHttpUrl(value: string): boolean {
  const parsed = URL.parse(value);
  const plain = parsed !== null && parsed.username === '' && parsed.password === '' && parsed.hash === '';
  return plain && (parsed.protocol === 'http:' || parsed.protocol === 'https:');
}

export function rule() {
  return z
    .string({ error: 'expected a rule, as "present and >= 0"' })
    .check((context) => {
      const problem = ruleProblem(context.value);
      if (problem !== null) context.issues.push({ code: 'custom', message: problem, input: context.value });
    })
    .meta({ description: 'A rule, as "present and >= 0", "in USD, CAD, MXN", "matches /^[a-z]+$/ or absent"' });
}

function ruleProblem(value: string): string | null {
  try {
    parseRule(value);
    return null;
  } catch (error) {
    if (isTidemarkError(error, 'CONFIG')) return error.message;
    throw error;
  }
}

export function expression() {
  return z
    .string({ error: 'expected a SQL expression' })
    .check((context) => {
      const problem = context.value.trim() === '' ? 'expected a SQL expression' : expressionProblem(context.value);
      if (problem !== null) context.issues.push({ code: 'custom', message: problem, input: context.value });
    })
    .meta({ description: 'A DuckDB expression; fields of the record, as text, stand in braces: CAST({payload.amount} AS DECIMAL(18,2))' });
}
