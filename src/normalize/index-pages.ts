import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mapConcurrent } from '../concurrency.ts';
import { assert, isTidemarkError } from '../errors.ts';
import type { IndexRef } from '../manifest/documents.ts';
import { fieldNames } from '../page/fields.ts';
import { needsCare } from '../page/record.ts';
import { type ShapeJson, shapeFromJson } from '../schema/shape.ts';
import { indexKey } from '../store/keys.ts';
import type { BatchInput, PageSource } from './batch.ts';
import { fieldsOf } from './definition.ts';
import type { Pool } from './pool.ts';
import { narrowPass, narrowRefused, narrowTotals } from './statements.ts';
import type { IndexResult, MeasuredPage, PageBody, PageIndex, RefusedRecord } from './tasks.ts';

/** Every page of a batch, by its index: what of it may enter is known, and no more of it has been read than had to be. */
export interface IndexedPages {
  /** In the order of the batch's pages. */
  readonly pages: readonly IndexedPage[];
  readonly groups: readonly PageGroup[];
  /** Local file that gives each page number its key. */
  readonly names: string;
  readonly accepted: number;
  readonly refused: number;
  /** Version times of accepted records, Micros. */
  readonly first: number | null;
  readonly last: number | null;
}

export interface IndexedPage extends Omit<MeasuredPage, 'page'> {
  readonly source: PageSource;
  /** Its body as a local file, where it was needed so far. */
  readonly body: string | null;
  /** Positions of the refused records. */
  readonly refused: readonly number[];
  /** Local file of QuarantineLines; null where nothing was refused. */
  readonly quarantine: string | null;
}

/** Pages that go through one task. */
export interface PageGroup {
  readonly pages: readonly number[];
  /** Local file of index lines. */
  readonly index: string;
  /** Local file of narrow rows (statements.ts). */
  readonly narrow: string;
}

const GROUP_RECORDS = 40_000;
const GROUP_PAGES = 40;
/** What a body that nobody measured is taken for. */
const UNMEASURED_RECORDS = 5000;

interface Work {
  readonly folder: string;
  readonly input: BatchInput;
  readonly pool: Pool;
  readonly now: number;
}

export async function indexPages(work: Work): Promise<IndexedPages> {
  const { folder, input, pool } = work;
  const names = join(folder, 'pages.ndjson');
  await writeFile(names, input.pages.map((page, p) => `${JSON.stringify({ p, key: page.key })}\n`).join(''));
  // One group more than there are threads: its pages are brought while the threads work.
  const done = await mapConcurrent(groupPages(input.pages), pool.threads + 1, (pages, index) => indexGroup(work, index, pages));
  const times = done.flatMap(({ first, last }) => (first === null || last === null ? [] : [first, last]));
  const pages = done.flatMap((group) => group.pages);
  return {
    pages,
    groups: done.map(({ group }) => group),
    names,
    accepted: done.reduce((sum, { accepted }) => sum + accepted, 0),
    refused: pages.reduce((sum, page) => sum + page.refused.length, 0),
    first: times.length === 0 ? null : times.reduce((a, b) => Math.min(a, b)),
    last: times.length === 0 ? null : times.reduce((a, b) => Math.max(a, b)),
  };
}

function groupPages(pages: readonly PageSource[]): number[][] {
  const groups: number[][] = [];
  let records = Number.POSITIVE_INFINITY;
  for (const [index, page] of pages.entries()) {
    const more = page.measured?.records ?? UNMEASURED_RECORDS;
    if (records + more > GROUP_RECORDS || (groups.at(-1)?.length ?? 0) >= GROUP_PAGES) {
      groups.push([]);
      records = 0;
    }
    groups.at(-1)?.push(index);
    records += more;
  }
  return groups;
}

interface IndexedGroup {
  readonly group: PageGroup;
  readonly pages: readonly IndexedPage[];
  readonly accepted: number;
  readonly first: number | null;
  readonly last: number | null;
}

async function indexGroup(work: Work, number: number, pages: readonly number[]): Promise<IndexedGroup> {
  const file = (kind: string): string => join(work.folder, `${kind}-${String(number).padStart(5, '0')}`);
  const group = { pages, index: file('index'), narrow: file('narrow') };
  const sources = await mapConcurrent(pages, 8, (page) => bringIndex(work, page));
  const { definition } = work.input;
  const indexed = await work.pool.run({
    kind: 'index',
    pages: sources,
    records: definition.records,
    fields: fieldsOf(definition),
    indexPath: group.index,
  });
  const narrow = await narrowRows(work, group, indexed);
  const refused = Map.groupBy([...indexed.refused, ...narrow.refused], (record) => record.page);
  const closed = await mapConcurrent(sources, work.pool.threads, (source) =>
    closePage(work, source, indexed, refused.get(source.page) ?? []),
  );
  return { group, pages: closed, accepted: narrow.accepted, first: narrow.first, last: narrow.last };
}

