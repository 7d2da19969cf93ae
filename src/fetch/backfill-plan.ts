import type { Micros } from '../clock.ts';
import type { Window } from '../manifest/documents.ts';
import type { Stream } from '../stream.ts';
import { DAY, HOUR } from '../time.ts';

export const BACKFILL_LIMITS = { shortest: HOUR, longest: 30 * DAY } as const;

/** Some tens of pages a chain. */
const PAGES_PER_CHAIN = 40;
/** A chain runs on over the out-of-order bound: of four times its length, a quarter is asked twice. */
const CHAIN_BOUNDS = 4;

export interface Range {
  readonly start: Micros;
  readonly end: Micros;
}

type Asked = Pick<Stream, 'source' | 'poll'>;

/**
 * Splits a range into chains that join, none of which goes over the end of a day (UTC), so that what changed can be told by day.
 * @param records expected in the whole range; null where nobody knows. @param number of the pull: each has windows with names of its own,
 * so many microseconds longer, and what earlier ones landed stays theirs.
 */
export function splitRange(range: Range, stream: Asked, records: number | null, number: number): Window[] {
  const length = chainLength(range, stream, records);
  return days(range).flatMap((day) => {
    const count = Math.max(1, Math.round((day.end - day.start) / length));
    const edge = (i: number): Micros => (i === count ? day.end : day.start + Math.round(((day.end - day.start) * i) / count));
    return Array.from({ length: count }, (_, i): Window => ({ kind: 'backfill', start: edge(i), end: edge(i + 1) + number }));
  });
}

function chainLength({ start, end }: Range, { source, poll }: Asked, records: number | null): Micros {
  const paged = records === null || records === 0 ? HOUR : ((end - start) * PAGES_PER_CHAIN * source.pageSize) / records;
  return Math.min(DAY, Math.max(HOUR, paged, CHAIN_BOUNDS * poll.outOfOrder));
}

function days({ start, end }: Range): Range[] {
  const first = Math.floor(start / DAY);
  return Array.from({ length: Math.ceil(end / DAY) - first }, (_, i) => ({
    start: Math.max(start, (first + i) * DAY),
    end: Math.min(end, (first + i + 1) * DAY),
  }));
}

/** Requests that the chains will take, when each runs on over the out-of-order bound and nothing has to be asked again. */
export function expectedRequests(
  chains: readonly Window[],
  { start, end }: Range,
  { source, poll }: Asked,
  records: number | null,
): number | null {
  if (chains.length === 0) return 0;
  if (records === null) return null;
  const perMicro = records / (end - start) / source.pageSize;
  return chains.reduce((sum, chain) => sum + Math.ceil(perMicro * (chain.end - chain.start + poll.outOfOrder)) + 1, 0);
}

/** What one loaded batch brought, over the time that it spans. */
export interface KnownVolume {
  readonly rows: number;
  readonly minTime: Micros | null;
  readonly maxTime: Micros | null;
}

/** @returns how many records the range holds as far as loaded batches tell; null where they tell nothing of it. */
export function expectedRecords({ start, end }: Range, known: readonly KnownVolume[]): number | null {
  let [records, isKnown] = [0, false];
  for (const { rows, minTime, maxTime } of known) {
    if (minTime === null || maxTime === null || maxTime < start || minTime >= end) continue;
    isKnown = true;
    const shared = Math.min(end, maxTime) - Math.max(start, minTime);
    records += maxTime === minTime ? rows : (rows * shared) / (maxTime - minTime);
  }
  return isKnown ? Math.round(records) : null;
}
