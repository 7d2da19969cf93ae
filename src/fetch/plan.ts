import type { Micros } from '../clock.ts';
import type { Head, Window } from '../manifest/documents.ts';
import { type Commit, coveredTo, HEAD_LIMITS } from '../manifest/head.ts';
import { latenessReach, outOfOrderReach } from '../reach.ts';
import type { Poll, Stream } from '../stream.ts';
import { DAY, formatDuration, HOUR, SECOND } from '../time.ts';
import { type Lane, laneOf, longestLive, OUTAGE_POLLS } from './lane.ts';
import { type Overlap, overlapOf } from './overlap.ts';
import { chainsFor, historyParts, maySplit } from './split.ts';

export type PlanReason = 'resume' | 'first poll' | 'poll' | 'newest first' | 'catch up' | 'sweep out-of-order' | 'sweep lateness';

export interface PlannedWindow {
  readonly window: Window;
  readonly reason: PlanReason;
  /** A sentence. */
  readonly why: string;
  readonly lane: Lane;
}

export interface PlannedNext {
  readonly at: Micros;
  readonly reason: PlanReason;
  readonly why: string;
}

export interface Plan {
  /** What to ask now, in this order. All are half-open. */
  readonly due: readonly PlannedWindow[];
  /** Windows of `due` that the head is to know of before the first of them is asked, by time; and the sweep that they amount to together. */
  readonly begin: readonly Window[];
  readonly swept: NonNullable<Commit['swept']> | null;
  /** What comes due later, soonest first. */
  readonly next: readonly PlannedNext[];
  readonly overlap: Overlap;
}

export interface PlanOptions {
  /** Poll although the interval has not passed: a run that is to end caught up. */
  readonly once?: boolean;
  /** Make the sweep over the whole lateness bound due now. */
  readonly sweep?: boolean;
  /** When the run began that wants so: what reaches up to then need not be asked again. Now, where left out. */
  readonly since?: Micros;
}

export type Planned = Pick<Head, 'since' | 'watermark' | 'sweptAt' | 'open' | 'pending' | 'lateness' | 'volume'>;

const OUT_OF_ORDER_SWEEP_EVERY: Micros = HOUR;
const LATENESS_SWEEP_EVERY: Micros = DAY;
/** Below the length that a window may have. */
const LONGEST_WINDOW: Micros = HEAD_LIMITS.windowLength - DAY;
/** The chain of a chunk runs on over the out-of-order bound: of six times its length, a sixth is asked twice. */
const CHUNK_BOUNDS = 6;
/** Who reads the table waits for what an outage left out: of twice the bound's length, a half is asked twice. */
const CATCH_UP_BOUNDS = 2;
/** A prime number of microseconds below a second: polls of any whole number of seconds apart leave different remainders. */
const ODD: Micros = 999_983;
/** So that the head stays small. */
const MOST_CHUNKS = 32;

/**
 * What to ask next, in which order, and why: a pure function of the time, the head with the lateness that it has measured, and the
 * configuration. Live polls come first, then what else was begun or missed, the oldest first so that the watermark moves with each
 * window, then sweeps. To be made anew after each window.
 */
export function planWindows(now: Micros, head: Planned, stream: Pick<Stream, 'poll' | 'source'>, options: PlanOptions = {}): Plan {
  const { poll } = stream;
  const overlap = overlapOf(poll, head.lateness ?? null);
  const polls = newPolls({ now, head, stream, overlap: overlap.length, options });
  const caughtUp = sweptBy(polls, stream, head.sweptAt);
  const sweptAt = caughtUp ? sweptAfter(head.sweptAt, caughtUp) : head.sweptAt;
  const sweeps = head.watermark === null ? [] : newSweeps({ now, head: { ...head, sweptAt }, stream, options });
  const [pollParts = [], sweepParts = []] = [polls, sweeps].map((windows) => (windows.length > 1 ? windows : []));
  return {
    due: inOrder([...head.open.map((window) => resume(window, poll)), ...polls, ...sweeps], poll),
    begin: [...pollParts, ...sweepParts].map(({ window }) => window).toSorted((a, b) => a.start - b.start),
    swept: sweptBy(sweepParts, stream, head.sweptAt) ?? sweptBy(pollParts, stream, head.sweptAt),
    next: upcoming(now, { ...head, sweptAt }, poll, polls.length + sweeps.length > 0),
    overlap,
  };
}

