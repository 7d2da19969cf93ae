import { promises as files, writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { DuckDBConnection } from '@duckdb/node-api';

/**
 * Loaded before the program, to let it die at one exact moment, as a power cut would: `DIE_AT=before|after <nth> <pattern>`. The pattern
 * is matched with the name that an object of the store is about to get, or has just got, and with the statements of the database. Of
 * several patterns, joined by ` >> `, each counts once those before it have matched. `DIE_OF` names another signal than SIGKILL; the
 * process says on standard error that the moment has come.
 */
const [, when, nth, pattern = ''] = /^(before|after) (\d+) (.+)$/.exec(process.env['DIE_AT'] ?? '') ?? [];
const signal = (process.env['DIE_OF'] ?? 'SIGKILL') as NodeJS.Signals;
const moments = pattern.split(' >> ').map((each) => new RegExp(each));
let left = Number(nth);

export async function dyingAt<T>(name: string, work: () => Promise<T>): Promise<T> {
  if (when === 'before') dieIfNow(name);
  const result = await work();
  if (when === 'after') dieIfNow(name);
  return result;
}

function dieIfNow(name: string): void {
  if (!moments[0]?.test(name)) return;
  if (moments.length > 1) moments.shift();
  else if ((left -= 1) === 0) end();
}

function end(): void {
  if (signal !== 'SIGKILL') writeSync(2, `${signal} now\n`);
  process.kill(process.pid, signal);
}

const link = files.link.bind(files);
files.link = (from, to) => dyingAt(String(to), () => link(from, to));
syncBuiltinESMExports();

const { prototype } = DuckDBConnection;
const run = Reflect.get(prototype, 'run');
prototype.run = function (this: DuckDBConnection, ...given: Parameters<DuckDBConnection['run']>) {
  return dyingAt(given[0], () => run.apply(this, given));
};
