import type { Micros } from '../clock.ts';
import { allDone, type InTurn, mapConcurrent } from '../concurrency.ts';
import { type Lane, settleLane } from '../fetch/lane.ts';
import { type PlannedWindow, type PlanOptions, planWindows } from '../fetch/plan.ts';
import { historyChains } from '../fetch/split.ts';
import { fetchWindow } from '../fetch/window.ts';
import type { PendingWindow, Window } from '../manifest/documents.ts';
import { beginPolls, coveredTo, isAhead } from '../manifest/head.ts';
import type { Lease } from '../manifest/lease.ts';
import type { Stream } from '../stream.ts';
import { certify } from './certify.ts';
import type { Context } from './context.ts';
import { lookUpNamed } from './lookup-named.ts';
import { counting, guarded, type RunOptions, type StreamReport } from './report.ts';
import { loadPending, normalizePending } from './settle-window.ts';

/** A stream while this process holds it. */
export interface Held {
  readonly context: Context;
  readonly stream: Stream;
  readonly lease: Lease;
  readonly options: RunOptions;
  readonly report: StreamReport;
  readonly began: Micros;
  /** Manifests of polls that were loaded ahead of what lies before them. */
  readonly ahead: Set<string>;
  /** Live windows and history end one after the other. */
  readonly inTurn: InTurn;
  /** Of each lane, windows are settled one after the other. */
  readonly settling: Readonly<Record<Lane, InTurn>>;
}

/**
 * What an earlier run left, then each window that is due, all the way to the warehouse before the next. Freshness waits for nothing but
 * live windows: history is fetched, settled and certified beside them, once the poll is made.
 */
export async function work(held: Held): Promise<void> {
  const { options } = held;
  await settle(held, 'live');
  if (!options.stages.includes('fetch')) {
    await settle(held, 'history');
    await guarded(held.context, held.report, 'certify', () => certifyDue(held));
    return;
  }
  if (!(await pollDue(held))) return;
  if (pendingOf(held, 'history').length > 0) await besideLive(held, () => settle(held, 'history'));
  for (let next = await afterPoll(held); next.length > 0; next = await afterPoll(held)) {
    // The next window would meet the same trouble, and the retries of each take their time.
    if (!(await fetchAndSettle(held, next))) return;
  }
  await guarded(held.context, held.report, 'certify', () => besideLive(held, () => certifyDue(held)));
}

/** The live windows that are due: what was begun, and the new poll. @returns false where one could not be fetched. */
async function pollDue(held: Held): Promise<boolean> {
  for (let polled = false; !polled; ) {
    const live = await begin(held, isLive);
    if (live.length === 0) return true;
    polled = live.some(isNewPoll);
    if (!(await fetchAndSettle(held, live))) return false;
  }
  return true;
}

/** Windows that are due, of which the head knows now where they are several. */
async function begin(
  { context, stream, lease, options: { once, sweep }, began }: Held,
  wanted: (planned: PlannedWindow) => boolean,
  asked: PlanOptions = { once, sweep, since: began },
): Promise<readonly PlannedWindow[]> {
  context.signal?.throwIfAborted();
  const plan = planWindows(context.clock.now(), lease.head(), stream, asked);
  const due = plan.due.filter(wanted);
  if (due.length > 0 && plan.begin.length > 0) await lease.update(beginPolls(plan.begin, plan.swept));
  return due;
}

/** What a pass does once its poll is made: first what is live of what an outage left out, at once; then history, of one kind at a time. */
async function afterPoll(held: Held): Promise<readonly PlannedWindow[]> {
  const due = await begin(held, (planned) => !isNewPoll(planned));
  const live = due.filter(isLive);
  return live.length > 0 ? live : due.filter(({ window }) => window.kind === due[0]?.window.kind);
}

const isLive = ({ lane }: PlannedWindow): boolean => lane === 'live';
const isNewPoll = ({ reason }: PlannedWindow): boolean => reason === 'poll' || reason === 'newest first';

