import type { Micros } from '../clock.ts';
import type { Head, Window } from '../manifest/documents.ts';
import { HEAD_LIMITS } from '../manifest/head.ts';
import type { Poll } from '../stream.ts';
import { DAY, HOUR } from '../time.ts';

export type PlanReason = 'resume' | 'first poll' | 'poll' | 'sweep out-of-order' | 'sweep lateness';

export interface PlannedWindow {
  readonly window: Window;
  readonly reason: PlanReason;
}

export interface PlanOptions {
  /** Poll although the interval has not passed: a run that is to end caught up. */
  readonly once?: boolean;
  /** Make the sweep over the whole lateness bound due now. */
  readonly sweep?: boolean;
}

const OUT_OF_ORDER_SWEEP_EVERY: Micros = HOUR;
const LATENESS_SWEEP_EVERY: Micros = DAY;
/**
 * Polls look back over so many intervals. What is further out of order comes with the hourly sweep: looking back over the whole bound
 * with every poll would ask for each record bound/interval times (24 times at 2 h and 5 min), more than the key allows at peak.
 */
const OVERLAP_POLLS = 3;
/** Below the length that a window may have. */
const LONGEST_WINDOW: Micros = HEAD_LIMITS.windowLength - DAY;

/** How far before the watermark a poll begins. */
export const pollOverlap = (poll: Poll): Micros => Math.min(poll.outOfOrder, OVERLAP_POLLS * poll.every);

type Planned = Pick<Head, 'watermark' | 'sweptAt' | 'open'>;

/**
 * The windows to ask next, in this order: what was begun is finished first, live polls come before sweeps. All are half-open
 * [start, now). Empty where nothing is due.
 */
export function planWindows(now: Micros, head: Planned, poll: Poll, options: PlanOptions = {}): PlannedWindow[] {
  const open = head.open.map((window): PlannedWindow => ({ window, reason: 'resume' }));
  return [...open, ...newWindows(now, head, poll, options).filter(({ window }) => !open.some((other) => covers(other.window, window)))];
}

function newWindows(now: Micros, head: Planned, poll: Poll, options: PlanOptions): PlannedWindow[] {
  const polls = newPolls(now, head, poll, options).flatMap(chunked);
  const sweeps = head.watermark === null ? [] : newSweeps(now, head, poll, options).flatMap(chunked);
  return [...polls, ...sweeps.filter((sweep) => !polls.some((other) => covers(other.window, sweep.window)))];
}

function newPolls(now: Micros, { watermark, open }: Planned, poll: Poll, options: PlanOptions): PlannedWindow[] {
  if (watermark === null) return open.some(isPoll) ? [] : [planned('poll', now - poll.start, now, 'first poll')];
  const due = options.once === true || options.sweep === true || now - watermark >= poll.every;
  return due && watermark < now ? [planned('poll', watermark - pollOverlap(poll), now, 'poll')] : [];
}

/** A sweep over the lateness bound covers the one over the out-of-order bound. */
function newSweeps(now: Micros, { sweptAt }: Planned, poll: Poll, options: PlanOptions): PlannedWindow[] {
  const lateness = options.sweep || isSweepDue(now, sweptAt.lateness, LATENESS_SWEEP_EVERY, poll);
  if (lateness) return [planned('sweep', sweepStart(now, sweptAt.lateness, poll.lateness), now, 'sweep lateness')];
  if (!isSweepDue(now, sweptAt.outOfOrder, OUT_OF_ORDER_SWEEP_EVERY, poll)) return [];
  const start = sweepStart(now, sweptAt.outOfOrder, poll.outOfOrder);
  return pollOverlap(poll) < poll.outOfOrder ? [planned('sweep', start, now, 'sweep out-of-order')] : [];
}

/**
 * A sweep looks back over its bound from the sweep before, not from now: a record that showed just after that one, and late by all but
 * the whole bound, is older than now − bound by the time of this one.
 */
export const sweepStart = (now: Micros, last: Micros | null, bound: Micros): Micros => Math.min(now, last ?? now) - bound;

/** A stretch longer than a window may be is asked in several that join; the oldest first, as the watermark moves. */
function chunked({ window, reason }: PlannedWindow): PlannedWindow[] {
  const count = Math.max(1, Math.ceil((window.end - window.start) / LONGEST_WINDOW));
  return Array.from({ length: count }, (_, i) => {
    const start = window.start + i * LONGEST_WINDOW;
    return planned(window.kind, start, Math.min(window.end, start + LONGEST_WINDOW), reason);
  });
}

/**
 * Sweeps go with the poll that lies nearest to their time: a run that begins a moment earlier in its hour than the one of yesterday
 * would otherwise leave the daily sweep to the next one.
 */
function isSweepDue(now: Micros, last: Micros | null, interval: Micros, { every }: Poll): boolean {
  const least = Math.max(interval, every) - Math.min(interval, every) / 2;
  return last === null || now - last >= least;
}

const isPoll = (window: Window): boolean => window.kind === 'poll';
/** A poll that reaches as far back does what a sweep does; nothing but a poll moves the watermark. */
const covers = (outer: Window, inner: Window): boolean =>
  (outer.kind === inner.kind || outer.kind === 'poll') && inner.kind !== 'backfill' && outer.start <= inner.start && outer.end >= inner.end;
const planned = (kind: Window['kind'], start: Micros, end: Micros, reason: PlanReason): PlannedWindow => ({
  window: { kind, start, end },
  reason,
});
