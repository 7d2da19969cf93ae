import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRequestBudget } from '../../src/fetch/budget.ts';
import { benchFor, honestly, rows, virtualClock } from './fixture.ts';

/** The most that any stretch of 60 s, [t, t + 60 s), held. */
function busiestMinute(times: readonly number[]): number {
  return Math.max(...times.map((start) => times.filter((time) => time >= start && time < start + 60_000 - 1e-6).length));
}

test('R1: no minute holds more requests than the limit, however the requests come', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 300 }),
      fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 150 }),
      async (limit, pauses) => {
        const clock = virtualClock();
        const budget = createRequestBudget(clock, limit);
        const times: number[] = [];
        for (const pause of pauses) {
          await clock.sleep(pause % 3 === 0 ? pause : 0);
          await budget.take();
          times.push(clock.monotonicMs());
        }
        expect(busiestMinute(times)).toBeLessThanOrEqual(limit);
      },
    ),
    { numRuns: 60 },
  );
});

test('at least 95 of 100 allowed requests can be sent', async () => {
  const clock = virtualClock();
  const budget = createRequestBudget(clock, 1_000);
  for (let i = 0; i < 10_000; i++) await budget.take();
  expect(clock.monotonicMs()).toBeLessThan((10_000 / 950) * 60_000);
});

test('what the partner asks for holds back everybody who shares the budget', async () => {
  const clock = virtualClock();
  const budget = createRequestBudget(clock, 1_000);
  budget.pause(5_000);
  await budget.lane('backfill').take();
  expect(clock.monotonicMs()).toBeGreaterThanOrEqual(5_000);
  expect(clock.monotonicMs()).toBeLessThan(5_100);
});

test('R1, R14: retries count: a source that fails half of the time is asked no more often than the limit', async () => {
  const records = rows(300);
  const times: number[] = [];
  const bench = await benchFor(
    (request) => {
      times.push(bench.clock.monotonicMs());
      return request.count % 2 === 0 ? { status: 503 } : { body: honestly(records, request) };
    },
    { requestsPerMinute: 20 },
  );
  await bench.run();
  expect(times.length).toBeGreaterThan(50);
  expect(busiestMinute(times)).toBeLessThanOrEqual(20);
});
