import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { buildConfiguration } from './config/build.ts';
import { checkedConfiguration } from './config/check.ts';
import { definition } from './config/definition.ts';
import * as variables from './config/environment.ts';
import { messageOf, TidemarkError } from './errors.ts';
import type { Configuration } from './stream.ts';

/** YAML and the environment in, a frozen, typed configuration out. Nothing else reads the environment. */

/**
 * @param path of the YAML file; relative paths in it are relative to its folder.
 * @throws CONFIG where the file is missing or anything in it is wrong, with every problem at once.
 */
export function loadConfiguration(path: string, environment: NodeJS.ProcessEnv = process.env): Configuration {
  return parseConfiguration(readText(path), path, environment);
}

/** The same from text. @param path what the file is called, in messages and for relative paths. */
export function parseConfiguration(text: string, path: string, environment: NodeJS.ProcessEnv = process.env): Configuration {
  return buildConfiguration(checkedConfiguration(text, path), path, environment);
}

/** JSON Schema (2020-12) of the file, for editors: tidemark.schema.json. */
export function configurationJsonSchema(): object {
  return z.toJSONSchema(definition, { io: 'input' });
}

export const hostName = (environment: NodeJS.ProcessEnv = process.env): string => variables.hostName(environment);

export const colorWanted = (isTerminal: boolean, environment: NodeJS.ProcessEnv = process.env): boolean =>
  variables.colorWanted(environment, isTerminal);

export const isCI = (environment: NodeJS.ProcessEnv = process.env): boolean => variables.isCI(environment);

export const arrayPlace = (environment: NodeJS.ProcessEnv = process.env): variables.ArrayPlace | null => variables.arrayPlace(environment);

/** Threads that DuckDB, files and zlib share; undefined where the process was started without the variable. */
export const threadPoolSize = (environment: NodeJS.ProcessEnv = process.env): string | undefined => environment['UV_THREADPOOL_SIZE'];

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw missingFile(path, cause);
  }
}

function missingFile(path: string, cause: unknown): TidemarkError {
  const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
  return new TidemarkError({
    code: 'CONFIG',
    message: missing ? `there is no configuration at ${path}` : `the configuration ${path} cannot be read: ${messageOf(cause)}`,
    hint: 'Name yours with --config FILE, or start from the example in README.md; `tidemark demo` needs none.',
    cause,
  });
}
