import type { Micros } from '../clock.ts';
import { isTidemarkError, messageOf } from '../errors.ts';
import { listDeadLetters } from '../fetch/dead-letter.ts';
import { type PlannedWindow, planWindows } from '../fetch/plan.ts';
import { fetchWindow } from '../fetch/window.ts';
import { listHeld } from '../gate/held.ts';
import type { FetchTotals } from '../manifest/documents.ts';
import type { Lease } from '../manifest/lease.ts';
import { readHead } from '../manifest/state.ts';
import { commitAbandoned } from '../serve/commit-pushes.ts';
import type { Stream } from '../stream.ts';
import { certify } from './certify.ts';
import type { Context } from './context.ts';
import { loadPending, normalizePending } from './settle-window.ts';

export type Stage = 'fetch' | 'normalize' | 'load';
export const ALL_STAGES: readonly Stage[] = ['fetch', 'normalize', 'load'];

export interface RunOptions {
  /** Ends when everything that is due has been done; otherwise goes on until the signal or the deadline. */
  readonly once: boolean;
  /** Makes the sweep over the lateness bound due now. */
  readonly sweep: boolean;
  /** Ends at this time of the clock. */
  readonly until: Micros | null;
  readonly stages: readonly Stage[];
}

/** What a run did for one stream. */
export interface StreamReport {
  readonly stream: string;
  windows: number;
  batches: number;
  rows: number;
  /** Hours that were certified. */
  certified: number;
  readonly totals: { -readonly [Name in keyof FetchTotals]: FetchTotals[Name] };
  held: number;
  openDeadLetters: number;
  /** The fetched watermark, and the warehouse's. */
  watermark: Micros | null;
  loadedWatermark: Micros | null;
  /** What failed, the first first. Work on other windows went on. */
  readonly failures: { readonly error: unknown; readonly at: string }[];
}

const newReport = (stream: string): StreamReport => ({
  stream,
  windows: 0,
  batches: 0,
  rows: 0,
  certified: 0,
  totals: { asked: 0, retried: 0, duplicated: 0, short: 0, refused: 0, pages: 0, records: 0 },
  held: 0,
  openDeadLetters: 0,
  watermark: null,
  loadedWatermark: null,
  failures: [],
});

/** Runs the stages of every given stream, side by side. One stream's trouble is not another's. */
export function runStreams(context: Context, streams: readonly Stream[], options: RunOptions): Promise<StreamReport[]> {
  return Promise.all(streams.map((stream) => runStream(context, stream, options)));
}

async function runStream(context: Context, stream: Stream, options: RunOptions): Promise<StreamReport> {
  const report = newReport(stream.name);
  for (let sweep = options.sweep; ; sweep = false) {
    // What failed in the pass before was logged, and is tried again by this one.
    report.failures.length = 0;
    const done = await guarded(context, report, 'run', () => pass(context, stream, { ...options, sweep }, report));
    // Whoever asked for everything that is due must not take a run that was stopped in the middle for one that is caught up.
    if (!done && options.once && context.signal?.aborted) report.failures.push({ error: context.signal.reason, at: 'run' });
    const rest = (options.until ?? Number.POSITIVE_INFINITY) - context.clock.now();
    if (options.once || rest <= 0 || context.signal?.aborted) break;
    await context.clock.sleep(Math.min(pauseOf(stream), rest) / 1000, context.signal).catch(() => undefined);
  }
  await conclude(context, stream, report);
  return report;
}

/** Between polls, what was pushed is taken on as its windows are committed. */
const pauseOf = ({ poll, listen }: Stream): Micros => Math.min(poll.every, listen?.window ?? poll.every);

/** One pass. The stream is held no longer than that: between polls whoever releases a batch or retries a dead letter gets through. */
async function pass(context: Context, stream: Stream, options: RunOptions, report: StreamReport): Promise<void> {
  await commitAbandoned(context.serveEffects(), stream);
  const lease = await context.lease(stream);
  try {
    await work(context, stream, lease, options, report);
  } finally {
    await lease.release();
  }
}

/** What an earlier run left, then each window that is due, all the way to the warehouse before the next. */
async function work(context: Context, stream: Stream, lease: Lease, options: RunOptions, report: StreamReport): Promise<void> {
  const settleAll = (): Promise<void> => settlePending(context, stream, lease, options.stages, report);
  await settleAll();
  if (!options.stages.includes('fetch')) return;
  for (const planned of planWindows(context.clock.now(), lease.head(), stream.poll, { once: options.once, sweep: options.sweep })) {
    context.signal?.throwIfAborted();
    const done = await guarded(context, report, planned.reason, () => fetchOne(context, stream, lease, planned, report));
    // The next window would meet the same trouble, and the retries of each take their time.
    if (!done) return;
    await settleAll();
  }
  if (options.stages.includes('load')) await guarded(context, report, 'certify', () => certifyDue(context, stream, lease, report));
}

