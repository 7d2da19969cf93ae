import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mapConcurrent } from '../concurrency.ts';
import type { BatchInput, PageSource } from './batch.ts';
import { readFields } from './definition.ts';
import type { Pool } from './pool.ts';
import { narrowPass, narrowRefused, narrowTotals } from './statements.ts';
import type { CutPage, CutResult } from './tasks.ts';

/** Every page of a batch, cut into files of lines, with the narrow rows beside them. */
export interface CutPages {
  /** In the order of the batch's pages. */
  readonly pages: readonly CutPage[];
  readonly groups: readonly CutGroup[];
  /** Local file that gives each page number its key. */
  readonly names: string;
  readonly accepted: number;
  readonly refused: number;
  readonly first: number | null;
  readonly last: number | null;
}

/** Pages that went through one task. */
export interface CutGroup {
  readonly pages: readonly number[];
  readonly lines: string;
  readonly narrow: string;
  readonly refused: string;
  readonly longest: number;
}

/** Pages of one task: their bodies are in memory at the same time. */
const GROUP_RECORDS = 40_000;
const GROUP_PAGES = 40;
const GROUP_BYTES = 64_000_000;

export async function cutPages(folder: string, input: BatchInput, effects: { pool: Pool }, now: number): Promise<CutPages> {
  const groups = groupPages(input.pages);
  const names = join(folder, 'pages.ndjson');
  await writeFile(names, input.pages.map((page, p) => `${JSON.stringify({ p, key: page.key })}\n`).join(''));
  // One group more than there are threads: its pages are brought while the threads work.
  const done = await mapConcurrent(groups, effects.pool.threads + 1, (pages, index) =>
    cutGroup(folder, index, pages, input, effects.pool, now),
  );
  const times = done.flatMap(({ result }) => (result.first === null || result.last === null ? [] : [result.first, result.last]));
  const sum = (of: (result: CutResult) => number): number => done.reduce((total, { result }) => total + of(result), 0);
  return {
    pages: done.flatMap(({ result }) => result.pages).sort((a, b) => a.page - b.page),
    groups: done.map(({ group }) => group),
    names,
    accepted: sum((result) => result.accepted),
    refused: sum((result) => result.refused),
    first: times.length === 0 ? null : times.reduce((a, b) => Math.min(a, b)),
    last: times.length === 0 ? null : times.reduce((a, b) => Math.max(a, b)),
  };
}

/** Rows of a file below which a second one is not worth it. */
const SHARE_ROWS = 50_000;

/** Groups of a file at most: some 200 MB of Parquet. */
const SHARE_GROUPS = 60;

/** Shares the groups out: as many shares as there are threads; fewer where there are few rows, more where there are many groups. */
export function shareGroups(groups: readonly CutGroup[], threads: number, rows: number): CutGroup[][] {
  const useful = Math.min(threads, groups.length, Math.ceil(rows / SHARE_ROWS));
  const count = Math.max(1, useful, Math.ceil(groups.length / SHARE_GROUPS));
  return Array.from({ length: count }, (_, share) => groups.filter((_group, at) => at % count === share));
}
/** What a body that nobody measured is taken for. */
const UNMEASURED = { records: 5000, span: { end: 8_000_000 } };

function groupPages(pages: readonly PageSource[]): number[][] {
  const groups: number[][] = [];
  let [records, bytes] = [Number.POSITIVE_INFINITY, 0];
  for (const [index, page] of pages.entries()) {
    const more = page.measured ?? UNMEASURED;
    if (records + more.records > GROUP_RECORDS || bytes + more.span.end > GROUP_BYTES || (groups.at(-1)?.length ?? 0) >= GROUP_PAGES) {
      groups.push([]);
      [records, bytes] = [0, 0];
    }
    groups.at(-1)?.push(index);
    records += more.records;
    bytes += more.span.end;
  }
  return groups;
}

async function cutGroup(
  folder: string,
  index: number,
  pages: readonly number[],
  input: BatchInput,
  pool: Pool,
  now: number,
): Promise<{ group: CutGroup; result: CutResult }> {
  const { definition } = input;
  const file = (kind: string): string => join(folder, `${kind}-${String(index).padStart(5, '0')}`);
  const [lines, narrow, refused] = [file('lines'), file('narrow'), file('refused')];
  const sources = await mapConcurrent(pages, 8, (page) => bring(input.pages[page] as PageSource, page, `${file('body')}-${page}`));
  const result = await pool.run({
    kind: 'cut',
    pages: sources,
    records: definition.records,
    fields: readFields(definition),
    stream: definition.stream,
    rules: definition.rules.map(({ name, field }) => ({ name, field })),
    linesPath: lines,
    refusedPath: refused,
    narrowPass: narrowPass(definition, lines, input.released, narrow),
    narrowTotals: narrowTotals(narrow),
    narrowRefused: narrowRefused(definition, narrow),
    now,
  });
  return { group: { pages, lines, narrow, refused, longest: result.longest }, result };
}

async function bring(source: PageSource, page: number, path: string) {
  await source.store.download(source.object, path);
  const { measured } = source;
  return { page, key: source.key, path, measured: measured && { sha256: measured.sha256, span: measured.span, shape: measured.shape } };
}
