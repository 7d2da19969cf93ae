import type { Micros } from '../clock.ts';
import { mapConcurrent, turns } from '../concurrency.ts';
import { expectedRecords, expectedRequests, type Range, splitRange } from '../fetch/backfill-plan.ts';
import { fetchWindow } from '../fetch/window.ts';
import { rawScope } from '../landing/scope.ts';
import type { LedgerEntry } from '../load/warehouse.ts';
import type { FetchTotals, Head, Window } from '../manifest/documents.ts';
import { sameWindow } from '../manifest/head.ts';
import type { Lease } from '../manifest/lease.ts';
import { readHead } from '../manifest/state.ts';
import { noTotals } from '../manifest/totals.ts';
import { createJson, getJson } from '../store/json.ts';
import { backfillHead, backfillKey, backfillPrefix, parseRawKey, windowPrefix } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import { DAY } from '../time.ts';
import type { Context } from './context.ts';
import { loadPending, normalizePending, openGaps } from './settle-window.ts';

/** One pull of a range, written once before it begins: whoever runs the command again goes by it. */
export interface BackfillPlan {
  readonly format: 1;
  readonly stream: string;
  readonly number: number;
  readonly range: Range;
  readonly chains: readonly Window[];
  /** Expected; null where nobody knew. */
  readonly records: number | null;
  readonly createdAt: Micros;
}

export interface BackfillState {
  readonly plan: BackfillPlan;
  /** open: begun; pending: committed and not loaded; done: in the warehouse. */
  readonly chains: readonly { readonly window: Window; readonly state: 'to do' | 'open' | 'pending' | 'done' }[];
  readonly finishedAt: Micros | null;
  readonly requestsLeft: number | null;
  readonly changes: readonly DayChange[];
}

export interface DayChange {
  /** Its beginning (UTC); of the chain, whose last pages may reach into the next day. */
  readonly day: Micros;
  readonly inserted: number;
  readonly updated: number;
}

export interface BackfillProgress {
  readonly chains: number;
  readonly chainsDone: number;
  readonly asked: number;
  /** From what the chains of this run took so far; null before the first is done. */
  readonly requestsLeft: number | null;
  readonly secondsLeft: number | null;
}

export interface BackfillReport extends BackfillState {
  readonly totals: FetchTotals;
  /** Gaps in the range that are open in dead letter. */
  readonly gaps: number;
}

/** What the next `backfill` of this range would do, or goes on with, and what changed so far; nothing is written. */
export async function planBackfill(context: Context, stream: Stream, range: Range): Promise<BackfillState> {
  const head = (await readHead(context.store, backfillHead(stream.name)))?.head ?? null;
  const latest = await latestPlan(context, stream, range);
  return stateOf(context, stream, latest?.plan ?? (await newPlan(context, stream, range, 1)), latest?.finishedAt ?? null, head);
}

/**
 * Pulls a range again from the source: chains split by time, `parallel` at once, each loaded as it is done. Backfills have a head and a
 * lease of their own, so that a live run goes on beside them, and never move a watermark. Run again, it goes on where it stopped; a pull that
 * is finished is followed by another.
 * @throws as `fetchWindow` and the stages; what has landed is kept.
 */
export async function runBackfill(
  context: Context,
  stream: Stream,
  range: Range,
  parallel: number,
  progress: (progress: BackfillProgress) => void,
): Promise<BackfillReport> {
  const lease = await context.lease({ ...stream, name: backfillHead(stream.name) });
  try {
    const plan = await beginPlan(context, stream, range);
    const totals = await pull(context, stream, lease, plan, parallel, progress);
    const at = context.clock.now();
    await createJson(context.store, backfillKey(stream.name, range, plan.number, 'done'), { format: 1, at, totals });
    const gaps = (await openGaps(context, stream)).filter(({ from }) => from >= range.start && from < range.end).length;
    return { ...(await stateOf(context, stream, plan, at, lease.head())), totals, gaps };
  } finally {
    await lease.release();
  }
}

async function pull(
  context: Context,
  stream: Stream,
  lease: Lease,
  plan: BackfillPlan,
  parallel: number,
  progress: (progress: BackfillProgress) => void,
): Promise<FetchTotals> {
  // Chains are fetched side by side, and loaded one after the other.
  const inTurn = turns();
  const settleAll = (): Promise<void> => inTurn(() => settlePending(context, stream, lease));
  await settleAll();
  const before = (await stateOf(context, stream, plan, null, lease.head())).chains;
  const left = before.filter(({ state }) => state === 'to do' || state === 'open');
  const tell = teller(context, before.length, left.length, progress);
  await mapConcurrent(left, parallel, async ({ window }) => {
    context.signal?.throwIfAborted();
    context.log.info({ stream: stream.name, window, reason: 'backfill' }, 'window begun');
    const effects = context.fetchEffects(stream, 'backfill');
    const fetched = await fetchWindow({ ...effects, progress: (now) => tell.landed(window, now.totals) }, stream, window, lease);
    tell.landed(window, fetched.totals);
    context.log.info({ stream: stream.name, manifest: fetched.key, gaps: fetched.manifest.gaps.length }, 'window committed');
    await settleAll();
    tell.done();
  });
  return tell.totals();
}

