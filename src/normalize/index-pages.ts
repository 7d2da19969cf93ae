import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mapConcurrent } from '../concurrency.ts';
import type { PageSource } from './batch.ts';
import { bringIndex } from './bring.ts';
import { closePage, type IndexedPage, type IndexWork } from './close-page.ts';
import { fieldsOf } from './definition.ts';
import type { LocalFile } from './files.ts';
import { countFrozen } from './frozen.ts';
import { type SightedGroup, sight, sightingLayout } from './sight.ts';
import type { IndexResult, MeasuredPage, PageBody, PageIndex } from './tasks.ts';

/** Every page of a batch, by its index: what of it may enter is known, and no more of it has been read than had to be. */
export interface IndexedPages {
  /** In the order of the batch's pages. */
  readonly pages: readonly IndexedPage[];
  readonly groups: readonly PageGroup[];
  /** Every accepted observation. */
  readonly sightings: readonly LocalFile[];
  /** Local file that gives each page number its key. */
  readonly names: string;
  readonly accepted: number;
  readonly refused: number;
  /** By field that was new in a frozen place: how many records it kept out. */
  readonly frozen: Readonly<Record<string, number>>;
  /** Version times of accepted records, Micros. */
  readonly first: number | null;
  readonly last: number | null;
}

/** Pages that go through one task. */
export interface PageGroup {
  readonly pages: readonly number[];
  /** Local file of the places of their records. */
  readonly places: string;
}

/** Objects that are brought at once. */
const AT_ONCE = 8;
const GROUP_RECORDS = 40_000;
const GROUP_PAGES = 40;
/** What a body that nobody measured is taken for. */
const UNMEASURED_RECORDS = 5000;

export async function indexPages(work: IndexWork): Promise<IndexedPages> {
  const { folder, input, pool } = work;
  const names = join(folder, 'pages.ndjson');
  await writeFile(names, input.pages.map((page, p) => `${JSON.stringify({ p, key: page.key })}\n`).join(''));
  // One group more than there are threads: its pages are brought while the threads work.
  const groups = await mapConcurrent(groupPages(input.pages), pool.threads + 1, (pages, index) => indexGroup(work, index, pages));
  const sighted = await sight(work, groups, names);
  const unread = groups.flatMap((group) => group.refused);
  const refused = Map.groupBy([...unread, ...sighted.refused], (record) => record.page);
  const pages = await mapConcurrent(
    groups.flatMap((group) => group.brought),
    pool.threads,
    ({ page, body, measured }) => closePage(work, page, body, measured, refused.get(page) ?? []),
  );
  const { files: sightings, accepted, first, last } = sighted;
  const count = pages.reduce((sum, page) => sum + page.refused.length, 0);
  return { pages, groups, sightings, names, accepted, refused: count, frozen: countFrozen(unread), first, last };
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

interface IndexedGroup extends PageGroup, SightedGroup {
  readonly brought: readonly BroughtPage[];
  readonly refused: IndexResult['refused'];
}

/** A page with its body, where that was read. */
interface BroughtPage {
  readonly page: number;
  readonly body: PageBody | null;
  readonly measured: MeasuredPage | null;
}

async function indexGroup(work: IndexWork, number: number, pages: readonly number[]): Promise<IndexedGroup> {
  const { folder, input, pool, contract } = work;
  const brought = await mapConcurrent(pages, AT_ONCE, (page) => bringIndex(work, page));
  const { definition } = input;
  const file = (kind: string): string => join(folder, `${kind}-${String(number).padStart(5, '0')}`);
  const files = { places: file('places'), sightings: file('sightings'), lines: file('lines') };
  const result = await pool.run({
    kind: 'index',
    pages: brought,
    records: definition.records,
    fields: fieldsOf(definition),
    frozen: contract && { contract, released: input.released, key: definition.key },
    layout: sightingLayout(definition),
    isJudged: definition.rules.length > 0,
    files,
  });
  const { sightings, lines, longest, refused } = result;
  return {
    pages,
    places: files.places,
    sightings: { path: files.sightings, ...sightings },
    lines: { path: files.lines, count: lines, longest },
    refused,
    brought: broughtPages(brought, result),
  };
}

function broughtPages(brought: readonly (PageBody | PageIndex)[], result: IndexResult): BroughtPage[] {
  const measures = new Map(result.pages.map((page) => [page.page, page]));
  return brought.map((one) => ({ page: one.page, body: 'indexKey' in one ? null : one, measured: measures.get(one.page) ?? null }));
}