/**
 * Which sweep windows amount to that follow each other up to now and are asked from now on. None, where one of them may be cut short: only
 * the last one goes on to the end of the list.
 */
function sweptBy(windows: readonly PlannedWindow[], stream: Question['stream'], sweptAt: Head['sweptAt']): Plan['swept'] {
  if (windows.length === 0) return null;
  const edges = windows.map(({ window }) => window);
  const whole = { start: Math.min(...edges.map(({ start }) => start)), end: Math.max(...edges.map(({ end }) => end)) };
  if (edges.some((window) => window.end < whole.end && maySplit(window, stream))) return null;
  return sweptBound(stream.poll, { kind: 'poll', ...whole }, sweptAt);
}

interface Question {
  readonly now: Micros;
  readonly head: Planned;
  readonly stream: Pick<Stream, 'poll' | 'source'>;
  readonly overlap: Micros;
  readonly options: PlanOptions;
}

/**
 * Passes begin an interval apart, and one may be ready to plan somewhat sooner than the one before it was. A poll that is due but for a
 * twentieth of its interval is asked by it, since the next pass comes a whole interval later.
 */
const NEARLY = 20;

function newPolls({ now, head, stream, overlap, options }: Question): PlannedWindow[] {
  const { every, start } = stream.poll;
  const covered = coveredTo(head);
  if (covered === null)
    return split(
      { now, head, stream, options, overlap },
      { from: now - start, last: now - start },
      'first poll',
      `nothing was asked yet: ${span(start)} back`,
    );
  const since = now - covered;
  const due = since >= every - every / NEARLY || ((options.once || options.sweep) && covered < (options.since ?? now));
  const why = `${span(since)} since the last poll, looking back ${span(overlap)} more`;
  return due && since > 0
    ? split({ now, head, stream, options, overlap }, { from: Math.max(covered - overlap, head.since ?? 0), last: covered }, 'poll', why)
    : [];
}

/**
 * After an outage the newest part is asked first, as long as a poll in time would have been; then the rest, in chunks that join. What is
 * live is split into as many chains as bring it in time.
 */
function split(
  { now, head, stream, overlap }: Question,
  { from, last }: { readonly from: Micros; readonly last: Micros },
  reason: 'poll' | 'first poll',
  why: string,
): PlannedWindow[] {
  const { poll, source } = stream;
  const newest = now - poll.every - overlap;
  // A source that lists the newest first would be gone through from its newest record for each chunk.
  const { pagination } = source;
  const listsNewestFirst = pagination.kind === 'last-id' && pagination.order === 'newest-first';
  const whole = now - last <= OUTAGE_POLLS * poll.every || newest <= from || listsNewestFirst;
  const planned = (start: Micros, end: Micros, longest: Micros, because: PlanReason, sentence: string): PlannedWindow[] => {
    const each = Math.min(longest, Math.ceil((end - start) / chainsFor(end - start, head, stream)));
    const windows = chunks(start, end, each, each > 2 * SECOND ? now % ODD : 0);
    return windows.map((window) => ({ window, reason: because, why: sentence, lane: laneOf(window, poll) }));
  };
  if (whole) return planned(from, now, LONGEST_WINDOW, reason, why);
  const first = `${why}: the newest ${span(now - newest)} first, so that freshness returns before history is complete`;
  const rest = `${why}: what the newest part left out, the oldest first`;
  return [
    ...planned(newest, now, LONGEST_WINDOW, 'newest first', first),
    ...missed({ now, head, stream }, from, newest).map((window) => ({
      window,
      reason: reason === 'poll' ? ('catch up' as const) : reason,
      why: rest,
      lane: laneOf(window, poll),
    })),
  ];
}

