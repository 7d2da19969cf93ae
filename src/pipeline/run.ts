import type { Micros } from '../clock.ts';
import { allDone } from '../concurrency.ts';
import { isTidemarkError, messageOf } from '../errors.ts';
import { probeSource } from '../fetch/ask.ts';
import type { ProbeOutcome } from '../fetch/circuit.ts';
import { listDeadLetters } from '../fetch/dead-letter.ts';
import { type Plan, type PlannedWindow, planWindows } from '../fetch/plan.ts';
import { revealCredentials } from '../fetch/request.ts';
import { fetchWindow } from '../fetch/window.ts';
import { listHeld } from '../gate/held.ts';
import type { FetchTotals, PendingWindow } from '../manifest/documents.ts';
import { beginPolls, coveredTo, isAhead } from '../manifest/head.ts';
import type { Lease } from '../manifest/lease.ts';
import { readHead } from '../manifest/state.ts';
import { noTotals } from '../manifest/totals.ts';
import { commitAbandoned } from '../serve/commit-pushes.ts';
import type { Stream } from '../stream.ts';
import { certify } from './certify.ts';
import type { Context } from './context.ts';
import { lookUpNamed } from './lookup-named.ts';
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
  totals: noTotals(),
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
    await between(context, stream, Math.min(pauseOf(stream), rest) / 1000);
  }
  await conclude(context, stream, report);
  return report;
}

/** Until the next pass; where the source does not answer, until it does, which may be earlier. Nobody holds the stream meanwhile. */
async function between(context: Context, stream: Stream, ms: number): Promise<void> {
  const { signal } = context;
  const { circuit } = context.incidents(stream);
  const until = context.clock.monotonicMs() + ms;
  if (circuit.state() !== 'closed') {
    const probe = (): Promise<ProbeOutcome> => probeSource(context.fetchEffects(stream), stream, revealCredentials(stream.source.auth));
    const isBack = await circuit.wait({ probe, patienceMs: ms, signal }).then(
      () => true,
      () => false,
    );
    if (isBack) return;
  }
  await context.clock.sleep(Math.max(0, until - context.clock.monotonicMs()), signal).catch(() => undefined);
}

/** Between polls, what was pushed is taken on as its windows are committed. */
const pauseOf = ({ poll, listen }: Stream): Micros => Math.min(poll.every, listen?.window ?? poll.every);

/** One pass. The stream is held no longer than that: between polls whoever releases a batch or retries a dead letter gets through. */
async function pass(context: Context, stream: Stream, options: RunOptions, report: StreamReport): Promise<void> {
  await commitAbandoned(context.serveEffects(), stream);
  const lease = await context.lease(stream);
  try {
    await work({ context, stream, lease, options, report, began: context.clock.now(), ahead: new Set() });
  } finally {
    await lease.release();
  }
}

/** A stream while this process holds it. */
interface Held {
  readonly context: Context;
  readonly stream: Stream;
  readonly lease: Lease;
  readonly options: RunOptions;
  readonly report: StreamReport;
  readonly began: Micros;
  /** Manifests of polls that were loaded ahead of what lies before them. */
  readonly ahead: Set<string>;
}

/** What an earlier run left, then each window that is due, all the way to the warehouse before the next. History begins once the poll is made. */
async function work(held: Held): Promise<void> {
  const { context, lease, options } = held;
  await settlePending(held);
  if (!options.stages.includes('fetch')) return;
  for (let polled = false; ; ) {
    context.signal?.throwIfAborted();
    const plan = planOf(held);
    const next = plan.due.find((planned) => !polled || !isNewPoll(planned));
    if (!next) break;
    if (plan.begin.length > 0) await lease.update(beginPolls(plan.begin, plan.swept));
    polled ||= isNewPoll(next);
    const done = next.lane === 'live' ? await guardedFetch(held, next) : await fetchBesideLive(held, next);
    // The next window would meet the same trouble, and the retries of each take their time.
    if (!done) return;
    await settlePending(held);
  }
  await guarded(context, held.report, 'certify', () => certifyDue(held));
}

/** Vouches for the hours that have become certain. One stretch a pass is asked once more, where nobody can vouch for it yet. */
async function certifyDue(held: Held): Promise<void> {
  const { context, stream, lease, options, report } = held;
  if (!options.stages.includes('load')) return;
  const { hours, ask } = await certify(context, stream, lease);
  report.certified += hours;
  if (!ask) return;
  const why = 'nobody who asked past the lateness bound can vouch for it yet';
  if (!(await fetchBesideLive(held, { window: ask, reason: 'certify', why, lane: 'history' }))) return;
  await settlePending(held);
  report.certified += (await certify(context, stream, lease)).hours;
}

