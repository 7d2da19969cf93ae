import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { messageOf, TidemarkError } from '../errors.ts';
import type { Secret } from '../stream.ts';
import type { Environment } from './environment.ts';

export const SECRET_PATTERN = /^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/;

/**
 * @param reference as SECRET_PATTERN.
 * @param folder what a relative path is relative to.
 */
export function secretAt(reference: string, folder: string, environment: Environment): Secret {
  const place = reference.slice(reference.indexOf(':') + 1);
  const read = reference.startsWith('env:') ? () => environment[place] ?? '' : () => readSecretFile(reference, resolve(folder, place));
  return { reference, reveal: () => required(reference, read()) };
}

/** Without the line end that editors and `echo` leave. */
function readSecretFile(reference: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw secretError(reference, `cannot be read: ${messageOf(cause)}`, cause);
  }
}

function required(reference: string, value: string): string {
  if (value === '') throw secretError(reference, 'is missing or empty');
  return value;
}

function secretError(reference: string, problem: string, cause?: unknown): TidemarkError {
  const hint = reference.startsWith('env:')
    ? `Set the environment variable ${reference.slice(4)}, or name another place in the configuration.`
    : 'Put the secret there, readable by this user, or name another place in the configuration.';
  return new TidemarkError({ code: 'CONFIG', message: `the secret ${reference} ${problem}`, hint, cause });
}
