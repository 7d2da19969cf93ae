import type { Poll } from '../stream.ts';
import { HOUR, MINUTE, parseDuration } from '../time.ts';
import type { StreamInput } from './definition.ts';

/** @param input checked durations; what is left out takes its default. */
export function pollOf(input: StreamInput['poll'] = {}): Poll {
  const every = micros(input.every) ?? 5 * MINUTE;
  const lateness = micros(input.lateness) ?? 48 * HOUR;
  const outOfOrder = micros(input.outOfOrder) ?? Math.min(2 * HOUR, lateness);
  return {
    every,
    lateness,
    outOfOrder,
    overlap: overlapOf(input.overlap, every, outOfOrder),
    // A stream that is polled seldom cannot keep 15 minutes: it gets two polls' time.
    deadline: micros(input.deadline) ?? Math.max(15 * MINUTE, 2 * every),
    start: micros(input.start) ?? lateness,
  };
}

/**
 * Looking back over the whole bound with every poll would ask for each record bound/interval times (24 times at 2 h and 5 min), more than the
 * key allows at peak: three intervals, unless what is measured asks for more.
 */
const OVERLAP_POLLS = 3;

function overlapOf(input: NonNullable<StreamInput['poll']>['overlap'], every: number, outOfOrder: number): Poll['overlap'] {
  const most = micros(input?.most) ?? Math.max(outOfOrder, micros(input?.least) ?? 0);
  return { least: micros(input?.least) ?? Math.min(OVERLAP_POLLS * every, most), most };
}

const micros = (text: string | undefined): number | null => (text === undefined ? null : parseDuration(text));
