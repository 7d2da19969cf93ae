import { noteLook } from '../certify/looks.ts';
import type { Micros } from '../clock.ts';
import type { InTurn } from '../concurrency.ts';
import { listDeadLetters } from '../fetch/dead-letter.ts';
import { hold, showHeld } from '../gate/held.ts';
import { judgeVolume, type WindowVolume } from '../gate/volume.ts';
import type { LedgerEntry } from '../load/warehouse.ts';
import type { Batch, Gap, Head, HeldBatch, PendingWindow } from '../manifest/documents.ts';
import { isAhead, noteBatches, settle } from '../manifest/head.ts';
import { sumLateness } from '../manifest/lateness.ts';
import type { Lease } from '../manifest/lease.ts';
import { provesNothing } from '../manifest/window-kind.ts';
import { getJson } from '../store/json.ts';
import { batchKey } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import type { Context } from './context.ts';
import { isVoid, loadBatch } from './load-batch.ts';
import { normalizeWindow } from './normalize-window.ts';
import { mayGoOn, unloadedRepairs, waitsAtRepaired } from './repaired-gaps.ts';
import { joinsLoaded, safeWatermark } from './watermark.ts';

/**
 * What became of a window: in the warehouse; held, in part or whole; or in the warehouse ahead of what lies before it, so that it stays in
 * the head's list until that has come.
 */
export type Settlement = 'loaded' | 'held' | 'ahead';

/** Normalizes a window, unless that was done, and notes its batches in the head. */
export async function normalizePending(context: Context, stream: Stream, lease: Lease, pending: PendingWindow): Promise<readonly Batch[]> {
  const noted = await notedBatches(context, stream, pending);
  if (noted) return noted;
  const batches = await normalizeWindow(context, stream, pending);
  await lease.update(
    noteBatches(
      pending.manifest,
      batches.map((batch) => batch.id),
      latenessOf(batches),
    ),
  );
  return batches;
}

/** Null unless it is known of every batch. */
function latenessOf(batches: readonly Batch[]): ReturnType<typeof sumLateness> | null {
  const counts = batches.flatMap(({ lateness }) => (lateness ? [lateness] : []));
  return counts.length === batches.length ? sumLateness(counts) : null;
}

/** The batches that an earlier run made of it; null where there are none, or the warehouse has lost what they were based on. */
async function notedBatches(context: Context, stream: Stream, pending: PendingWindow): Promise<readonly Batch[] | null> {
  if (!pending.batches) return null;
  const documents = await Promise.all(pending.batches.map((id) => getJson<Batch>(context.store, batchKey(stream.name, id))));
  const batches = documents.flatMap((document) => (document ? [document.value] : []));
  const ledger = await context.warehouse.ledger(stream.name);
  return batches.length < documents.length || batches.some((batch) => isVoid(batch, ledger)) ? null : batches;
}

/**
 * Takes a normalized window through the gate and into the warehouse, and out of the head's list where nothing of it is held.
 * @param inTurn shared by all who settle windows of one head at once.
 */
export async function loadPending(
  context: Context,
  stream: Stream,
  lease: Lease,
  pending: PendingWindow,
  batches: readonly Batch[],
  inTurn: InTurn,
): Promise<Settlement> {
  const admitted = await admit(context, stream, pending, batches);
  const reached = await context.warehouse.watermark(stream.name);
  const joins = joinsLoaded(lease.head(), reached, pending.window);
  if (!joins && (await isLost(context, stream, lease.head(), pending, reached)))
    context.log.warn({ stream: stream.name }, 'the warehouse lacks what was loaded before; its watermark waits for a replay');
  const isWhole = admitted.length === batches.length;
  const loaded = new Set((await context.warehouse.ledger(stream.name)).map((entry) => entry.batch));
  for (const [index, batch] of admitted.entries()) {
    if (loaded.has(batch.id)) continue;
    const isLast = isWhole && index === admitted.length - 1;
    await loadBatch(context, stream, batch, isLast && joins ? await reachable(context, stream, lease, pending, reached) : null);
  }
  if (await isHeld(context, stream, batches)) return 'held';
  if (isAhead(lease.head(), pending.window)) return 'ahead';
  await noteLook(context.store, pending.manifest);
  await inTurn(() => conclude(context, stream, lease, pending));
  return 'loaded';
}

/**
 * Takes a loaded window out of the head's list, and the watermark as far as what is left lets it. In turn: of two windows that end at once,
 * each would else see the other in its way, or not join what the other is about to reach, and neither would move it.
 */