/** Several are asked at once, so where there is much to bring they are shorter, but none as short as a live poll. */
function missed(question: Pick<Question, 'now' | 'head' | 'stream'>, from: Micros, to: Micros): Window[] {
  const { poll } = question.stream;
  const least = Math.max(CATCH_UP_BOUNDS * poll.outOfOrder, longestLive(poll) + SECOND);
  return pieces(question, from, to, least, chunkLength(poll, to - from));
}

/** History from one time to another in windows that join: several where it is much, no shorter than `least` and no longer than `longest`. */
function pieces(
  { now, head, stream }: Pick<Question, 'now' | 'head' | 'stream'>,
  from: Micros,
  to: Micros,
  least: Micros,
  longest: Micros,
): Window[] {
  const each = Math.min(longest, Math.ceil((to - from) / historyParts(to - from, least, head, stream)));
  return chunks(from, to, each, now % ODD);
}

const chunkLength = ({ outOfOrder, every }: Poll, whole: Micros): Micros =>
  Math.min(LONGEST_WINDOW, Math.max(HOUR, CHUNK_BOUNDS * outOfOrder, OUTAGE_POLLS * every, whole / MOST_CHUNKS));

/**
 * As few windows as may be, of one length, that join. @param odd so much earlier lie the edges within: a window that bears the name of an
 * earlier one would be taken for it.
 */
function chunks(start: Micros, end: Micros, longest: Micros, odd = 0): Window[] {
  const count = Math.max(1, Math.ceil((end - start) / longest));
  const inner = (i: number): Micros => start + Math.round(((end - start) * i) / count) - (i === 0 ? 0 : odd);
  const edge = (i: number): Micros => (i === count ? end : inner(i));
  return Array.from({ length: count }, (_, i) => ({ kind: 'poll', start: edge(i), end: edge(i + 1) }));
}

function resume(window: Window, poll: Poll): PlannedWindow {
  const why = 'begun and not finished: goes on behind the last page that landed';
  return { window, reason: 'resume', why, lane: window.kind === 'poll' ? laneOf(window, poll) : 'history' };
}

/** Live: what was begun is finished first, then the newest. History: the oldest first. Then what is no poll. */
function inOrder(windows: readonly PlannedWindow[], poll: Poll): PlannedWindow[] {
  const rank = ({ window, reason }: PlannedWindow): number => {
    if (window.kind !== 'poll') return reason === 'resume' ? 4 : 5;
    if (reason === 'newest first') return 2;
    return reason === 'catch up' || reason === 'first poll' || laneOf(window, poll) === 'history' ? 3 : reason === 'resume' ? 1 : 2;
  };
  return windows.toSorted((a, b) => rank(a) - rank(b) || (rank(a) === 1 ? b.window.end - a.window.end : a.window.start - b.window.start));
}

/** A sweep over the lateness bound covers the one over the out-of-order bound; one that is under way is finished before the next. */
function newSweeps({ now, head, stream, options }: Omit<Question, 'overlap'>): PlannedWindow[] {
  const { poll } = stream;
  const { sweptAt, open } = head;
  if (open.some(({ kind }) => kind === 'sweep')) return [];
  const forced = options.sweep === true && (sweptAt.lateness === null || sweptAt.lateness < (options.since ?? now));
  if (forced || now >= sweepDueAt(now, sweptAt.lateness, LATENESS_SWEEP_EVERY, poll))
    return sweepOver({ now, head, stream }, sweptAt.lateness, latenessReach(poll), 'sweep lateness');
  if (now < sweepDueAt(now, sweptAt.outOfOrder, OUT_OF_ORDER_SWEEP_EVERY, poll) || pollsSweep(poll)) return [];
  return sweepOver({ now, head, stream }, sweptAt.outOfOrder, outOfOrderReach(poll), 'sweep out-of-order');
}

