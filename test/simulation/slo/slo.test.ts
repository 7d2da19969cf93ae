// oxlint-disable-next-line import/no-unassigned-import -- it changes the modules that come after it
import '../local-io.ts';
import { describe, expect, test } from 'vitest';
import { DAY, HOUR, MINUTE } from '../../../src/time.ts';
import { PEAK_DAY } from './assumptions.ts';
import { simulateDay } from './day.ts';
import { isExact } from './exact.ts';
import { figuresOf, type Measured } from './figures.ts';
import { plot } from './plot.ts';
import { factorAt } from './shape.ts';
import { told } from './text.ts';

/** A quiet hour in the night of a day that one chain is enough for. */
const CALM_HOUR = {
  ...PEAK_DAY,
  recordsADay: 30_000_000,
  recordsADayBefore: 30_000_000,
  length: HOUR,
  history: HOUR,
  brownouts: [],
  sweepAt: DAY,
};

describe('R3: a day in virtual time', () => {
  test('in a calm hour, 99% of what shows is in the table within 15 minutes, exact, within the limit of requests (R1)', async () => {
    const outcome = await simulateDay(CALM_HOUR);
    const figures = figuresOf(outcome);
    expect(isExact(outcome.exactness), told(outcome, figures)).toBe(true);
    expect(outcome.overLimit).toBe(0);
    expect(figures.requests.most).toBeLessThanOrEqual(1000);
    expect(figures.all.count).toBeGreaterThan(150);
    expect(figures.all.within, told(outcome, figures)).toBeGreaterThan(0.99);
    expect(plot(outcome, figures, 'An hour')).toContain('</svg>');
  });

  test('is as long as its mean says', () => {
    const steps = Array.from({ length: 96 }, (_, step) => factorAt(step * 15 * MINUTE));
    expect(steps.reduce((sum, factor) => sum + factor, 0) / steps.length).toBeCloseTo(1);
  });
});

describe('the figures of a day', () => {
  const brownout = { from: 10 * MINUTE, to: 50 * MINUTE };
  const shown = (minute: number, took: number | null) => ({
    visibleAt: minute * MINUTE,
    committedAt: took === null ? null : (minute + took) * MINUTE,
  });
  const outcome: Measured = {
    assumed: { ...PEAK_DAY, brownouts: [brownout] },
    times: { midnight: 0, day: 0, dayEnd: HOUR * 2, end: HOUR * 3 },
    requests: [0, 1, 59_999_999, 60_000_001],
    sightings: [shown(0, 5), shown(12, 45), shown(40, 14), shown(49, 20), shown(60, 3), shown(61, null), shown(70, -1)],
  };

  test('leave out what could not be in time, and what was overtaken, and count what never came', () => {
    const { all, outside, possible } = figuresOf(outcome);
    expect([all.count, outside.count, possible.count]).toEqual([6, 3, 5]);
    expect(all.within).toBeCloseTo(3 / 6);
    expect(all.max).toBe(Number.POSITIVE_INFINITY);
    expect(possible.p50).toBe(14 * MINUTE);
  });

  test('tell when a brownout is over for the reader of the table, and the most requests of any minute', () => {
    const { recoveries, requests } = figuresOf(outcome);
    expect(recoveries[0]?.caughtUp).toBe(19 * MINUTE);
    expect(requests.most).toBe(3);
  });
});
