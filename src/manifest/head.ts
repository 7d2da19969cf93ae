import type { Micros } from '../clock.ts';
import { assert } from '../errors.ts';
import { DAY, formatInstant } from '../time.ts';
import type { Head, Holder, PendingWindow, Window } from './documents.ts';
import { addLateness, type LatenessCounts } from './lateness.ts';

/**
 * The changes that a head can undergo, as pure functions. Each but `takeOver` and `renew` may be applied again to a head that already
 * holds it, and then returns that very head: a change whose outcome is unknown can simply be made once more. `seq` and `opId` belong to
 * state.ts.
 */
export type Transition = (head: Head) => Head;

/** Limits that keep a head small and replays findable. */
export const HEAD_LIMITS = {
  /** Nothing is asked in one window beyond this; landedPages looks so far back for windows that reach into a range. */
  windowLength: 32 * DAY,
  open: 2_000,
  pending: 10_000,
} as const;

export function newHead(stream: string): Head {
  return {
    format: 1,
    stream,
    seq: 0,
    opId: '',
    epoch: 0,
    holder: null,
    since: null,
    watermark: null,
    sweptAt: { outOfOrder: null, lateness: null },
    open: [],
    pending: [],
  };
}

/** Takes the stream over: whatever an earlier holder may still do is fenced by the new epoch. */
export function takeOver(holder: Holder): Transition {
  return (head) => ({ ...head, epoch: head.epoch + 1, holder });
}

/** Says that the holder lives. */
export const renew: Transition = (head) => {
  assert(head.holder, `the lease on ${head.stream} is renewed, but nobody holds it`);
  return { ...head, holder: { ...head.holder, beat: head.holder.beat + 1 } };
};

/** Lets the next one begin at once. The epoch stays: whoever comes raises it. */
export const release: Transition = (head) => (head.holder ? { ...head, holder: null } : head);

/** Poll windows must join what is committed or begun, so that no instant is left out. */
export function beginWindow(window: Window): Transition {
  return (head) => {
    if (head.open.some((open) => sameWindow(open, window))) return head;
    assert(window.start < window.end, `${describe(window)} is empty`);
    assert(window.end - window.start <= HEAD_LIMITS.windowLength, `${describe(window)} is longer than a window may be`);
    assert(head.open.length < HEAD_LIMITS.open, `${head.stream} has ${head.open.length} open windows`);
    assert(window.kind !== 'poll' || joins(head, window), `${describe(window)} leaves a gap behind what ${head.stream} has covered`);
    return { ...head, open: [...head.open, { start: window.start, end: window.end, kind: window.kind }] };
  };
}

const isPoll = ({ kind }: Window): boolean => kind === 'poll';

/** The end of everything that polls have covered or begun to; null before the first. What lies before it has no gap. */
export function coveredTo({ watermark, open, pending }: Pick<Head, 'watermark' | 'open' | 'pending'>): Micros | null {
  const polls = [...open, ...pending.map(({ window }) => window)].filter(isPoll);
  return polls.reduce((end: Micros | null, window) => latest(end, window.end), watermark);
}

function joins(head: Head, window: Window): boolean {
  const covered = coveredTo(head);
  return covered === null || window.start <= covered;
}

/**
 * A poll beyond the watermark: it is committed, and something before it is not. It stays pending until the watermark has come past it.
 */
export const isAhead = ({ watermark }: Pick<Head, 'watermark'>, window: Window): boolean =>
  isPoll(window) && (watermark === null || window.end > watermark);

/**
 * Begins polls that follow each other in time all at once, in whatever order they are to be asked then: the head knows of every instant of
 * them from now on.
 * @param swept the sweep that they amount to together.
 */
export function beginPolls(windows: readonly Window[], swept: Commit['swept'] = null): Transition {
  return (head) => {
    const begun = sequence(...windows.map(beginWindow))(head);
    return begun === head || !swept ? begun : { ...begun, sweptAt: sweep(begun.sweptAt, swept) };
  };
}

export interface Commit {
  readonly window: Window;
  /** Key of the window's manifest, which stands in the store already. */
  readonly manifest: string;
  /** For a sweep: which bound it went over, and when. A sweep over the lateness bound covers the out-of-order bound as well. */
  readonly swept?: { readonly bound: 'outOfOrder' | 'lateness'; readonly at: Micros } | null;
  /** Records that it landed. */
  readonly records?: number;
}

/** Closes a window: what it landed is now due to be normalized and loaded. Only polls move the watermark. */
export function commitWindow({ window, manifest, swept = null, records }: Commit): Transition {
  return (head) => {
    if (head.pending.some((pending) => pending.manifest === manifest)) return head;
    assert(
      head.open.some((open) => sameWindow(open, window)),
      `${describe(window)} is committed, but was not begun`,
    );
    assert(head.pending.length < HEAD_LIMITS.pending, `${head.stream} has ${head.pending.length} windows that are not loaded`);
    const open = head.open.filter((other) => !sameWindow(other, window));
    const pending: PendingWindow = { window: { start: window.start, end: window.end, kind: window.kind }, manifest, batches: null };
    const committed = { ...head, open, pending: [...head.pending, pending] };
    const volume = isPoll(window) && records !== undefined ? { volume: { records, length: window.end - window.start } } : {};
    return {
      ...committed,
      ...volume,
      since: isPoll(window) ? earliest(head.since, window.start) : head.since,
      watermark: isPoll(window) ? advance(committed) : head.watermark,
      sweptAt: head.since === null && isPoll(window) ? first(head.sweptAt, window) : swept ? sweep(head.sweptAt, swept) : head.sweptAt,
    };
  };
}

