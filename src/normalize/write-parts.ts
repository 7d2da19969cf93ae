import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mapConcurrent } from '../concurrency.ts';
import { assert } from '../errors.ts';
import { type Contract, mayMeet } from '../schema/contract.ts';
import { shapeFromJson } from '../schema/shape.ts';
import { inputsOf, writtenInputs } from '../schema/transform.ts';
import { DERIVED, type RecordSchema } from '../schema/types.ts';
import { bodyAt, bringBody } from './bring.ts';
import type { IndexedPage } from './close-page.ts';
import type { Definition } from './definition.ts';
import { type LocalFile, localFile, shareOut } from './files.ts';
import type { IndexedPages, PageGroup } from './index-pages.ts';
import type { Pool } from './pool.ts';
import type { Settled } from './settle.ts';
import { saveDerived } from './statements.ts';
import type { TableLayout } from './table-layout.ts';
import type { RowsPage, WrittenRows } from './tasks.ts';

export interface Parts {
  readonly files: readonly LocalFile[];
  /** Records that were read into objects first, since their bytes alone do not say which value goes where. */
  readonly exact: number;
  /** By field that the contract discards: how many rows had it. */
  readonly discarded: Readonly<Record<string, number>>;
}

export interface PartsWork {
  readonly folder: string;
  readonly batch: string;
  readonly definition: Definition;
  readonly pool: Pool;
  readonly indexed: IndexedPages;
  readonly schema: RecordSchema;
  readonly settled: Settled;
  /** Null where every field may come in. */
  readonly contract: Contract | null;
}

/** Second pass: the bodies of pages of which anything goes on, those records as row groups, the row groups as Parquet files. */
export async function writeParts(work: PartsWork): Promise<Parts> {
  const { indexed, pool, settled } = work;
  if (settled.rows === 0) return { files: [], exact: 0, discarded: {} };
  // One group more than there are threads: its pages are brought while the threads work.
  const written = await mapConcurrent(indexed.groups, pool.threads + 1, (group, number) => writeRows(work, group, number));
  const groups = written.filter((rows) => rows !== null);
  const shares = shareOut(groups, pool.threads, settled.rows);
  const files = await mapConcurrent(shares, pool.threads, (share, number) => writePart(work, share, number));
  return {
    files: files.filter((file) => file.rows > 0),
    exact: groups.reduce((sum, rows) => sum + rows.exact, 0),
    discarded: addUp(groups.map((rows) => rows.discarded)),
  };
}

function addUp(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const each of counts) for (const [field, count] of Object.entries(each)) sums[field] = (sums[field] ?? 0) + count;
  return sums;
}

/** @returns null where nothing of the group goes on: its bodies are not even read. */
async function writeRows(work: PartsWork, group: PageGroup, number: number): Promise<WrittenRows | null> {
  const needed = group.pages.filter((page) => goesOn(work, page));
  if (needed.length === 0) return null;
  const pages = await mapConcurrent(needed, 8, (page) => rowsPage(work, group, page));
  const path = join(work.folder, `rows-${String(number).padStart(5, '0')}`);
  const rows = await work.pool.run({
    kind: 'rows',
    places: group.places,
    pages,
    layout: layoutOf(work),
    batch: work.batch,
    contract: work.contract,
    path,
  });
  return { path, ...rows };
}

function layoutOf({ definition, schema }: PartsWork): TableLayout {
  const { key, version, transform = null } = definition;
  return { key, version, schema, inputs: writtenInputs(inputsOf(transform), schema, definition) };
}

function pageOf({ indexed }: PartsWork, page: number): IndexedPage {
  const found = indexed.pages[page];
  assert(found, 'a page number is of the batch');
  return found;
}

function goesOn(work: PartsWork, number: number): boolean {
  const { source, records, refused } = pageOf(work, number);
  const { pages, areKept } = work.settled;
  const { count = 0 } = pages.get(source.key) ?? {};
  return areKept ? count > 0 : records - refused.length > count;
}

async function rowsPage(work: PartsWork, group: PageGroup, number: number): Promise<RowsPage> {
  const page = pageOf(work, number);
  const { pages, areKept } = work.settled;
  const listed = pages.get(page.source.key)?.positions ?? '';
  const positions = areKept ? listed : [...page.refused, ...(listed === '' ? [] : [listed])].join(',');
  const body = page.body === null ? await bringBody(work.folder, page.source, number) : bodyAt(page.body, page.source, number);
  const earlier = group.pages.slice(0, group.pages.indexOf(number));
  const before = earlier.reduce((sum, each) => sum + pageOf(work, each).records, 0);
  return { ...body, before, records: page.records, isVerified: page.body !== null, discards: mayDiscard(work, page), positions, areKept };
}

const mayDiscard = ({ contract }: PartsWork, page: IndexedPage): boolean =>
  contract !== null && mayMeet(shapeFromJson(page.shape), contract).discard;

async function writePart(work: PartsWork, share: readonly WrittenRows[], number: number): Promise<LocalFile> {
  const { folder, definition, schema, pool } = work;
  // Fields alone name the columns of a transform that makes none.
  const transform = schema.fields.some(({ name }) => name === DERIVED) ? (definition.transform ?? null) : null;
  const path = join(folder, `part-${number}.parquet`);
  const layout = layoutOf(work);
  const parts = share.map(({ path: rows, groups }) => ({ path: rows, groups }));
  const rowsPath = transform ? `${path}.rows` : path;
  const { rows } = await pool.run({ kind: 'join', layout, parts, path: rowsPath });
  if (transform) {
    const run = [saveDerived(definition, transform, schema, rowsPath, path)];
    await pool.run({ kind: 'statements', run, ask: {}, after: [] });
    await rm(rowsPath);
  }
  return localFile(path, rows);
}
