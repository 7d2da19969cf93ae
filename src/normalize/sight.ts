import { join as joinPath } from 'node:path';
import { allDone, mapConcurrent } from '../concurrency.ts';
import type { IndexWork } from './close-page.ts';
import type { Definition } from './definition.ts';
import { type LocalFile, localFile, shareOut } from './files.ts';
import { countRows, type LineFiles, listRefused, saveSightings, sightingTotals } from './statements.ts';
import type { TableLayout } from './table-layout.ts';
import type { RefusedRecord, Sightings } from './tasks.ts';

/** What was found of some pages, as local files. */
export interface SightedGroup {
  /** Of pages of which every record surely may enter. */
  readonly sightings: Sightings & { readonly path: string };
  /** Index lines of the others, for DuckDB to judge. */
  readonly lines: { readonly path: string; readonly count: number; readonly longest: number };
}

/** What is known of each record of a batch: that it may enter, or why not. */
export interface Sighted {
  /** Sightings: every accepted observation. */
  readonly files: readonly LocalFile[];
  readonly refused: readonly RefusedRecord[];
  readonly accepted: number;
  /** Version times of accepted records, Micros. */
  readonly first: number | null;
  readonly last: number | null;
}

export const sightingLayout = ({ key, version }: Definition): TableLayout => ({ key, version, schema: null, inputs: [] });

/** @param names local file that gives each page number its key. */
export async function sight(work: IndexWork, groups: readonly SightedGroup[], names: string): Promise<Sighted> {
  const { threads } = work.pool;
  const sightings = groups.map((group) => group.sightings).filter(({ rows }) => rows > 0);
  const lines = groups.map((group) => group.lines).filter(({ count }) => count > 0);
  const joined = shares(sightings, threads, ({ rows }) => rows);
  const judged = shares(lines, threads, ({ count }) => count);
  const shared = await allDone(
    mapConcurrent(joined, threads, (share, number) => join(work, share, `plain-${number}`)),
    mapConcurrent(judged, threads, (share, number) => judge(work, share, names, `judged-${number}`)),
  );
  const parts = shared.flat();
  const times = parts.flatMap(({ first, last }) => (first === null || last === null ? [] : [first, last]));
  return {
    files: parts.map(({ file }) => file).filter(({ rows }) => rows > 0),
    refused: parts.flatMap(({ refused }) => refused),
    accepted: parts.reduce((sum, { file }) => sum + file.rows, 0),
    first: times.length === 0 ? null : Math.min(...times),
    last: times.length === 0 ? null : Math.max(...times),
  };
}

function shares<T>(items: readonly T[], threads: number, rowsOf: (item: T) => number): T[][] {
  const rows = items.reduce((sum, item) => sum + rowsOf(item), 0);
  return items.length === 0 ? [] : shareOut(items, threads, rows);
}

interface SightedShare {
  readonly file: LocalFile;
  readonly refused: readonly RefusedRecord[];
  readonly first: number | null;
  readonly last: number | null;
}

async function join({ folder, input, pool }: IndexWork, parts: readonly SightedGroup['sightings'][], name: string): Promise<SightedShare> {
  const path = pathOf(folder, name);
  const { rows } = await pool.run({ kind: 'join', layout: sightingLayout(input.definition), parts, path });
  const first = Math.min(...parts.map((part) => part.first ?? Number.POSITIVE_INFINITY));
  const last = Math.max(...parts.map((part) => part.last ?? Number.NEGATIVE_INFINITY));
  return { file: await localFile(path, rows), refused: [], first, last };
}

async function judge(
  { folder, input, pool }: IndexWork,
  share: readonly SightedGroup['lines'][],
  names: string,
  name: string,
): Promise<SightedShare> {
  const { definition, released } = input;
  const path = pathOf(folder, name);
  const index: LineFiles = { files: share.map((lines) => lines.path), longest: Math.max(...share.map((lines) => lines.longest)) };
  const said = await pool.run({
    kind: 'statements',
    run: [saveSightings(definition, index, released, names, path)],
    ask: { written: countRows(path), totals: sightingTotals(definition, path) },
    after: [],
  });
  const rows = Number(said['written']?.['n']);
  const { first, last } = said['totals'] ?? {};
  const lines = share.reduce((sum, { count }) => sum + count, 0);
  // Mostly nothing is refused, and then nobody need look for it.
  const refused = rows === lines ? [] : await findRefused({ input, pool }, index);
  const micros = (time: unknown): number | null => (time == null ? null : Number(time));
  return { file: await localFile(path, rows), refused, first: micros(first), last: micros(last) };
}

const pathOf = (folder: string, name: string): string => joinPath(folder, `sightings-${name}.parquet`);

async function findRefused({ input, pool }: Pick<IndexWork, 'input' | 'pool'>, index: LineFiles): Promise<RefusedRecord[]> {
  const { definition, released } = input;
  const said = await pool.run({ kind: 'statements', run: [], ask: { refused: listRefused(definition, index, released) }, after: [] });
  const rows = said['refused']?.['records'] as readonly VerdictRow[];
  return rows.map(({ p, i, key, verdict }) => ({ page: p, position: i, key, said: { verdict } }));
}

interface VerdictRow {
  readonly p: number;
  readonly i: number;
  readonly key: readonly (string | null)[];
  readonly verdict: string;
}
