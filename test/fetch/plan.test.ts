import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Micros } from '../../src/clock.ts';
import { planWindows, pollOverlap } from '../../src/fetch/plan.ts';
import type { Window } from '../../src/manifest/documents.ts';
import { beginWindow, commitWindow, newHead } from '../../src/manifest/head.ts';
import { DAY, HOUR, MINUTE } from '../../src/time.ts';
import { instant, streamOf } from './fixture.ts';

const { poll } = streamOf('http://a.example/');
const NOW = instant('2026-11-20T10:00:00Z');
const swept = { outOfOrder: NOW - 10 * MINUTE, lateness: NOW - HOUR };
const head = (overrides: object): ReturnType<typeof newHead> => ({ ...newHead('payments'), ...overrides });
const reasons = (...args: Parameters<typeof planWindows>): string[] => planWindows(...args).map(({ reason }) => reason);

test('the first poll looks as far back as it is configured to', () => {
  expect(planWindows(NOW, head({}), poll)).toEqual([{ reason: 'first poll', window: { kind: 'poll', start: NOW - 2 * DAY, end: NOW } }]);
});

test('a first poll longer than a window may be is asked in several that join', () => {
  const planned = planWindows(NOW, head({}), { ...poll, start: 100 * DAY }).map(({ window }) => window);
  expect(planned.length).toBe(4);
  expect(planned[0]?.start).toBe(NOW - 100 * DAY);
  expect(planned.at(-1)?.end).toBe(NOW);
  for (const [i, window] of planned.entries()) if (i > 0) expect(window.start).toBe(planned[i - 1]?.end);
});

describe('a live poll', () => {
  test('begins before the watermark by the overlap and ends now', () => {
    const [planned] = planWindows(NOW, head({ watermark: NOW - 5 * MINUTE, sweptAt: swept }), poll);
    expect(planned).toEqual({ reason: 'poll', window: { kind: 'poll', start: NOW - 5 * MINUTE - pollOverlap(poll), end: NOW } });
  });

  test('is due once its interval has passed, or at once where the run is to end caught up', () => {
    const early = head({ watermark: NOW - 4 * MINUTE, sweptAt: swept });
    expect(reasons(NOW, early, poll)).toEqual([]);
    expect(reasons(NOW, early, poll, { once: true })).toEqual(['poll']);
  });

  test('overlaps by no more than the out-of-order bound', () => {
    fc.assert(fc.property(fc.nat(), fc.nat(), (every, outOfOrder) => pollOverlap({ ...poll, every, outOfOrder }) <= outOfOrder));
  });
});

describe('R8: a sweep', () => {
  const caughtUp = { watermark: NOW - 5 * MINUTE };

  test('goes over the out-of-order bound every hour, counted from the sweep before', () => {
    const planned = planWindows(NOW, head({ ...caughtUp, sweptAt: { ...swept, outOfOrder: NOW - HOUR } }), poll);
    expect(planned[1]).toEqual({ reason: 'sweep out-of-order', window: { kind: 'sweep', start: NOW - 3 * HOUR, end: NOW } });
  });

  test('goes over the lateness bound every day, or when it is asked for, and then covers the smaller one', () => {
    const daily = (start: Micros): object => ({ reason: 'sweep lateness', window: { kind: 'sweep', start, end: NOW } });
    const due = planWindows(NOW, head({ ...caughtUp, sweptAt: { outOfOrder: NOW - HOUR, lateness: NOW - DAY } }), poll);
    expect(due.slice(1)).toEqual([daily(NOW - 3 * DAY)]);
    const forced = planWindows(NOW, head({ ...caughtUp, sweptAt: swept }), poll, { sweep: true });
    expect(forced.slice(1)).toEqual([daily(NOW - HOUR - 2 * DAY)]);
  });

  test('is not put off by a run that begins a moment earlier in its interval than the one before', () => {
    const hourly = { ...poll, every: HOUR, outOfOrder: 4 * HOUR };
    const early = { watermark: NOW - HOUR, sweptAt: { outOfOrder: NOW - HOUR + 1, lateness: NOW - DAY + 1 } };
    expect(reasons(NOW, head(early), hourly)).toEqual(['poll', 'sweep lateness']);
    expect(reasons(NOW, head({ ...early, sweptAt: { ...early.sweptAt, lateness: NOW - HOUR } }), hourly)).toEqual([
      'poll',
      'sweep out-of-order',
    ]);
    expect(reasons(NOW, head({ ...caughtUp, sweptAt: { outOfOrder: NOW - HOUR / 2, lateness: NOW - HOUR / 2 } }), poll)).toEqual(['poll']);
  });

  test('comes after the live poll, and is left out where the poll reaches as far back', () => {
    expect(reasons(NOW, head({ watermark: NOW - 3 * DAY, sweptAt: { outOfOrder: null, lateness: null } }), poll)).toEqual(['poll']);
  });
});

test('R20: what was begun is finished first, and is not asked a second time', () => {
  const open: Window = { kind: 'poll', start: NOW - HOUR, end: NOW };
  const planned = planWindows(NOW, head({ watermark: NOW - 5 * MINUTE, sweptAt: swept, open: [open] }), poll, { once: true });
  expect(planned).toEqual([{ reason: 'resume', window: open }]);
});

test('R18: whatever the times at which it runs, polls leave no instant out and everything is swept', () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 3 * DAY }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(gaps, (waits) => {
      let state = newHead('payments');
      let now = NOW;
      for (const wait of waits) {
        now += wait;
        for (const { window } of planWindows(now, state, poll, { once: true })) {
          state = commitWindow({ window, manifest: `${window.kind}-${window.start}-${window.end}` })(beginWindow(window)(state));
        }
        expect(state.watermark).toBe(now);
        expect(state.open).toEqual([]);
      }
    }),
  );
});