/** Each poll then amounts to the smaller sweep. */
const pollsSweep = (poll: Poll): boolean => poll.overlap.least >= outOfOrderReach(poll);

function sweepOver(
  { now, head, stream }: Pick<Question, 'now' | 'head' | 'stream'>,
  last: Micros | null,
  reach: Micros,
  reason: PlanReason,
): PlannedWindow[] {
  const since = last === null ? 'it was never swept' : `${span(now - last)} since the last sweep`;
  const why = `${since}: what came later than polls look back, up to ${span(reach)}`;
  const start = sweepStart(now, last, reach);
  const windows = pieces({ head, stream, now }, start, now, Math.max(HOUR, CHUNK_BOUNDS * stream.poll.outOfOrder), LONGEST_WINDOW);
  return windows.map((window) => ({ window: { ...window, kind: 'sweep' }, reason, why, lane: 'history' }));
}

/**
 * A sweep looks back over its bound from the sweep before, not from now: a record that showed just after that one, and late by all but
 * the whole bound, is older than now − bound by the time of this one. And by the allowance for clocks beyond that (reach.ts).
 */
const sweepStart = (now: Micros, last: Micros | null, reach: Micros): Micros => Math.min(now, last ?? now) - reach;

/**
 * Sweeps go with the poll that lies nearest to their time: a run that begins a moment earlier in its hour than the one of yesterday
 * would otherwise leave the daily sweep to the next one.
 */
const sweepDueAt = (now: Micros, last: Micros | null, interval: Micros, { every }: Poll): Micros =>
  last === null ? now : last + Math.max(interval, every) - Math.min(interval, every) / 2;

/** Which sweep a window amounts to: one that looks back over the bound from the sweep before. A backfill is none, wherever it lies. */
export function sweptBound(poll: Poll, { kind, start, end }: Window, sweptAt: Head['sweptAt']): NonNullable<Commit['swept']> | null {
  const reaches = (last: Micros | null, reach: Micros): boolean => start <= sweepStart(end, last, reach);
  if (kind === 'backfill' || !reaches(sweptAt.outOfOrder, outOfOrderReach(poll))) return null;
  return { bound: reaches(sweptAt.lateness, latenessReach(poll)) ? 'lateness' : 'outOfOrder', at: end };
}

const sweptAfter = (before: Head['sweptAt'], { bound, at }: NonNullable<Commit['swept']>): Head['sweptAt'] => ({
  outOfOrder: at,
  lateness: bound === 'lateness' ? at : before.lateness,
});

function upcoming(now: Micros, head: Planned, poll: Poll, isBusy: boolean): PlannedNext[] {
  const covered = coveredTo(head);
  if (isBusy || covered === null || head.watermark === null) return [];
  const { outOfOrder, lateness } = head.sweptAt;
  const all: PlannedNext[] = [
    { at: covered + poll.every, reason: 'poll', why: `every ${span(poll.every)}` },
    {
      at: sweepDueAt(now, outOfOrder, OUT_OF_ORDER_SWEEP_EVERY, poll),
      reason: 'sweep out-of-order',
      why: `what shows up to ${span(poll.outOfOrder)} late`,
    },
    {
      at: sweepDueAt(now, lateness, LATENESS_SWEEP_EVERY, poll),
      reason: 'sweep lateness',
      why: `what shows up to ${span(poll.lateness)} late`,
    },
  ];
  const swept = (each: PlannedNext): boolean => each.reason !== 'sweep out-of-order' || !pollsSweep(poll);
  return all.filter(swept).toSorted((a, b) => a.at - b.at);
}

const span = (micros: Micros): string => formatDuration(Math.max(0, micros));