/** @param planned of one lane. They are fetched at once, as far as the lane may, and each is settled as it is committed. @returns whether all were fetched. */
async function fetchAndSettle(held: Held, planned: readonly Asked[]): Promise<boolean> {
  const lane = planned[0]?.lane ?? 'live';
  let failed = false;
  const each = async (one: Asked): Promise<boolean> => {
    // What waits for its turn would meet the same trouble.
    const done = !failed && (await guardedFetch(held, one));
    failed ||= !done;
    if (done) await held.settling[lane](() => settle(held, lane));
    return done;
  };
  const length = planned.reduce((sum, { window }) => sum + window.end - window.start, 0);
  const chains = lane === 'live' ? held.stream.source.chains.most : historyChains(length, held.lease.head(), held.stream);
  const all = async (): Promise<boolean> => !(await mapConcurrent(planned, chains, each)).includes(false);
  return lane === 'live' ? all() : besideLive(held, all);
}

/**
 * Vouches for the hours that have become certain. One stretch a pass is asked once more, where nobody can vouch for it yet: by a run that
 * fetches. Stages that are run one by one do the same, each its part.
 */
async function certifyDue(held: Held): Promise<void> {
  const { stages } = held.options;
  if (stages.length === 1 && stages[0] === 'normalize') return;
  const ask = await certifyHours(held);
  if (!ask || !stages.includes('fetch')) return;
  const why = 'nobody who asked past the lateness bound can vouch for it yet';
  if (!(await guardedFetch(held, { window: ask, reason: 'certify', why, lane: 'history' }))) return;
  await settle(held, 'history');
  await certifyHours(held);
}

async function certifyHours({ context, stream, lease, report }: Held): Promise<Window | null> {
  const { hours, ask } = await certify(context, stream, lease);
  report.certified += hours;
  return ask;
}

/** Does what takes long, and meanwhile whatever live window comes due. What was loaded ahead of history can be let go of afterwards. */
async function besideLive<T>(held: Held, history: () => Promise<T>): Promise<T> {
  const ended = new AbortController();
  const [done] = await allDone(
    history().finally(() => ended.abort()),
    pollUntil(held, ended.signal),
  );
  await held.settling.live(() => settle(held, 'live'));
  return done;
}

async function pollUntil(held: Held, ended: AbortSignal): Promise<void> {
  const { context, stream, lease } = held;
  const { every } = stream.poll;
  for (let wait = every - (context.clock.now() - (coveredTo(lease.head()) ?? 0)); ; wait = every) {
    await context.clock.sleep(Math.max(0, Math.min(every, wait)) / 1000, ended).catch(() => undefined);
    if (ended.aborted || context.signal?.aborted || lease.lost.aborted) return;
    const live = await begin(held, isLive, {});
    if (live.length > 0) await fetchAndSettle(held, live);
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

/**
 * Normalizes and loads the committed windows of one lane that are not in the warehouse yet, in the order of commit. A failing one holds
 * nobody back.
 */
async function settle(held: Held, lane: Lane): Promise<void> {
  const { context, lease, options } = held;
  if (!options.stages.includes('normalize') && !options.stages.includes('load')) return;
  for (const pending of pendingOf(held, lane)) {
    context.signal?.throwIfAborted();
    // `load` alone takes only what was normalized.
    if (!options.stages.includes('normalize') && !pending.batches) continue;
    if (held.ahead.has(pending.manifest) && isAhead(lease.head(), pending.window)) continue;
    await guarded(context, held.report, pending.manifest, () => settleOne(held, pending));
  }
}

const pendingOf = ({ lease, stream }: Held, lane: Lane): readonly PendingWindow[] =>
  lease.head().pending.filter(({ window }) => settleLane(window, stream.poll) === lane);

async function settleOne({ context, stream, lease, options, report, ahead, inTurn }: Held, pending: PendingWindow): Promise<void> {
  const batches = await normalizePending(context, stream, lease, pending);
  if (!pending.batches) report.batches += batches.length;
  if (!options.stages.includes('load')) return;
  const settlement = await loadPending(context, stream, lease, pending, batches, inTurn);
  if (settlement === 'ahead') ahead.add(pending.manifest);
  if (settlement === 'loaded') report.rows += batches.reduce((sum, batch) => sum + batch.counts.rows, 0);
}
