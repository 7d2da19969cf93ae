import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mapConcurrent } from '../concurrency.ts';
import { assert } from '../errors.ts';
import { type Contract, mayMeet } from '../schema/contract.ts';
import { recordNeedsProjection } from '../schema/project.ts';
import { emptyShape, mergeShape, shapeFromJson, shapeToJson } from '../schema/shape.ts';
import { type Input, inputsOf, writtenInputs } from '../schema/transform.ts';
import type { RecordSchema } from '../schema/types.ts';
import { bodyAt, bringBody } from './bring.ts';
import type { IndexedPage } from './close-page.ts';
import { type Definition, fieldsOf, fixedFields } from './definition.ts';
import { type LocalFile, localFile, shareOut } from './files.ts';
import type { IndexedPages, PageGroup } from './index-pages.ts';
import type { Pool } from './pool.ts';
import type { Settled } from './settle.ts';
import { countRows, type LineFiles, savePart } from './statements.ts';
import type { LinesPage } from './tasks.ts';

export interface Parts {
  readonly files: readonly LocalFile[];
  /** Records that were written in another way than they landed, for DuckDB's reader. */
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

/** Second pass: the bodies of pages of which anything goes on, those records as lines, the lines as Parquet. */
export async function writeParts(work: PartsWork): Promise<Parts> {
  const { indexed, pool, settled } = work;
  if (settled.rows === 0) return { files: [], exact: 0, discarded: {} };
  // One group more than there are threads: its pages are brought while the threads work.
  const written = await mapConcurrent(indexed.groups, pool.threads + 1, (group, number) => writeLines(work, group, number));
  const groups = written.filter((lines) => lines !== null);
  const shares = shareOut(groups, pool.threads, settled.rows);
  const files = await mapConcurrent(shares, pool.threads, (share, number) => writePart(work, share, number));
  return {
    files: files.filter((file) => file.rows > 0),
    exact: groups.reduce((sum, lines) => sum + lines.exact, 0),
    discarded: addUp(groups.map((lines) => lines.discarded)),
  };
}

function addUp(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const each of counts) for (const [field, count] of Object.entries(each)) sums[field] = (sums[field] ?? 0) + count;
  return sums;
}

interface WrittenLines {
  readonly path: string;
  readonly longest: number;
  readonly exact: number;
  readonly discarded: Readonly<Record<string, number>>;
  /** Lines of the file that do not go on. */
  readonly without: readonly Place[];
}

/** A record, by the number of its page and its position there. */
interface Place {
  readonly p: number;
  readonly i: number;
}

/** @returns null where nothing of the group goes on: its bodies are not even read. */
async function writeLines(work: PartsWork, group: PageGroup, number: number): Promise<WrittenLines | null> {
  const needed = group.pages.filter((page) => goesOn(work, page));
  if (needed.length === 0) return null;
  const written = await writtenRecords(work, group, number);
  if (written) return written;
  const pages = await mapConcurrent(needed, 8, (page) => linesPage(work, group, page));
  const path = linesPath(work, number);
  const lines = await work.pool.run({
    kind: 'lines',
    indexPath: group.isNumbered ? (group.index.files[0] ?? null) : null,
    pages,
    fields: fieldsOf(work.definition),
    schema: work.schema,
    fixed: fixedFields(work.definition),
    contract: work.contract,
    inputs: inputsFor(work),
    linesPath: path,
  });
  return { path, ...lines, without: [] };
}

/**
 * The records as they were written when their pages were read, where most of them go on; what DuckDB would lose of them is written anew.
 * @returns null where they must be looked at one by one, or were not written.
 */
async function writtenRecords(work: PartsWork, { records, pages, lines }: PageGroup, number: number): Promise<WrittenLines | null> {
  const known = pages.map((page) => pageOf(work, page));
  if (records === null || known.some((page) => page.refused.length > 0)) return null;
  const without = pages.flatMap((p) => leftOutOf(work, p).map((i) => ({ p, i })));
  if (without.length > lines / 2) return null;
  if (!known.some((page) => isProjected(work, page))) return { ...records, exact: 0, discarded: {}, without };
  if (inputsFor(work).length > 0 || known.some((page) => mayDiscard(work, page))) return null;
  const shape = emptyShape();
  for (const page of known) mergeShape(shape, shapeFromJson(page.shape));
  const path = linesPath(work, number);
  const rewritten = await work.pool.run({
    kind: 'rewrite',
    recordsPath: records.path,
    shape: shapeToJson(shape),
    schema: work.schema,
    fixed: fixedFields(work.definition),
    linesPath: path,
  });
  return { path, ...rewritten, without };
}

const linesPath = ({ folder }: PartsWork, number: number): string => join(folder, `lines-${String(number).padStart(5, '0')}`);
const inputsFor = ({ definition, schema }: PartsWork): Input[] => writtenInputs(inputsOf(definition.transform ?? null), schema);

function leftOutOf(work: PartsWork, page: number): number[] {
  const { positions = '' } = work.settled.leftOut.get(pageOf(work, page).source.key) ?? {};
  return positions === '' ? [] : positions.split(',').map(Number);
}

function pageOf({ indexed }: PartsWork, page: number): IndexedPage {
  const found = indexed.pages[page];
  assert(found, 'a page number is of the batch');
  return found;
}

function goesOn(work: PartsWork, number: number): boolean {
  const { source, records, refused } = pageOf(work, number);
  return records - refused.length > (work.settled.leftOut.get(source.key)?.count ?? 0);
}

async function linesPage(work: PartsWork, group: PageGroup, number: number): Promise<LinesPage> {
  const page = pageOf(work, number);
  const leftOut = [...page.refused, ...leftOutOf(work, number)].join(',');
  const exact = isProjected(work, page) ? page.shape : null;
  const body = page.body === null ? await bringBody(work.folder, page.source, number) : bodyAt(page.body, page.source, number);
  const landedIndex = group.isNumbered ? null : (group.index.files[group.pages.indexOf(number)] ?? null);
  return { ...body, landedIndex, careful: page.careful, exact, discards: mayDiscard(work, page), leftOut };
}

const mayDiscard = ({ contract }: PartsWork, page: IndexedPage): boolean =>
  contract !== null && mayMeet(shapeFromJson(page.shape), contract).discard;

/** Also where fields are discarded: DuckDB would take those whose columns another batch has brought. */
const isProjected = (work: PartsWork, page: IndexedPage): boolean =>
  recordNeedsProjection(shapeFromJson(page.shape), work.schema) || mayDiscard(work, page);

async function writePart({ folder, batch, definition, schema, indexed, pool }: PartsWork, share: readonly WrittenLines[], number: number) {
  const path = join(folder, `part-${number}.parquet`);
  const lines: LineFiles = { files: share.map((group) => group.path), longest: Math.max(...share.map((group) => group.longest)) };
  const without = await writePlaces(
    join(folder, `without-${number}`),
    share.flatMap((group) => group.without),
  );
  const { written } = await pool.run({
    kind: 'statements',
    run: [savePart(definition, schema, { lines, without, pages: indexed.names, batch, path })],
    ask: { written: countRows(path) },
    after: [],
  });
  return localFile(path, Number(written?.['n']));
}

async function writePlaces(path: string, places: readonly Place[]): Promise<string | null> {
  if (places.length === 0) return null;
  await writeFile(path, places.map((place) => `${JSON.stringify(place)}\n`).join(''));
  return path;
}
