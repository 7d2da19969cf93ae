import { gather, identityColumns, keyColumns, meets, versionColumns, type Workbench } from '../certify/observations.ts';
import type { EngineRow } from '../engine.ts';
import { TidemarkError } from '../errors.ts';
import { fetchWindow } from '../fetch/window.ts';
import { textOf } from '../load/values.ts';
import type { Batch, FetchTotals, Manifest, Window } from '../manifest/documents.ts';
import type { TimeRange } from '../manifest/landed.ts';
import { readHead } from '../manifest/state.ts';
import { literalList } from '../sql.ts';
import { getJson } from '../store/json.ts';
import { batchKey, windowName } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import type { Context } from './context.ts';
import { runStreams } from './run.ts';
import { withWorkbench } from './workbench.ts';

/** One record in which the second pass and what was known differ. */
export interface Difference {
  /** new: the second pass alone found it. changed: it found other content under a version that was known. missing: it did not find the
   *  row of a key. */
  readonly what: 'new' | 'changed' | 'missing';
  readonly key: readonly string[];
  /** Microseconds, then digits. */
  readonly version: readonly string[];
  readonly contentHash: string;
  /** A page that holds it. */
  readonly page: string;
  readonly position: number;
}

export interface Agreement {
  readonly stream: string;
  readonly window: Window;
  readonly pageSize: number;
  readonly totals: FetchTotals;
  /** Distinct observations of the range that the second pass found, and rows of the range that it should have found. */
  readonly found: number;
  readonly rows: number;
  readonly differing: Readonly<Record<Difference['what'], number>>;
  /** At most DIFFERENCES_LIMIT. */
  readonly differences: readonly Difference[];
  readonly gaps: number;
}

const DIFFERENCES_LIMIT = 10_000;

/**
 * Asks the source for a range once more, in pages of another size, lands and loads what comes, and compares (key, version, content hash)
 * with all that was known: what was new to it, and which rows it did not find. A pass over what is due goes before the comparison, so that
 * what the partner updated meanwhile, and moved out of the range by that, is not taken for missing.
 * @throws as fetchWindow; CONFIG where the source knows no page size; STORE where the pass after it failed.
 */
export async function agree(context: Context, stream: Stream, range: TimeRange, pageSize: number): Promise<Agreement> {
  if (stream.source.sizeParameter === null) {
    const hint = 'Nothing was asked. `tidemark backfill` asks the range again in pages of the same size.';
    throw new TidemarkError({ code: 'CONFIG', message: `the source of ${stream.name} takes no page size`, hint });
  }
  const window: Window = { kind: 'backfill', start: range.from, end: range.to };
  const before = await knownBefore(context, stream, range);
  const { manifest, totals } = await askAgain(context, { ...stream, source: { ...stream.source, pageSize } }, window);
  await passOver(context, stream);
  const batches = await loadedBatches(context, stream);
  const compared = await withWorkbench(context, (bench) => compare(bench, stream, range, batches, manifest, before));
  return { stream: stream.name, window, pageSize, totals, gaps: manifest.gaps.length, ...compared };
}

/** What was known before the second pass asked: of loaded batches the pages, of windows on their way the names. */
interface Before {
  readonly pages: readonly string[];
  readonly windows: readonly string[];
}

async function knownBefore(context: Context, stream: Stream, range: TimeRange): Promise<Before> {
  const batches = await loadedBatches(context, stream);
  const pages = batches.filter((batch) => meets(batch, range)).flatMap((batch) => batch.pages.map(({ key }) => key));
  const pending = (await readHead(context.store, stream.name))?.head.pending ?? [];
  return { pages: [...new Set(pages)], windows: pending.map(({ window }) => windowName(window)) };
}

async function askAgain(context: Context, stream: Stream, window: Window): Promise<{ manifest: Manifest; totals: FetchTotals }> {
  const lease = await context.lease(stream);
  try {
    return await fetchWindow(context.fetchEffects(stream, 'backfill'), stream, window, lease);
  } finally {
    await lease.release();
  }
}

async function passOver(context: Context, stream: Stream): Promise<void> {
  const [report] = await runStreams(context, [stream], { once: true, sweep: false, until: null, stages: ['fetch', 'normalize', 'load'] });
  const failure = report?.failures[0];
  if (failure) throw failure.error;
}