async function conclude(context: Context, stream: Stream, lease: Lease, pending: PendingWindow): Promise<void> {
  await lease.update(settle(pending.manifest));
  const loaded = await context.warehouse.watermark(stream.name);
  const isPoll = pending.window.kind === 'poll';
  if (!joinsLoaded(lease.head(), loaded, pending.window) && !(isPoll && (await mayGoOn(context, stream, lease.head(), loaded)))) return;
  const watermark = await reachable(context, stream, lease, null, loaded);
  if (watermark !== null) await context.warehouse.advance(stream.name, watermark);
}

/** The head is taken before the gaps are read: those of whatever its watermark has passed were written before it did. */
async function reachable(
  context: Context,
  stream: Stream,
  lease: Lease,
  settled: PendingWindow | null,
  loaded: Micros | null,
): Promise<Micros | null> {
  const head = lease.head();
  const gaps = [...(await openGaps(context, stream)), ...(await unloadedRepairs(context, stream, lease, loaded, settled))];
  return safeWatermark(head, settled, gaps);
}

/**
 * Whether a poll finds a warehouse that holds less than was loaded into it. It does not where what lies before the window is still on its
 * way, as after an outage, or is missing in a gap. A head without a watermark is that of backfills, which move none.
 */
async function isLost(context: Context, stream: Stream, head: Head, pending: PendingWindow, reached: Micros | null): Promise<boolean> {
  const { kind, start } = pending.window;
  if (head.watermark === null || provesNothing(kind) || hasPollBefore(head, pending)) return false;
  const isInGap = (await openGaps(context, stream)).some(({ from }) => from < start);
  return !isInGap && !(await waitsAtRepaired(context, stream, reached));
}

const hasPollBefore = ({ open, pending }: Head, { window }: PendingWindow): boolean =>
  [...open, ...pending.map((other) => other.window)].some(({ kind, start }) => kind === 'poll' && start < window.start);

export async function openGaps(context: Pick<Context, 'store'>, stream: Stream): Promise<Pick<Gap, 'from'>[]> {
  const open = await listDeadLetters(context.store, stream.name, 'open');
  return open.flatMap(({ letter }) => (letter.gap ? [letter.gap] : []));
}

/** The batches that may enter now: everything, unless the window's volume is out of band and nobody has released it. */
async function admit(context: Context, stream: Stream, pending: PendingWindow, batches: readonly Batch[]): Promise<readonly Batch[]> {
  const ledger = await context.warehouse.ledger(stream.name);
  const fresh = batches.filter((batch) => !ledger.some((entry) => entry.batch === batch.id));
  const { volume } = stream.quality;
  if (volume && pending.window.kind === 'poll' && fresh.length > 0) {
    const rows = batches.reduce((sum, batch) => sum + batch.counts.distinct, 0);
    const judgement = judgeVolume(rows, pending.window.end - pending.window.start, pollHistory(ledger), volume);
    if (judgement.verdict === 'held') await holdAll(context, stream, pending, fresh, { ...judgement, rows, band: volume.band });
  }
  const states = await Promise.all(batches.map((batch) => showHeld(context.store, stream.name, batch.id)));
  return batches.filter((_batch, index) => !states[index] || states[index].state === 'released');
}

async function isHeld(context: Context, stream: Stream, batches: readonly Batch[]): Promise<boolean> {
  const states = await Promise.all(batches.map((batch) => showHeld(context.store, stream.name, batch.id)));
  return states.some((entry) => entry?.state === 'open');
}

async function holdAll(
  context: Context,
  stream: Stream,
  pending: PendingWindow,
  batches: readonly Batch[],
  why: Pick<HeldBatch, 'reason' | 'rows' | 'average' | 'band'>,
): Promise<void> {
  const { reason, rows, average, band } = why;
  for (const batch of batches) {
    if (await showHeld(context.store, stream.name, batch.id)) continue;
    const at = context.clock.now();
    await hold(context.store, { format: 1, stream: stream.name, batch: batch.id, window: pending.window, reason, rows, average, band, at });
    context.log.warn({ stream: stream.name, batch: batch.id, reason }, 'batch held');
  }
}

/** Volumes of the polls that were loaded, oldest first; the slices of one window count together. */
function pollHistory(ledger: readonly LedgerEntry[]): WindowVolume[] {
  const windows = new Map<string, { rows: number; windowMicros: number }>();
  for (const { windowKind, windowStart, windowEnd, distinct } of ledger) {
    if (windowKind !== 'poll' || windowStart === null || windowEnd === null) continue;
    const name = `${windowStart} ${windowEnd}`;
    windows.set(name, { rows: (windows.get(name)?.rows ?? 0) + distinct, windowMicros: windowEnd - windowStart });
  }
  return [...windows.values()];
}
