import type { Poll } from '../stream.ts';
import { HOUR, MINUTE, parseDuration } from '../time.ts';
import type { StreamInput } from './definition.ts';

/** @param input checked durations; what is left out takes its default. */
export function pollOf(input: StreamInput['poll'] = {}): Poll {
  const every = micros(input.every) ?? 5 * MINUTE;
  const lateness = micros(input.lateness) ?? 48 * HOUR;
  return {
    every,
    lateness,
    outOfOrder: micros(input.outOfOrder) ?? Math.min(2 * HOUR, lateness),
    // A stream that is polled seldom cannot keep 15 minutes: it gets two polls' time.
    deadline: micros(input.deadline) ?? Math.max(15 * MINUTE, 2 * every),
    start: micros(input.start) ?? lateness,
  };
}

const micros = (text: string | undefined): number | null => (text === undefined ? null : parseDuration(text));