/** Over every committed poll that joins, but not past one that is still open: the watermark says that everything before it is committed. */
function advance({ watermark, open, pending }: Head): Micros | null {
  const committed = pending.map(({ window }) => window).filter(isPoll);
  const begun = open.filter(isPoll);
  const from = watermark ?? Math.min(...[...committed, ...begun].map((window) => window.start));
  let reached = from;
  for (const window of committed.toSorted((a, b) => a.start - b.start)) {
    if (window.start <= reached) reached = Math.max(reached, window.end);
  }
  const limits = begun.map((window) => window.start).filter((start) => start < reached);
  return latest(watermark, Math.min(reached, ...limits) > from ? Math.min(reached, ...limits) : null);
}

/**
 * The first poll asks for everything that there was: like a sweep at its end, however far back it began. Were it none, the first sweep,
 * whenever it comes, would look back from its own time, and leave out what showed late in between.
 */
const first = (sweptAt: Head['sweptAt'], { end }: Window): Head['sweptAt'] => ({
  outOfOrder: latest(sweptAt.outOfOrder, end),
  lateness: latest(sweptAt.lateness, end),
});

function sweep(sweptAt: Head['sweptAt'], swept: NonNullable<Commit['swept']>): Head['sweptAt'] {
  const outOfOrder = latest(sweptAt.outOfOrder, swept.at);
  return swept.bound === 'outOfOrder' ? { ...sweptAt, outOfOrder } : { outOfOrder, lateness: latest(sweptAt.lateness, swept.at) };
}

const earliest = (before: Micros | null, at: Micros): Micros => (before === null ? at : Math.min(before, at));
function latest(before: Micros | null, at: Micros): Micros;
function latest(before: Micros | null, at: Micros | null): Micros | null;
function latest(before: Micros | null, at: Micros | null): Micros | null {
  return before === null || at === null ? (before ?? at) : Math.max(before, at);
}

/**
 * Notes what a pending window was normalized into. Normalizing it again replaces the note.
 * @param lateness of the window's records; counts once, however often the window is normalized.
 */
export function noteBatches(manifest: string, batches: readonly string[], lateness: LatenessCounts | null = null): Transition {
  return (head) => {
    const index = head.pending.findIndex((pending) => pending.manifest === manifest);
    const before = head.pending[index];
    assert(before, `batches are noted for ${manifest}, which is not pending`);
    if (before.batches && sameList(before.batches, batches)) return head;
    const noted = { ...head, pending: head.pending.with(index, { ...before, batches: [...batches] }) };
    const isNew = lateness && before.batches === null;
    return isNew ? { ...noted, lateness: addLateness(head.lateness ?? null, lateness, before.window.end) } : noted;
  };
}

/** The window's batches are in the warehouse, or are held or empty: nothing is left to do for it. */
export function settle(manifest: string): Transition {
  return (head) => {
    const settled = head.pending.find((pending) => pending.manifest === manifest);
    if (!settled) return head;
    assert(settled.batches, `${manifest} is settled, but was never normalized`);
    assert(!isAhead(head, settled.window), `${manifest} is settled, but something before it is not committed`);
    return { ...head, pending: head.pending.filter((pending) => pending !== settled) };
  };
}

/** Gives up a window that was begun. Never a poll: its stretch of time would be left out. */
export function abandonWindow(window: Window): Transition {
  return (head) => {
    assert(window.kind !== 'poll', `${describe(window)} cannot be abandoned`);
    const open = head.open.filter((other) => !sameWindow(other, window));
    return open.length === head.open.length ? head : { ...head, open };
  };
}

/** One after the other, as one write. */
export function sequence(...transitions: readonly Transition[]): Transition {
  return (head) => transitions.reduce((current, transition) => transition(current), head);
}

export function sameWindow(a: Window, b: Window): boolean {
  return a.start === b.start && a.end === b.end && a.kind === b.kind;
}

const sameList = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((item, i) => item === b[i]);

const describe = (window: Window): string => `the ${window.kind} window ${formatInstant(window.start)} to ${formatInstant(window.end)}`;

/** What must hold of every head, checked on both sides of the store: when it is read and before it is written. */
export function assertHead(head: Head): void {
  assert(Number.isSafeInteger(head.epoch) && head.epoch >= 0, `head of ${head.stream}: epoch ${head.epoch}`);
  assert(Number.isSafeInteger(head.seq) && head.seq >= 0, `head of ${head.stream}: seq ${head.seq}`);
  assert(head.holder === null || head.epoch > 0, `head of ${head.stream} is held in epoch 0`);
  assert(
    new Set(head.pending.map((pending) => pending.manifest)).size === head.pending.length,
    `head of ${head.stream}: a window is pending twice`,
  );
  assert(
    head.open.every((open, i) => !head.open.slice(0, i).some((other) => sameWindow(open, other))),
    `head of ${head.stream}: a window is open twice`,
  );
}

/** What no change may do, whoever makes it. */
export function assertSuccessor(before: Head, after: Head): void {
  assert(after.stream === before.stream, `a head of ${before.stream} became one of ${after.stream}`);
  assert(after.epoch >= before.epoch, `the epoch of ${before.stream} fell from ${before.epoch} to ${after.epoch}`);
  assert(
    before.watermark === null || (after.watermark !== null && after.watermark >= before.watermark),
    `the watermark of ${before.stream} fell`,
  );
}