const planOf = ({ context, stream, lease, options: { once, sweep }, began }: Held): Plan =>
  planWindows(context.clock.now(), lease.head(), stream, { once, sweep, since: began });

const isNewPoll = ({ reason }: PlannedWindow): boolean => reason === 'poll' || reason === 'newest first';

/** Fetches history, and whatever live window comes due meanwhile: freshness does not wait for it. */
async function fetchBesideLive(held: Held, planned: Asked): Promise<boolean> {
  const ended = new AbortController();
  const history = guardedFetch(held, planned).finally(() => ended.abort());
  const [done] = await allDone(history, pollUntil(held, ended.signal));
  return done;
}

async function pollUntil(held: Held, ended: AbortSignal): Promise<void> {
  const { context, stream, lease } = held;
  const { every } = stream.poll;
  for (let wait = every - (context.clock.now() - (coveredTo(lease.head()) ?? 0)); ; wait = every) {
    await context.clock.sleep(Math.max(0, Math.min(every, wait)) / 1000, ended).catch(() => undefined);
    if (ended.aborted || context.signal?.aborted || lease.lost.aborted) return;
    const next = planOf({ ...held, options: { ...held.options, once: false, sweep: false } }).due.find(({ lane }) => lane === 'live');
    if (next && (await guardedFetch(held, next))) await settlePending(held);
  }
}

type Asked = Omit<PlannedWindow, 'reason'> & { readonly reason: PlannedWindow['reason'] | 'certify' };

const guardedFetch = (held: Held, planned: Asked): Promise<boolean> =>
  guarded(held.context, held.report, planned.reason, () => fetchOne(held, planned));

async function fetchOne({ context, stream, lease, report }: Held, { window, reason, why, lane }: Asked): Promise<void> {
  context.log.info({ stream: stream.name, window, reason, why }, 'window begun');
  const effects = context.fetchEffects(stream, lane === 'live' ? 'live' : 'backfill');
  const count = counting(report);
  let pages = 0;
  const progress: typeof effects.progress = (now) => {
    count(now.totals);
    if (now.totals.pages > pages) context.log.info({ stream: stream.name, ...now.totals }, 'page landed');
    pages = now.totals.pages;
    effects.progress?.({ ...now, totals: { ...report.totals } });
  };
  const incidents = context.incidents(stream);
  const { watermark } = lease.head();
  const fetched = await fetchWindow({ ...effects, progress }, stream, window, lease).finally(() => incidents.noteFreshness(watermark));
  await incidents.committed();
  count(fetched.totals);
  if (fetched.manifest.gaps.length > 0) await lookUpNamed(effects, stream, lease, counting(report));
  report.windows++;
  context.log.info(
    { stream: stream.name, manifest: fetched.key, ...fetched.totals, gaps: fetched.manifest.gaps.length },
    'window committed',
  );
}

/** Adds what a window's totals have grown by since they were last told: two windows may be fetched at once. */
function counting({ totals }: StreamReport): (window: FetchTotals) => void {
  let before: FetchTotals | null = null;
  return (window) => {
    for (const name of Object.keys(window) as (keyof FetchTotals)[]) totals[name] += window[name] - (before?.[name] ?? 0);
    before = { ...window };
  };
}

/** Normalizes and loads every committed window that is not in the warehouse yet, in the order of commit. A failing one holds nobody back. */
async function settlePending(held: Held): Promise<void> {
  const { context, lease, options } = held;
  if (!options.stages.includes('normalize') && !options.stages.includes('load')) return;
  for (const pending of lease.head().pending) {
    context.signal?.throwIfAborted();
    // `load` alone takes only what was normalized.
    if (!options.stages.includes('normalize') && !pending.batches) continue;
    if (held.ahead.has(pending.manifest) && isAhead(lease.head(), pending.window)) continue;
    await guarded(context, held.report, pending.manifest, () => settleOne(held, pending));
  }
}

async function settleOne({ context, stream, lease, options, report, ahead }: Held, pending: PendingWindow): Promise<void> {
  const batches = await normalizePending(context, stream, lease, pending);
  if (!pending.batches) report.batches += batches.length;
  if (!options.stages.includes('load')) return;
  const settlement = await loadPending(context, stream, lease, pending, batches);
  if (settlement === 'ahead') ahead.add(pending.manifest);
  if (settlement === 'loaded') report.rows += batches.reduce((sum, batch) => sum + batch.counts.rows, 0);
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
