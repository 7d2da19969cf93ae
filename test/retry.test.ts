import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideRetry, parseRetryAfter, type RetryPolicy, retrying } from '../src/retry.ts';
import { virtualClock } from './fetch/fixture.ts';

const POLICY: RetryPolicy = { attempts: 5, baseMs: 100, capMs: 1_000, deadlineMs: 60_000 };
const NOW = Date.parse('2026-11-20T10:00:00Z') * 1000;

describe('Retry-After', () => {
  test('is read as seconds', () => {
    expect(parseRetryAfter('120', NOW)).toBe(120_000);
    expect(parseRetryAfter(' 0 ', NOW)).toBe(0);
    expect(parseRetryAfter('1.5', NOW)).toBe(1_500);
  });

  test('is read as an HTTP date, and one that has passed means now', () => {
    expect(parseRetryAfter('Fri, 20 Nov 2026 10:00:30 GMT', NOW)).toBe(30_000);
    expect(parseRetryAfter('Fri, 20 Nov 2026 09:00:00 GMT', NOW)).toBe(0);
  });

  test.each([undefined, '', 'soon', '-5', '12 monkeys'])('says nothing where it is %s', (header) => {
    expect(parseRetryAfter(header, NOW)).toBeNull();
  });
});

describe('a retry decision', () => {
  const arbitrary = fc.record({
    attempt: fc.integer({ min: 1, max: 10 }),
    elapsedMs: fc.integer({ min: 0, max: 70_000 }),
    retryAfterMs: fc.option(fc.integer({ min: 0, max: 30_000 })),
  });

  test('never makes more attempts than the policy allows, and none after its deadline', () => {
    fc.assert(
      fc.property(arbitrary, fc.double({ min: 0, max: 0.999_999, noNaN: true }), (failed, random) => {
        const decision = decideRetry(POLICY, failed, random);
        if (decision.decision === 'give-up') return;
        expect(failed.attempt).toBeLessThan(POLICY.attempts);
        expect(failed.elapsedMs + decision.ms).toBeLessThanOrEqual(POLICY.deadlineMs);
      }),
    );
  });

  test('waits at least as long as Retry-After asks, and at most the ceiling longer', () => {
    fc.assert(
      fc.property(arbitrary, fc.double({ min: 0, max: 0.999_999, noNaN: true }), (failed, random) => {
        const decision = decideRetry(POLICY, failed, random);
        if (decision.decision === 'give-up') return;
        const floor = failed.retryAfterMs ?? 0;
        expect(decision.ms).toBeGreaterThanOrEqual(floor);
        expect(decision.ms).toBeLessThanOrEqual(floor + Math.min(POLICY.capMs, POLICY.baseMs * 2 ** (failed.attempt - 1)));
      }),
    );
  });

  test('spreads waits over the whole range from nothing to the ceiling', () => {
    const failed = { attempt: 3, elapsedMs: 0, retryAfterMs: null };
    expect(decideRetry(POLICY, failed, 0)).toEqual({ decision: 'wait', ms: 0 });
    expect(decideRetry(POLICY, failed, 0.5)).toEqual({ decision: 'wait', ms: 200 });
    expect(decideRetry(POLICY, failed, 0.999_999)).toEqual({ decision: 'wait', ms: 400 });
  });
});

test('retrying stops at the first attempt that is done and says how many it took', async () => {
  const clock = virtualClock();
  const outcome = await retrying(POLICY, { clock, random: () => 0.5 }, async (attempt) =>
    attempt < 3 ? { done: false, value: 'no', retryAfterMs: null } : { done: true, value: 'yes' },
  );
  expect(outcome).toEqual({ done: true, value: 'yes', attempts: 3 });
  expect(clock.slept).toEqual([50, 100]);
});

test('R14: retrying gives up after the bounded number of attempts', async () => {
  const clock = virtualClock();
  const outcome = await retrying(POLICY, { clock, random: () => 0.5 }, async () => ({ done: false, value: 'no', retryAfterMs: null }));
  expect(outcome).toEqual({ done: false, value: 'no', attempts: 5 });
});
