import type { Micros } from '../../../src/clock.ts';
import type { Surge, VolumeOptions } from '../../../src/partner/options.ts';
import { DAY, HOUR, MINUTE } from '../../../src/time.ts';

/**
 * How a day's events are spread: a wave with its low at 03:00 and its high at 15:00, and from 19:00 to 20:30 a promotion with twice the
 * usual rate. Factors of the day's mean, in steps of a quarter of an hour.
 */
const STEP = 15 * MINUTE;
const STEPS = DAY / STEP;
const LOWEST_HOUR = 3;
const SWING = 0.5;
const PROMOTION = { from: 19 * HOUR, to: 20.5 * HOUR, factor: 2 } as const;

const rawFactors = Array.from({ length: STEPS }, (_, step) => {
  const middle = (step + 0.5) * STEP;
  const wave = 1 - SWING * Math.cos((2 * Math.PI * (middle / HOUR - LOWEST_HOUR)) / 24);
  return middle >= PROMOTION.from && middle < PROMOTION.to ? wave * PROMOTION.factor : wave;
});
const mean = rawFactors.reduce((sum, factor) => sum + factor, 0) / STEPS;

/** @param sinceMidnight of any day. @returns the rate then, as a factor of the day's mean. */
export const factorAt = (sinceMidnight: Micros): number => (rawFactors[Math.floor((sinceMidnight % DAY) / STEP)] ?? 0) / mean;

const HIGHEST = Math.max(...rawFactors) / mean;

/**
 * The day as the partner's world is told it: the highest rate, and how far below it the rate is. @param before the rate of the time before
 * the day, as a factor of the day's mean.
 */
export function volumeOf(
  recordsPerSecond: number,
  before: number,
  { world, day, end }: Record<'world' | 'day' | 'end', Micros>,
): VolumeOptions {
  const steps = Array.from({ length: Math.ceil((end - day) / STEP) }, (_, step): Surge => {
    const from = day + step * STEP;
    return { from, to: from + STEP, factor: factorAt(from - day) / HIGHEST };
  });
  return { recordsPerSecond: recordsPerSecond * HIGHEST, surges: [{ from: world, to: day, factor: before / HIGHEST }, ...steps] };
}