async function loadedBatches(context: Context, stream: Stream): Promise<Batch[]> {
  const documents = [];
  for (const { batch } of await context.warehouse.ledger(stream.name)) {
    documents.push(await getJson<Batch>(context.store, batchKey(stream.name, batch)));
  }
  return documents.flatMap((document) => (document ? [document.value] : []));
}

async function compare(
  bench: Workbench,
  stream: Stream,
  range: TimeRange,
  batches: readonly Batch[],
  manifest: Manifest,
  before: Before,
): Promise<Pick<Agreement, 'found' | 'rows' | 'differing' | 'differences'>> {
  const same = samePages(batches, manifest);
  // Whatever is later may be the row of a key that the range holds an older version of.
  const later = { from: range.from, to: Number.MAX_SAFE_INTEGER };
  await bench.engine.run(`CREATE OR REPLACE TABLE known AS SELECT unnest(${literalList(before.pages)}) AS page;
    CREATE OR REPLACE TABLE same AS SELECT unnest(${literalList(same)}) AS page`);
  const marks = [
    { name: 'found', sql: 'page IN (FROM same)', fold: 'max' as const },
    { name: 'before', sql: `page IN (FROM known) OR ${windowSql} IN ${inList(before.windows)}`, fold: 'max' as const },
  ];
  await gather(bench, 'seen', { columns: stream, batches, range: later, marks });
  await bench.engine.run(differencesSql(stream, range));
  const rows = await bench.engine.rows(`FROM differences ORDER BY ${[...keyColumns(stream), 'h'].join(', ')} LIMIT ${DIFFERENCES_LIMIT}`);
  const differing = { new: 0, changed: 0, missing: 0 };
  for (const { what, n } of await bench.engine.rows('SELECT what, count(*) AS n FROM differences GROUP BY what'))
    differing[textOf(what) as Difference['what']] = Number(n);
  const within = `v0 >= ${range.from} AND v0 < ${range.to}`;
  const [counted] = await bench.engine.rows(
    `SELECT count(*) FILTER (found = 1) AS found, count(*) FILTER (is_row) AS held FROM ranked WHERE ${within}`,
  );
  const differences = rows.map((row) => differenceOf(stream, row));
  return { found: Number(counted?.['found']), rows: Number(counted?.['held']), differing, differences };
}

const windowSql = "regexp_extract(page, '/win=([^/]+)/', 1)";
const inList = (names: readonly string[]): string => `(SELECT unnest(${literalList(names)}))`;

/** A page of the second pass may be byte for byte one that had landed before: then the batch of that one holds its observations. */
function samePages(batches: readonly Batch[], manifest: Manifest): string[] {
  const hashes = new Set(manifest.pages.map(({ sha256 }) => sha256));
  const keys = batches.flatMap(({ pages }) => pages.filter(({ sha256 }) => hashes.has(sha256)).map(({ key }) => key));
  return [...new Set([...keys, ...manifest.pages.map(({ key }) => key)])];
}

/** A superseded version need not be found again: a source lists what is, not what was. */
function differencesSql(stream: Stream, range: TimeRange): string {
  const keys = keyColumns(stream).join(', ');
  const version = [...keyColumns(stream), ...versionColumns(stream)].join(', ');
  const order = [...versionColumns(stream), 'h'].map((name) => `${name} DESC`).join(', ');
  const columns = [...identityColumns(stream), 'page', 'position'].join(', ');
  return `CREATE OR REPLACE TABLE ranked AS
SELECT *, row_number() OVER (PARTITION BY ${keys} ORDER BY ${order}) = 1 AS is_row, max(before) OVER (PARTITION BY ${version}) = 1 AS known FROM seen;
CREATE OR REPLACE TABLE differences AS
SELECT CASE WHEN found = 0 THEN 'missing' WHEN known THEN 'changed' ELSE 'new' END AS what, ${columns} FROM ranked
WHERE v0 >= ${range.from} AND v0 < ${range.to} AND ((found = 1 AND before = 0) OR (found = 0 AND is_row))`;
}

const differenceOf = (stream: Stream, row: EngineRow): Difference => ({
  what: textOf(row['what']) as Difference['what'],
  key: keyColumns(stream).map((name) => textOf(row[name])),
  version: versionColumns(stream).map((name) => textOf(row[name])),
  contentHash: textOf(row['h']),
  page: textOf(row['page']),
  position: Number(row['position']),
});
