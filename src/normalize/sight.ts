import { join } from 'node:path';
import { mapConcurrent } from '../concurrency.ts';
import type { IndexWork } from './close-page.ts';
import { type LocalFile, localFile, shareOut } from './files.ts';
import { countRows, type IndexLines, type LineFiles, landedPage, listRefused, saveSightings, sightingTotals } from './statements.ts';
import type { RefusedRecord } from './tasks.ts';

/** Index lines of some pages, as local files. */
export interface IndexFile {
  /** Whether each line has its page's number; else they are as they landed, a file for each page, which has it in its name. */
  readonly isNumbered: boolean;
  readonly index: LineFiles;
  readonly lines: number;
}

/** What the index lines of a batch say: of each record, that it may enter, or why not. */
export interface Sighted {
  /** Sightings: every accepted observation, a file for each thread. */
  readonly files: readonly LocalFile[];
  readonly refused: readonly RefusedRecord[];
  readonly accepted: number;
  /** Version times of accepted records, Micros. */
  readonly first: number | null;
  readonly last: number | null;
}

/** @param names local file that gives each page number its key. */
export async function sight(work: IndexWork, groups: readonly IndexFile[], names: string): Promise<Sighted> {
  const lines = groups.reduce((sum, group) => sum + group.lines, 0);
  if (lines === 0) return { files: [], refused: [], accepted: 0, first: null, last: null };
  const { threads } = work.pool;
  const shares = await mapConcurrent(shareOut(groups, threads, lines), threads, (share, number) => sightShare(work, share, names, number));
  const times = shares.flatMap(({ first, last }) => (first === null || last === null ? [] : [first, last]));
  return {
    files: shares.map((share) => share.file).filter((file) => file.rows > 0),
    refused: shares.flatMap((share) => share.refused),
    accepted: shares.reduce((sum, { file }) => sum + file.rows, 0),
    first: times.length === 0 ? null : Math.min(...times),
    last: times.length === 0 ? null : Math.max(...times),
  };
}

async function sightShare(work: IndexWork, share: readonly IndexFile[], names: string, number: number): Promise<SightedShare> {
  const path = join(work.folder, `sightings-${number}.parquet`);
  return (await sightPlainly(work, share, path)) ?? (await sightByStatements(work, share, names, path));
}

interface SightedShare {
  readonly file: LocalFile;
  readonly refused: readonly RefusedRecord[];
  readonly first: number | null;
  readonly last: number | null;
}

/** @returns null where a record may have to stay out. Rules are written in SQL. */
async function sightPlainly({ input, pool }: IndexWork, share: readonly IndexFile[], path: string): Promise<SightedShare | null> {
  const { definition, pages } = input;
  if (definition.rules.length > 0) return null;
  const numbered = share.filter(({ isNumbered }) => isNumbered).flatMap(({ index }) => index.files);
  const landed = share.filter(({ isNumbered }) => !isNumbered).flatMap(({ index }) => index.files);
  const { plain } = await pool.run({
    kind: 'sightings',
    numbered,
    landed: landed.map((file) => ({ path: file, page: landedPage(file) })),
    keys: pages.map(({ key }) => key),
    layout: { key: definition.key, version: definition.version, schema: null, inputs: [] },
    path,
  });
  return plain && { file: await localFile(path, plain.rows), refused: [], first: plain.first, last: plain.last };
}

async function sightByStatements(
  { input, pool }: IndexWork,
  share: readonly IndexFile[],
  names: string,
  path: string,
): Promise<SightedShare> {
  const { definition, released } = input;
  const [numbered = [], landed = []] = [true, false].map((kind) => share.filter(({ isNumbered }) => isNumbered === kind));
  const index: IndexLines = { numbered: together(numbered), landed: together(landed) };
  const said = await pool.run({
    kind: 'statements',
    run: [saveSightings(definition, index, released, names, path)],
    ask: { written: countRows(path), totals: sightingTotals(definition, path) },
    after: [],
  });
  const rows = Number(said['written']?.['n']);
  const { first, last } = said['totals'] ?? {};
  const lines = share.reduce((sum, group) => sum + group.lines, 0);
  // Mostly nothing is refused, and then nobody need look for it.
  const refused = rows === lines ? [] : await findRefused({ input, pool }, index);
  const micros = (time: unknown): number | null => (time == null ? null : Number(time));
  return { file: await localFile(path, rows), refused, first: micros(first), last: micros(last) };
}

const together = (groups: readonly IndexFile[]): LineFiles => ({
  files: groups.flatMap(({ index }) => index.files),
  longest: Math.max(0, ...groups.map(({ index }) => index.longest)),
});

async function findRefused({ input, pool }: Pick<IndexWork, 'input' | 'pool'>, index: IndexLines): Promise<RefusedRecord[]> {
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