async function narrowRows({ input, pool }: Work, { index, narrow }: PageGroup, { longest }: IndexResult) {
  const { definition, released } = input;
  const said = await pool.run({
    kind: 'statements',
    run: [narrowPass(definition, { files: [index], longest }, released, narrow)],
    ask: { totals: narrowTotals(narrow), refused: narrowRefused(definition, narrow) },
    after: [],
  });
  const { accepted, first, last } = said['totals'] ?? {};
  const rows = said['refused']?.['records'] as readonly VerdictRow[];
  const refused = rows.map(({ p, i, key, verdict }): RefusedRecord => ({ page: p, position: i, key, said: { verdict } }));
  return { accepted: Number(accepted), first: first == null ? null : Number(first), last: last == null ? null : Number(last), refused };
}

interface VerdictRow {
  readonly p: number;
  readonly i: number;
  readonly key: readonly (string | null)[];
  readonly verdict: string;
}

/** The page's index, where it landed with one that tells everything; else its body. */
async function bringIndex(work: Work, page: number): Promise<PageBody | PageIndex> {
  const source = sourceOf(work.input, page);
  const index = usableIndex(work.input, source);
  if (index) {
    const path = join(work.folder, `landed-index-${page}`);
    const key = indexKey(source.object, index.sha256);
    try {
      await source.store.download(key, path);
      return { page, key, path, sha256: index.sha256 };
    } catch (error) {
      if (!isTidemarkError(error, 'NOT_FOUND')) throw error;
    }
  }
  return bringBody(work.folder, source, page);
}

function usableIndex({ definition }: BatchInput, { measured }: PageSource): IndexRef | null {
  if (!measured?.index) return null;
  const fields = fieldsOf(definition);
  const given = new Set(measured.index.fields);
  const complete = fieldNames(fields).every((name) => given.has(name));
  return complete && !needsCare(shapeFromJson(measured.shape), fields) ? measured.index : null;
}

export async function bringBody(folder: string, source: PageSource, page: number): Promise<PageBody> {
  const path = join(folder, `body-${page}`);
  await source.store.download(source.object, path);
  const { measured } = source;
  return { page, key: source.key, path, measured: measured && { sha256: measured.sha256, span: measured.span, shape: measured.shape } };
}

function sourceOf(input: BatchInput, page: number): PageSource {
  const source = input.pages[page];
  assert(source, 'a page number is of the batch');
  return source;
}

/** What is known of a page once its records were judged; the refused ones are written down with their bytes. */
async function closePage(
  work: Work,
  brought: PageBody | PageIndex,
  { pages }: IndexResult,
  refused: readonly RefusedRecord[],
): Promise<IndexedPage> {
  const source = sourceOf(work.input, brought.page);
  const measured = pages.find((page) => page.page === brought.page) ?? landedMeasure(source);
  const known = { source, ...measured, refused: refused.map((record) => record.position) };
  const body = 'sha256' in brought ? null : brought;
  if (refused.length === 0) return { ...known, body: body?.path ?? null, quarantine: null };
  const needed = body ?? (await bringBody(work.folder, source, brought.page));
  const quarantine = join(work.folder, `refused-${brought.page}`);
  const shape = await writeRefused(work, needed, refused, quarantine);
  return { ...known, shape, body: needed.path, quarantine };
}

function landedMeasure({ measured }: PageSource): Omit<MeasuredPage, 'page'> {
  assert(measured, 'a page with an index was measured');
  return { sha256: measured.sha256, records: measured.records, shape: measured.shape, careful: false };
}

async function writeRefused(
  { input, pool, now }: Work,
  page: PageBody,
  refused: readonly RefusedRecord[],
  path: string,
): Promise<ShapeJson> {
  const { definition } = input;
  const { shape } = await pool.run({
    kind: 'refuse',
    page,
    records: definition.records,
    refused,
    stream: definition.stream,
    rules: definition.rules.map(({ name, field }) => ({ name, field })),
    path,
    now,
  });
  return shape;
}
