import { readFileSync, writeFileSync } from 'node:fs';
import type { Measurements } from './stages.ts';
import type { Workload } from './workload.ts';

/** The table that a workload must end in, whatever the code does on the way. */
interface ExpectedTable {
  readonly seed: number;
  readonly events: number;
  readonly rows: number;
  readonly hash: string;
}

const FILE = new URL('./expected.json', import.meta.url);
const readExpected = (): ExpectedTable[] => JSON.parse(readFileSync(FILE, 'utf8')) as ExpectedTable[];

export type TableVerdict = 'as expected' | 'not recorded' | 'recorded now' | 'NOT AS EXPECTED';

export function judgeTable({ seed, events }: Workload, { table }: Measurements): TableVerdict {
  const expected = readExpected().find((entry) => entry.seed === seed && entry.events === events);
  if (!expected) return 'not recorded';
  return expected.rows === table.result.rows && expected.hash === table.result.hash ? 'as expected' : 'NOT AS EXPECTED';
}

export function recordTable({ seed, events }: Workload, { table }: Measurements): TableVerdict {
  const others = readExpected().filter((entry) => entry.seed !== seed || entry.events !== events);
  const all = [...others, { seed, events, ...table.result }].sort((a, b) => a.seed - b.seed || a.events - b.events);
  writeFileSync(FILE, `${JSON.stringify(all, null, 2)}\n`);
  return 'recorded now';
}

/** What must be true of any run; each that is not, in words. */
export function contradictions({ events }: Workload, { written, fetch, rounds, load, loadFilled, table }: Measurements): string[] {
  const { distinct } = written.result;
  const checks: [string, number, number][] = [
    ['records landed', fetch.result.records, events],
    ...rounds.flatMap(({ normalize, foreign, seen, floor, textbook, textbookOnPages }): [string, number, number][] => [
      ...[normalize, foreign, seen].map(({ result }): [string, number, number] => ['observations normalized', result.observations, events]),
      ...[normalize, foreign, seen].map(({ result }): [string, number, number] => ['records quarantined', result.quarantined, 0]),
      ['rows of foreign pages', foreign.result.rows, normalize.result.rows],
      ['rows of a window that was seen', seen.result.rows, 0],
      ['rows of the floor', floor.result.rows, events],
      ['rows of the textbook query', textbook.result.rows, distinct],
      ['rows of the textbook query on pages', textbookOnPages.result.rows, distinct],
    ]),
    ['rows inserted', load.result.inserted, distinct],
    // A key that comes in two batches is a row of both.
    ['rows inserted and updated in a filled table', rowsOf(loadFilled), rowsOf(load)],
    ['rows in the table', table.result.rows, distinct],
  ];
  return checks.filter(([, found, expected]) => found !== expected).map(([what, found, expected]) => `${what}: ${found}, not ${expected}`);
}

const rowsOf = ({ result }: Measurements['load']): number => result.inserted + result.updated;
