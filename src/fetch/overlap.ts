import type { Micros } from '../clock.ts';
import { latenessWithin, type MeasuredLateness, shareLaterThan } from '../manifest/lateness.ts';
import type { Poll } from '../stream.ts';
import { formatDuration } from '../time.ts';

/** How far before the end of what is covered a poll begins. */
export interface Overlap {
  readonly length: Micros;
  /** A sentence. */
  readonly why: string;
}

/**
 * The share of the new records that polls may leave to the sweeps for coming later than they look back. Half of what the promise of 99%
 * within the deadline allows.
 */
export const LEFT_TO_SWEEPS = 0.005;

/**
 * As long as lateness was measured to need, between the configured bounds: looking back further costs a request for each record and
 * poll, less far leaves records to the next sweep.
 */
export function overlapOf({ overlap: { least, most } }: Pick<Poll, 'overlap'>, measured: MeasuredLateness | null): Overlap {
  if (measured === null || measured.fresh === 0) return { length: least, why: `no lateness is measured yet: the least, ${span(least)}` };
  const needed = latenessWithin(measured, LEFT_TO_SWEEPS);
  const length = Math.min(most, Math.max(least, needed));
  const beyond = percent(shareLaterThan(measured, length));
  const bound = needed > most ? `, the most that is configured` : needed < least ? `, the least that is configured` : '';
  return { length, why: `${beyond} of the new records show later than ${span(length)}${bound}` };
}

const span = (micros: Micros): string => formatDuration(micros);
const percent = (share: number): string => `${Number((100 * share).toFixed(2))}%`;
