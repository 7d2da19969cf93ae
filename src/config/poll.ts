import { outOfOrderReach } from '../reach.ts';
import type { Poll } from '../stream.ts';
import { HOUR, MINUTE, parseDuration } from '../time.ts';
import type { StreamInput } from './definition.ts';

/** More than machines with a time service are ever apart, and little beside the bounds that it is added to. */
const CLOCKS = 5 * MINUTE;

const EVERY = 5 * MINUTE;
const DEADLINE = 15 * MINUTE;

/**
 * @param input checked durations; what is left out takes its default.
 * @param isLoadDear whether each load costs about the same, however little it brings: then polls are as seldom as the deadline allows, with
 *   as much time again to fetch, normalize and load.
 */
export function pollOf(input: StreamInput['poll'] = {}, isLoadDear = false): Poll {
  const seldom = Math.floor((micros(input.deadline) ?? DEADLINE) / 2 / MINUTE) * MINUTE;
  const lateness = micros(input.lateness) ?? 48 * HOUR;
  const every = micros(input.every) ?? (isLoadDear ? Math.max(EVERY, Math.min(seldom, lateness)) : EVERY);
  const outOfOrder = micros(input.outOfOrder) ?? Math.min(2 * HOUR, lateness);
  const clocks = micros(input.clocks) ?? CLOCKS;
  return {
    every,
    lateness,
    outOfOrder,
    clocks,
    overlap: overlapOf(input.overlap, every, outOfOrderReach({ outOfOrder, clocks })),
    // A stream that is polled seldom cannot keep 15 minutes: it gets two polls' time.
    deadline: micros(input.deadline) ?? Math.max(DEADLINE, 2 * every),
    start: micros(input.start) ?? lateness,
  };
}

/**
 * Looking back over the whole bound with every poll would ask for each record bound/interval times (24 times at 2 h and 5 min), more than the
 * key allows at peak: one interval, unless what is measured asks for more. Where the bound is no more than so many intervals, polls look back
 * over all of it, and no hourly sweep is needed.
 */
const INTERVALS_IN_BOUND = 3;

function overlapOf(input: NonNullable<StreamInput['poll']>['overlap'], every: number, reach: number): Poll['overlap'] {
  const most = micros(input?.most) ?? Math.max(reach, micros(input?.least) ?? 0);
  return { least: micros(input?.least) ?? (INTERVALS_IN_BOUND * every >= most ? most : every), most };
}

const micros = (text: string | undefined): number | null => (text === undefined ? null : parseDuration(text));
