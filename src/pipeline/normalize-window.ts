import type { Micros } from '../clock.ts';
import { mapConcurrent } from '../concurrency.ts';
import { OUTAGE_POLLS } from '../fetch/lane.ts';
import { releasedHashes } from '../gate/quarantine.ts';
import type { LedgerEntry } from '../load/warehouse.ts';
import type { Batch, ContractCounts, Manifest, PendingWindow } from '../manifest/documents.ts';
import { readManifest } from '../manifest/manifests.ts';
import { manifestPages, type PageSource, type Seen, slicePages } from '../normalize/batch.ts';
import { normalizeBatch } from '../normalize/normalize.ts';
import type { Stream } from '../stream.ts';
import type { Context } from './context.ts';
import { definitionOf } from './definition.ts';

/** Normalizes a committed window into its batches, a bounded slice each. What a loaded batch already brought is left out. */
export async function normalizeWindow(context: Context, stream: Stream, pending: PendingWindow): Promise<Batch[]> {
  const manifest = await readManifest(context.store, pending.manifest);
  const sources = new Map(manifestPages(context.store, manifest).map((source) => [source.key, source]));
  const slices = slicePages(manifest.pages, context.configuration.workers.batchRecords);
  const ledger = await context.warehouse.ledger(stream.name);
  const seen = seenBy(manifest, await context.warehouse.watermark(stream.name), stream.poll);
  return mapConcurrent(slices, BATCHES_AT_ONCE, (slice) => {
    const pages = slice.flatMap((page) => sources.get(page.key) ?? []);
    return normalizeSlice(context, stream, { pages, origin: 'live', window: manifest.window, seen }, ledger);
  });
}

/** Batches in work: where one is brought, settled or uploaded, the threads have the other. */
export const BATCHES_AT_ONCE = 2;

/**
 * What tells which of a window's records came late; null where it cannot be told: of history, and where the warehouse does not hold all
 * that was asked before, so that what is old would be taken for new.
 */
function seenBy({ watermark, window }: Manifest, loaded: Micros | null, { every }: Stream['poll']): Seen | null {
  if (typeof watermark !== 'number' || loaded === null || loaded < watermark) return null;
  // What catches up brings much that nobody had the chance to see in time.
  const isInTime = window.kind === 'poll' && window.end - watermark <= OUTAGE_POLLS * every;
  return isInTime || window.kind === 'sweep' ? { watermark, at: window.end } : null;
}

export interface Slice {
  readonly pages: readonly PageSource[];
  readonly origin: Batch['origin'];
  readonly window: Batch['window'];
  readonly seen?: Seen | null;
}

export async function normalizeSlice(context: Context, stream: Stream, slice: Slice, ledger: readonly LedgerEntry[]): Promise<Batch> {
  const released = [...(await releasedHashes(context.store, stream.name))].sort();
  const batch = await normalizeBatch(
    { ...slice, definition: definitionOf(stream), released, loaded: ledger },
    context.normalizeEffects(stream),
  );
  context.log.info({ stream: stream.name, batch: batch.id, ...batch.counts }, 'batch normalized');
  if (batch.contract) logContract(context, batch, batch.contract);
  return batch;
}

function logContract({ log }: Context, { stream, id }: Batch, { frozen, discarded }: ContractCounts): void {
  if (Object.keys(frozen).length > 0) log.warn({ stream, batch: id, fields: frozen }, 'contract broken');
  if (Object.keys(discarded).length > 0) log.info({ stream, batch: id, fields: discarded }, 'fields discarded');
}