/** Vouches for the hours that have become certain. One stretch a pass is asked once more, where nobody can vouch for it yet. */
async function certifyDue(context: Context, stream: Stream, lease: Lease, report: StreamReport): Promise<void> {
  const { hours, ask } = await certify(context, stream, lease);
  report.certified += hours;
  if (!ask) return;
  await fetchOne(context, stream, lease, { window: ask, reason: 'certify' }, report);
  await settlePending(context, stream, lease, ALL_STAGES, report);
  report.certified += (await certify(context, stream, lease)).hours;
}

type Asked = Pick<PlannedWindow, 'window'> & { readonly reason: PlannedWindow['reason'] | 'certify' };

async function fetchOne(context: Context, stream: Stream, lease: Lease, planned: Asked, report: StreamReport): Promise<void> {
  context.log.info({ stream: stream.name, window: planned.window, reason: planned.reason }, 'window begun');
  const effects = context.fetchEffects(stream);
  const before = { ...report.totals };
  let pages = 0;
  const progress: typeof effects.progress = (now) => {
    addTotals(report, before, now.totals);
    if (now.totals.pages > pages) context.log.info({ stream: stream.name, ...now.totals }, 'page landed');
    pages = now.totals.pages;
    effects.progress?.({ ...now, totals: { ...report.totals } });
  };
  const fetched = await fetchWindow({ ...effects, progress }, stream, planned.window, lease);
  addTotals(report, before, fetched.totals);
  report.windows++;
  context.log.info(
    { stream: stream.name, manifest: fetched.key, ...fetched.totals, gaps: fetched.manifest.gaps.length },
    'window committed',
  );
}

function addTotals(report: StreamReport, before: FetchTotals, window: FetchTotals): void {
  for (const name of Object.keys(window) as (keyof FetchTotals)[]) report.totals[name] = before[name] + window[name];
}

/** Normalizes and loads every committed window that is not in the warehouse yet, oldest first. A failing one holds nobody back. */
async function settlePending(
  context: Context,
  stream: Stream,
  lease: Lease,
  stages: readonly Stage[],
  report: StreamReport,
): Promise<void> {
  if (!stages.includes('normalize') && !stages.includes('load')) return;
  for (const pending of lease.head().pending) {
    context.signal?.throwIfAborted();
    // `load` alone takes only what was normalized.
    if (!stages.includes('normalize') && !pending.batches) continue;
    await guarded(context, report, pending.manifest, async () => {
      const batches = await normalizePending(context, stream, lease, pending);
      if (!pending.batches) report.batches += batches.length;
      if (!stages.includes('load')) return;
      const settlement = await loadPending(context, stream, lease, pending, batches);
      if (settlement === 'loaded') report.rows += batches.reduce((sum, batch) => sum + batch.counts.rows, 0);
    });
  }
}

/** Notes a failure and goes on, unless nothing more may be done: the stream was taken over, or the run is to end. */
async function guarded(context: Context, report: StreamReport, at: string, step: () => Promise<void>): Promise<boolean> {
  try {
    await step();
    return true;
  } catch (error) {
    const isWholeRun = at === 'run';
    if (!isWholeRun && (isTidemarkError(error, 'FENCED') || context.signal?.aborted)) throw error;
    if (context.signal?.aborted) return false;
    const code = isTidemarkError(error) ? error.code : 'INTERNAL';
    context.log.error({ stream: report.stream, at, code, error: messageOf(error) }, 'failed');
    report.failures.push({ error, at });
    return false;
  }
}

async function conclude(context: Context, stream: Stream, report: StreamReport): Promise<void> {
  try {
    report.watermark = (await readHead(context.store, stream.name))?.head.watermark ?? null;
    report.held = (await listHeld(context.store, stream.name)).filter((entry) => entry.state === 'open').length;
    report.openDeadLetters = (await listDeadLetters(context.store, stream.name, 'open')).length;
    report.loadedWatermark = await context.warehouse.watermark(stream.name);
  } catch (error) {
    report.failures.push({ error, at: 'report' });
  }
}
