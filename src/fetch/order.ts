import type { Micros } from '../clock.ts';
import type { ManifestPage, Window } from '../manifest/documents.ts';
import type { Source, Stream } from '../stream.ts';
import { SECOND } from '../time.ts';
import { maySplit } from './split.ts';

/**
 * What the pages of a chain tell of the order in which the source lists. A chain that is in order has everything up to its last record;
 * one that is not may still lack what lies so far back as records come out of order.
 */
export interface ChainOrder {
  /** Greatest version time that landed, within the window; of a chain that lists the newest first, the least. Null before there is one. */
  reached: Micros | null;
  /** How far a record came on the wrong side of an earlier one. */
  disorder: Micros;
  /** Greatest version time of all, wherever it lies. */
  latest: Micros | null;
  /** Records that were looked at. */
  seen: number;
  /** A page lay behind the window's end. */
  passed: boolean;
}

export const newOrder = (): ChainOrder => ({ reached: null, disorder: 0, latest: null, seen: 0, passed: false });

/** So many records, or a page, in order are taken for evidence; what it is wrong about comes with the next sweep. */
const ORDER_EVIDENCE = 100;

export const isOrdered = ({ disorder, seen }: ChainOrder, { pageSize }: Source): boolean =>
  disorder === 0 && seen >= Math.min(pageSize, ORDER_EVIDENCE);

export interface PageTimes extends Pick<ManifestPage, 'minTime' | 'maxTime' | 'records'> {
  /** Within the page; undefined where nobody measured it. */
  readonly disorder?: Micros | undefined;
}

/** A chain that lists the newest first cannot be entered in the middle by time. */
export const isNewestFirst = ({ pagination }: Source): boolean => pagination.kind === 'last-id' && pagination.order === 'newest-first';

/** Of a page whose receipt does not say: something, so that nobody relies on the order. */
const UNKNOWN_DISORDER: Micros = 1;

/**
 * Notes the version times of a page that the chain goes through.
 * @param nearest the version time of its new records that lies nearest to where the chain began; null where that proves no order.
 */
export function noteOrder(
  order: ChainOrder,
  { source, poll: { outOfOrder } }: Stream,
  page: PageTimes,
  window: Window,
  nearest: Micros | null,
): void {
  if (page.minTime === null || page.maxTime === null) return;
  const newest = isNewestFirst(source);
  order.seen += page.records;
  order.latest = Math.max(order.latest ?? page.maxTime, page.maxTime);
  order.disorder = Math.max(order.disorder, page.disorder ?? UNKNOWN_DISORDER);
  if (order.reached !== null && nearest !== null)
    order.disorder = Math.max(order.disorder, newest ? nearest - order.reached : order.reached - nearest);
  const [far, near] = newest ? [page.minTime, page.maxTime] : [page.maxTime, page.minTime];
  // A record may bear any time, in the year 2099 too: what lies outside of the window proves nothing of what lies within.
  const time = isWithin(far, window) ? far : isWithin(near, window) ? near : null;
  if (time !== null) order.reached = order.reached === null ? time : newest ? Math.min(order.reached, time) : Math.max(order.reached, time);
  if (!newest && page.minTime > window.end && page.maxTime <= window.end + outOfOrder) order.passed = true;
}

/** Whether the page begins on the wrong side of what was reached: with records sent again, or with records out of order. */
export const goesBack = ({ reached }: ChainOrder, source: Source, { minTime, maxTime }: Pick<PageTimes, 'minTime' | 'maxTime'>): boolean =>
  reached !== null && minTime !== null && maxTime !== null && (isNewestFirst(source) ? maxTime > reached : minTime < reached);

const isWithin = (time: Micros, { start, end }: Window): boolean => time >= start && time <= end;

/** Records at the restarting instant may be on both sides of it, and some APIs leave out the instant that `since` names. */
const RESTART_OVERLAP: Micros = SECOND;

/** How far back from where the chain is something may still be missing. More disorder than is known of breaks every promise. */
function uncertainty(order: ChainOrder, { source, poll: { outOfOrder } }: Stream): Micros {
  if (isOrdered(order, source)) return RESTART_OVERLAP;
  return order.disorder <= outOfOrder ? outOfOrder + RESTART_OVERLAP : Number.POSITIVE_INFINITY;
}

/** The instant before which the chain has everything: where it may begin again. */
export function safePoint(order: ChainOrder, stream: Stream, window: Window): Micros {
  return order.reached === null ? window.start : Math.max(window.start, order.reached - uncertainty(order, stream));
}

/** Of a chain that lists the newest first: the instant after which it has everything. */
export function safeUntil(order: ChainOrder, stream: Stream, window: Window): Micros {
  return order.reached === null ? window.end : Math.min(window.end, order.reached + uncertainty(order, stream));
}

/**
 * The chain is past everything that the window asks for. Out of order, a small page proves nothing: it may hold a single odd record. A live
 * poll that is one of several believes the order that it has seen: what that is wrong about comes with the next sweep.
 */
export function isPast(order: ChainOrder, stream: Stream, page: Omit<PageTimes, 'disorder'>, window: Window): boolean {
  const {
    source,
    poll: { outOfOrder },
  } = stream;
  if (page.minTime === null || page.maxTime === null) return false;
  const ordered = isOrdered(order, source);
  if (page.records < source.pageSize && !ordered) return false;
  const beyond = ordered && maySplit(window, stream) ? 0 : outOfOrder;
  return isNewestFirst(source) ? page.maxTime < window.start - beyond : page.minTime > window.end + beyond;
}