async function settlePending(context: Context, stream: Stream, lease: Lease): Promise<void> {
  for (const pending of lease.head().pending) {
    context.signal?.throwIfAborted();
    await loadPending(context, stream, lease, pending, await normalizePending(context, stream, lease, pending), turns());
  }
}

/** Adds up what the chains ask, and reckons what is left: as many requests for each chain to come as those done took, at their pace. */
function teller(context: Context, chains: number, left: number, progress: (progress: BackfillProgress) => void) {
  const began = context.clock.monotonicMs();
  const asked = new Map<Window, FetchTotals>();
  let done = 0;
  const totals = (): FetchTotals => {
    const sum = { ...noTotals() };
    for (const each of asked.values()) for (const name of Object.keys(sum) as (keyof FetchTotals)[]) sum[name] += each[name];
    return sum;
  };
  const tell = (): void => {
    const sent = totals().asked;
    const pace = sent / Math.max(1, context.clock.monotonicMs() - began);
    const requestsLeft = done === 0 ? null : Math.max(0, Math.round((sent / done) * left) - sent);
    const secondsLeft = requestsLeft === null ? null : Math.round(requestsLeft / pace / 1000);
    progress({ chains, chainsDone: chains - left + done, asked: sent, requestsLeft, secondsLeft });
  };
  return {
    totals,
    landed: (window: Window, now: FetchTotals): void => {
      asked.set(window, { ...now });
      tell();
    },
    done: (): void => {
      done += 1;
      tell();
    },
  };
}

interface Pull {
  readonly plan: BackfillPlan;
  readonly finishedAt: Micros | null;
}

async function latestPlan({ store }: Context, stream: Stream, range: Range): Promise<Pull | null> {
  const prefix = backfillPrefix(stream.name, range);
  let latest = 0;
  for await (const { key } of store.list(prefix))
    latest = Math.max(latest, Number(/^(\d+)\.plan\.json$/.exec(key.slice(prefix.length))?.[1] ?? 0));
  const plan = latest === 0 ? null : await getJson<BackfillPlan>(store, backfillKey(stream.name, range, latest, 'plan'));
  const done = plan && (await getJson<{ at: Micros }>(store, backfillKey(stream.name, range, latest, 'done')));
  return plan && { plan: plan.value, finishedAt: done?.value.at ?? null };
}

async function beginPlan(context: Context, stream: Stream, range: Range): Promise<BackfillPlan> {
  const latest = await latestPlan(context, stream, range);
  if (latest && latest.finishedAt === null) return latest.plan;
  const plan = await newPlan(context, stream, range, (latest?.plan.number ?? 0) + 1);
  const key = backfillKey(stream.name, range, plan.number, 'plan');
  await createJson(context.store, key, plan);
  // Whoever was first has said how the range is split.
  return (await getJson<BackfillPlan>(context.store, key))?.value ?? plan;
}

async function newPlan(context: Context, stream: Stream, range: Range, number: number): Promise<BackfillPlan> {
  const records = expectedRecords(range, await context.warehouse.ledger(stream.name));
  const chains = splitRange(range, stream, records, number);
  return { format: 1, stream: stream.name, number, range, chains, records, createdAt: context.clock.now() };
}

const LOOKERS = 8;

async function stateOf(
  context: Context,
  stream: Stream,
  plan: BackfillPlan,
  finishedAt: Micros | null,
  head: Head | null,
): Promise<BackfillState> {
  const chains = await mapConcurrent(plan.chains, LOOKERS, async (window) => ({
    window,
    state: await chainState(context, stream, window, head),
  }));
  const left = chains.filter(({ state }) => state === 'to do' || state === 'open').map(({ window }) => window);
  const changes = changesByDay(plan, await context.warehouse.ledger(stream.name));
  return { plan, chains, finishedAt, requestsLeft: expectedRequests(left, plan.range, stream, plan.records), changes };
}

async function chainState(
  context: Context,
  stream: Stream,
  window: Window,
  head: Head | null,
): Promise<'to do' | 'open' | 'pending' | 'done'> {
  if (head?.open.some((open) => sameWindow(open, window))) return 'open';
  if (head?.pending.some((pending) => sameWindow(pending.window, window))) return 'pending';
  for await (const { key } of context.store.list(windowPrefix(rawScope(stream), window)))
    if (parseRawKey(key)?.file.kind === 'manifest') return 'done';
  return 'to do';
}

function changesByDay({ chains }: BackfillPlan, ledger: readonly LedgerEntry[]): DayChange[] {
  const ours = new Set(chains.map(({ start, end }) => `${start} ${end}`));
  const days = new Map<Micros, DayChange>();
  for (const { windowKind, windowStart, windowEnd, inserted, updated } of ledger) {
    if (windowKind !== 'backfill' || windowStart === null || !ours.has(`${windowStart} ${windowEnd}`)) continue;
    const day = Math.floor(windowStart / DAY) * DAY;
    const before = days.get(day) ?? { day, inserted: 0, updated: 0 };
    days.set(day, { day, inserted: before.inserted + inserted, updated: before.updated + updated });
  }
  return [...days.values()].sort((a, b) => a.day - b.day);
}
