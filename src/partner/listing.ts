import type { Micros } from '../clock.ts';
import type { Entry, Timeline } from './timeline.ts';

/** A place in the order (updated_at, key): that many records into a bucket, visible or not. It holds whatever the clock says. */
export interface Position {
  readonly bucket: number;
  readonly rank: number;
}

export interface Slice {
  readonly entries: readonly Entry[];
  /** Right behind the last entry. */
  readonly end: Position;
  /** Whether anything visible follows. */
  readonly more: boolean;
}

export interface SliceQuestion {
  readonly from: Position;
  readonly since: Micros;
  readonly now: Micros;
  readonly size: number;
}

export function positionOf(timeline: Timeline, since: Micros): Position {
  return { bucket: Math.max(0, timeline.bucketOf(since)), rank: 0 };
}

/** The next `size` visible records at or behind a position. `until` ends the slice early: only records before it count. */
export function sliceFrom(timeline: Timeline, question: SliceQuestion, until?: Position): Slice {
  const { from, since, now, size } = question;
  const entries: Entry[] = [];
  let end = from;
  const last = Math.min(timeline.buckets - 1, timeline.bucketOf(now), until?.bucket ?? Number.POSITIVE_INFINITY);
  for (let bucket = from.bucket; bucket <= last; bucket += 1) {
    const listed = timeline.entriesAt(bucket);
    const stop = bucket === until?.bucket ? Math.min(until.rank, listed.length) : listed.length;
    let taken = -1;
    for (let rank = bucket === from.bucket ? from.rank : 0; rank < stop; rank += 1) {
      const entry = listed[rank];
      if (!entry || entry.updatedAt < since || entry.visibleAt > now) continue;
      if (entries.length === size) return { entries, end: taken < 0 ? end : { bucket, rank: taken + 1 }, more: true };
      entries.push(entry);
      taken = rank;
    }
    if (taken >= 0) end = { bucket, rank: taken + 1 };
  }
  return { entries, end, more: false };
}
