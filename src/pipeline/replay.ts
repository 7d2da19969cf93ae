import { createHash } from 'node:crypto';
import type { Micros } from '../clock.ts';
import { forEachConcurrent, turns } from '../concurrency.ts';
import { messageOf, TidemarkError } from '../errors.ts';
import { rawScope } from '../landing/scope.ts';
import type { Batch, Receipt } from '../manifest/documents.ts';
import { type LandedPage, landedPages, type TimeRange } from '../manifest/landed.ts';
import { readHead } from '../manifest/state.ts';
import { provesNothing } from '../manifest/window-kind.ts';
import type { PageSource } from '../normalize/batch.ts';
import { latenessReach } from '../reach.ts';
import { getJson } from '../store/json.ts';
import { receiptKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Stream } from '../stream.ts';
import { behindGate } from './behind-gate.ts';
import type { Context } from './context.ts';
import { loadBatch } from './load-batch.ts';
import { BATCHES_AT_ONCE, normalizeSlice } from './normalize-window.ts';
import { openGaps } from './settle-window.ts';
import { joinsLoaded, safeWatermark } from './watermark.ts';

export interface ReplayReport {
  readonly stream: string;
  pages: number;
  records: number;
  quarantined: number;
  batches: number;
  /** Rows that the replay brought: what the warehouse did not have yet. */
  rows: number;
  inserted: number;
  updated: number;
}

export interface ReplayOptions {
  readonly load: boolean;
  /** Takes only the pages of this shard: every page belongs to exactly one of `count`. */
  readonly shard: { readonly index: number; readonly count: number } | null;
}

/** Normalizes and loads raw pages again. What the warehouse already holds changes nothing, so a second replay changes nothing at all. */
export async function replay(
  context: Context,
  stream: Stream,
  pages: AsyncIterable<PageSource>,
  options: ReplayOptions,
): Promise<ReplayReport> {
  const report: ReplayReport = { stream: stream.name, pages: 0, records: 0, quarantined: 0, batches: 0, rows: 0, inserted: 0, updated: 0 };
  const inTurn = turns();
  const all = slices(pages, context.configuration.workers.batchRecords, options.shard);
  await forEachConcurrent(all, BATCHES_AT_ONCE, async (slice) => {
    const batch = await replaySlice(context, stream, slice);
    if (!batch) return;
    count(report, batch);
    if (!options.load) return;
    const { inserted, updated } = await inTurn(() => loadBatch(context, stream, batch, null));
    report.inserted += inserted;
    report.updated += updated;
  });
  return report;
}

/** A body that nobody measured is taken for a full page. */
const EXPECTED_RECORDS = 5000;
/** A page costs memory for its receipt too, however few records it has. */
const SLICE_PAGES = 1000;

/** Of bounded size, in records and in pages; nothing is listed before it is asked for. */
export async function* slices(pages: AsyncIterable<PageSource>, limit: number, shard: ReplayOptions['shard']): AsyncIterable<PageSource[]> {
  let slice: PageSource[] = [];
  let records = 0;
  for await (const page of pages) {
    if (shard && shardOf(page.key, shard.count) !== shard.index) continue;
    const expected = page.measured?.records ?? EXPECTED_RECORDS;
    if (slice.length === SLICE_PAGES || (slice.length > 0 && records + expected > limit)) {
      yield slice;
      slice = [];
      records = 0;
    }
    slice.push(page);
    records += expected;
  }
  if (slice.length > 0) yield slice;
}

const shardOf = (key: string, count: number): number => createHash('sha256').update(key).digest().readUInt32BE(0) % count;

