import * as fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import type { Micros } from '../../src/clock.ts';
import { clockProblem, differenceOf, statedTime, watchingClock } from '../../src/fetch/partner-clock.ts';
import { planWindows, sweptBound } from '../../src/fetch/plan.ts';
import type { Window } from '../../src/manifest/documents.ts';
import { beginPolls, beginWindow, commitWindow, isAhead, newHead, noteBatches, settle } from '../../src/manifest/head.ts';
import type { Poll } from '../../src/stream.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../src/time.ts';
import { instant, streamOf } from './fixture.ts';

const stream = streamOf('http://a.example/');
const NOW = instant('2026-11-20T10:00:00Z');

/** One run: when it is, how far its clock is ahead of the partner's, and whether it sweeps. */
interface Run {
  readonly at: Micros;
  readonly ahead: Micros;
  readonly sweep: boolean;
}

/** What runs asked, and when, by the partner's clock. */
function asked(poll: Poll, runs: readonly Run[]): { readonly window: Window; readonly at: Micros }[] {
  const all: { window: Window; at: Micros }[] = [];
  let head = newHead('payments');
  for (const { at, ahead, sweep } of runs) {
    const since = at + ahead;
    for (;;) {
      const plan = planWindows(at + ahead, head, { ...stream, poll }, { once: true, sweep, since });
      const [next] = plan.due;
      if (!next) break;
      const { window } = next;
      if (plan.begin.length > 0) head = beginPolls(plan.begin, plan.swept)(head);
      head = beginWindow(window)(head);
      const manifest = `${all.length}`;
      head = commitWindow({ window, manifest, swept: sweptBound(poll, window, head.sweptAt) })(head);
      head = noteBatches(manifest, [])(head);
      for (const pending of head.pending) if (!isAhead(head, pending.window)) head = settle(pending.manifest)(head);
      all.push({ window, at });
    }
  }
  return all;
}

const CLOCKS = 5 * MINUTE;
const LATENESS = 12 * HOUR;
const polls = fc.record({
  every: fc.constantFrom(MINUTE, 5 * MINUTE, HOUR, 6 * HOUR),
  outOfOrder: fc.constantFrom(0, 10 * MINUTE, 2 * HOUR),
  start: fc.constantFrom(MINUTE, DAY),
});
const runs = fc.array(
  fc.record({
    wait: fc.oneof(fc.integer({ min: 1, max: 30 * MINUTE }), fc.integer({ min: 1, max: 3 * DAY })),
    ahead: fc.integer({ min: -CLOCKS, max: CLOCKS }),
    sweep: fc.boolean(),
  }),
  { minLength: 2, maxLength: 8 },
);
/** Shows so long after one of the runs, and is late by the bound but for so much. */
const records = fc.array(
  fc.record({ after: fc.nat({ max: 7 }), by: fc.nat({ max: 2 * CLOCKS }), short: fc.nat({ max: 2 * CLOCKS }), bound: fc.boolean() }),
  { minLength: 1, maxLength: 30 },
);

/** A record that shows at `shown` with the version time `time`, and that no window brought. */
const isMissed = (all: ReturnType<typeof asked>, shown: Micros, time: Micros): boolean =>
  !all.some(({ window, at }) => at >= shown && window.start <= time && time < window.end);

const pollOf = (given: Pick<Poll, 'every' | 'outOfOrder' | 'start'>, clocks: Micros): Poll => {
  const most = given.outOfOrder + clocks;
  return { ...stream.poll, ...given, lateness: LATENESS, clocks, overlap: { least: Math.min(3 * given.every, most), most } };
};

describe('R8, R18: where clocks are ahead of the partner’s by up to the allowance', () => {
  test('no record that is late by up to the bound is missed', () => {
    fc.assert(
      fc.property(polls, runs, records, (given, steps, late) => {
        let at = NOW;
        const plan: Run[] = steps.map(({ wait, ahead, sweep }) => ({ at: (at += wait), ahead, sweep }));
        const all = asked(pollOf(given, CLOCKS), [...plan, { at: at + LATENESS + DAY, ahead: 0, sweep: true }]);
        const since = Math.min(...all.map(({ window }) => window.start));
        for (const { after, by, short, bound } of late) {
          const shown = (plan[after % plan.length]?.at ?? NOW) + by;
          const time = shown - (bound ? LATENESS : given.outOfOrder) + Math.min(short, bound ? LATENESS : given.outOfOrder);
          if (time >= since) expect(isMissed(all, shown, time), `${shown - NOW} ${time - NOW}`).toBe(false);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('without the allowance, one that shows just after a sweep, late by all but the bound, is missed for good', () => {
    const given = { every: HOUR, outOfOrder: 2 * HOUR, start: DAY };
    const two: Run[] = [0, DAY, 3 * DAY].map((wait) => ({ at: NOW + wait, ahead: 3 * MINUTE, sweep: true }));
    const shown = NOW + DAY + MINUTE;
    expect(isMissed(asked(pollOf(given, 0), two), shown, shown - LATENESS)).toBe(true);
    expect(isMissed(asked(pollOf(given, CLOCKS), two), shown, shown - LATENESS)).toBe(false);
  });
});

describe('the difference to the partner’s clock', () => {
  const answer = (headers: Record<string, string>) => ({ status: 200, headers, body: Buffer.alloc(0), requestId: null });
  const date = (at: Micros) => ({ date: new Date(at / 1000).toUTCString() });

  test('is known to the second and to the time that the answer took, whichever way the partner rounds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -HOUR, max: HOUR }),
        fc.nat({ max: MINUTE }),
        fc.nat({ max: MINUTE }),
        fc.constantFrom(Math.floor, Math.ceil, Math.round),
        (ahead, before, after, round) => {
          const dated = NOW + 123_456;
          const { least, most } = differenceOf(round(dated / SECOND) * SECOND, dated + ahead - before, dated + ahead + after);
          expect(least).toBeLessThanOrEqual(ahead);
          expect(most).toBeGreaterThanOrEqual(ahead);
          expect(most - least).toBe(before + after + 2 * SECOND);
        },
      ),
    );
  });

  test('is not taken from an answer without a date, nor from one that a cache kept', () => {
    expect(statedTime(answer({}))).toBeNull();
    expect(statedTime(answer({ date: 'yesterday' }))).toBeNull();
    expect(statedTime(answer({ ...date(NOW), age: '120' }))).toBeNull();
    expect(statedTime(answer(date(NOW)))).toBe(NOW);
  });

  test('is a problem only where our clock is surely ahead by more than is allowed for', () => {
    expect(clockProblem({ least: CLOCKS, most: HOUR }, stream.poll)).toBeNull();
    expect(clockProblem({ least: -DAY, most: -HOUR }, stream.poll), 'behind').toBeNull();
    expect(clockProblem({ least: 7 * MINUTE, most: HOUR }, stream.poll)).toBe(
      "this clock is 7m ahead of the source's, beyond poll.clocks (5m)",
    );
  });

  test('is told once until it is right again', async () => {
    const told: string[] = [];
    let ahead = 0;
    const clock = { now: () => NOW + ahead, monotonicMs: () => 0, sleep: async () => undefined };
    const log = pino({ base: null }, { write: (line: string) => void told.push(JSON.parse(line).error) });
    const exchange = watchingClock(async () => answer(date(NOW)), stream, { clock, log });
    for (ahead of [0, 6 * MINUTE, 6 * MINUTE, 0, 20 * MINUTE]) await exchange({ url: '', headers: {} }, { timeoutMs: 1 });
    expect(told).toEqual([expect.stringContaining('6m ahead'), expect.stringContaining('20m ahead')]);
  });
});
