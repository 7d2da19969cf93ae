import type { Micros } from '../clock.ts';
import { DAY, MINUTE } from '../time.ts';

/**
 * How late records show: the time from a record's version time to the end of the window that first brought it, in buckets whose bounds
 * double from a minute on. Only records count that were new although their time lay before the watermark at the window's begin: what is
 * in time says nothing.
 */
export interface LatenessCounts {
  /** Records that were new, late or not. */
  readonly fresh: number;
  /** Of them, the late ones by bucket; the last bucket has no bound. */
  readonly late: readonly number[];
}

/** Many windows' counts together; what is a day older counts half. */
export interface MeasuredLateness extends LatenessCounts {
  readonly at: Micros;
}

/** The last bound, 68 hours, lies beyond the lateness that most partners have. */
export const LATENESS_BUCKETS = 14;
const HALF_LIFE: Micros = DAY;

/** Records that are later than a bucket's bound belong to the next one. */
export const bucketBound = (bucket: number): Micros => (bucket < LATENESS_BUCKETS - 1 ? MINUTE * 2 ** bucket : Number.POSITIVE_INFINITY);

export function sumLateness(counts: readonly LatenessCounts[]): LatenessCounts {
  const late = Array.from({ length: LATENESS_BUCKETS }, (_, bucket) => counts.reduce((sum, each) => sum + (each.late[bucket] ?? 0), 0));
  return { fresh: counts.reduce((sum, each) => sum + each.fresh, 0), late };
}

/** @param at the end of the window that `counts` are of. */
export function addLateness(measured: MeasuredLateness | null, counts: LatenessCounts, at: Micros): MeasuredLateness {
  if (!measured) return { ...counts, at };
  const newest = Math.max(at, measured.at);
  const faded = ({ fresh, late }: LatenessCounts, since: Micros): LatenessCounts => {
    const weight = 2 ** ((since - newest) / HALF_LIFE);
    return { fresh: rounded(fresh * weight), late: late.map((count) => rounded(count * weight)) };
  };
  return { ...sumLateness([faded(measured, measured.at), faded(counts, at)]), at: newest };
}

/** The head is read by people: no sixteen digits. */
const rounded = (count: number): number => Math.round(count * 1000) / 1000;

/** Share of the new records that showed later than `bound`, from 0 to 1. */
export function shareLaterThan({ fresh, late }: LatenessCounts, bound: Micros): number {
  const beyond = late.reduce((sum, count, bucket) => (bucketBound(bucket) > bound ? sum + count : sum), 0);
  return fresh === 0 ? 0 : beyond / fresh;
}

/** @returns the least bound that at most `share` of the new records showed later than; 0 where hardly any is late, Infinity beyond the last bound. */
export function latenessWithin(counts: LatenessCounts, share: number): Micros {
  if (shareLaterThan(counts, 0) <= share) return 0;
  for (let bucket = 0; bucket < LATENESS_BUCKETS; bucket++) {
    if (shareLaterThan(counts, bucketBound(bucket)) <= share) return bucketBound(bucket);
  }
  return Number.POSITIVE_INFINITY;
}