/** @returns its batch; null where all of it lies behind the gate. */
async function replaySlice(context: Context, stream: Stream, listed: readonly PageSource[]): Promise<Batch | null> {
  context.signal?.throwIfAborted();
  const ledger = await context.warehouse.ledger(stream.name);
  const isBehindGate = await behindGate(context, stream, ledger);
  const pages = listed.filter(({ key }) => !isBehindGate(key));
  if (pages.length < listed.length)
    context.log.info({ stream: stream.name, pages: listed.length - pages.length }, 'pages behind the gate left out');
  return pages.length === 0 ? null : normalizeSlice(context, stream, { pages, origin: 'replay', window: null }, ledger);
}

function count(report: ReplayReport, batch: Batch): void {
  report.pages += batch.pages.length;
  report.records += batch.counts.observations;
  report.quarantined += batch.counts.quarantined;
  report.rows += batch.counts.rows;
  report.batches++;
}

/**
 * After everything of a range was replayed: where it joins what the warehouse holds, the warehouse is complete up to its end. So a lost
 * warehouse gets its watermark back. @returns the watermark, or null where it stays.
 */
export async function concludeRange(context: Context, stream: Stream, range: TimeRange): Promise<Micros | null> {
  const head = (await readHead(context.store, stream.name))?.head;
  const loaded = await context.warehouse.watermark(stream.name);
  if (!head || !joinsLoaded(head, loaded, { start: range.from })) return null;
  const safe = safeWatermark(head, null, await openGaps(context, stream));
  if (safe === null || Math.min(safe, range.to) <= (loaded ?? Number.NEGATIVE_INFINITY)) return null;
  await context.warehouse.advance(stream.name, Math.min(safe, range.to));
  return Math.min(safe, range.to);
}

/** Pages that this stream landed for windows that reach into the range. */
export async function* pagesOfRange(context: Context, stream: Stream, range: TimeRange): AsyncIterable<PageSource> {
  for (const pages of [landedPages(context.store, rawScope(stream), range), latePushes(context, stream, range)])
    for await (const { key } of pages)
      yield { key, store: context.store, object: key, measured: await readReceipt(context.store, receiptKey(key)) };
}

/** What is pushed or looked up stands under the time at which it came, which may be later than its version time by the whole lateness. */
async function* latePushes({ store }: Context, stream: Stream, { to }: TimeRange): AsyncIterable<LandedPage> {
  for await (const page of landedPages(store, rawScope(stream), { from: to, to: to + latenessReach(stream.poll) }))
    if (provesNothing(page.window.kind) && page.window.start >= to) yield page;
}

/** Endings of objects under a prefix that are no pages. */
const NOT_PAGES = /(\.receipt\.json|\.index-[0-9a-f]{16}\.ndjson\.zst|manifest\.json|batch\.json|_SUCCESS|\.crc|\.parquet)$/;

/** Every body under a prefix of any store, with its receipt where it has one. */
export async function* pagesOfPrefix(store: ObjectStore, prefix: string, own: boolean): AsyncIterable<PageSource> {
  let found = 0;
  for await (const { key, size } of store.list(prefix)) {
    if (NOT_PAGES.test(key) || size === 0) continue;
    found++;
    const receipt = key.endsWith('.json.zst') ? await readReceipt(store, receiptKey(key)) : null;
    yield { key: own ? key : `${store.url.replace(/\/$/, '')}/${key}`, store, object: key, measured: receipt };
  }
  if (found > 0) return;
  throw new TidemarkError({
    code: 'NOT_FOUND',
    message: `There is no body under ${prefix || 'that prefix'} in ${store.url}`,
    hint: 'Nothing was changed. Check the URL; a prefix is any leading part of a key.',
  });
}

async function readReceipt(store: ObjectStore, key: string): Promise<Receipt | null> {
  try {
    const receipt = (await getJson<Receipt>(store, key))?.value ?? null;
    return receipt?.format === 1 && receipt.span ? receipt : null;
  } catch (error) {
    throw new TidemarkError({
      code: 'CORRUPT',
      message: `${key} is not a receipt: ${messageOf(error)}`,
      hint: 'Nothing was loaded. Remove it, and the page is measured again.',
      cause: error,
    });
  }
}
