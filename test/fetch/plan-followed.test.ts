import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Micros } from '../../src/clock.ts';
import { type PlannedWindow, type PlanOptions, planWindows, sweptBound } from '../../src/fetch/plan.ts';
import { maySplit } from '../../src/fetch/split.ts';
import type { Window } from '../../src/manifest/documents.ts';
import { beginPolls, beginWindow, commitWindow, isAhead, newHead, noteBatches, settle } from '../../src/manifest/head.ts';
import type { Poll } from '../../src/stream.ts';
import { DAY, HOUR, MINUTE } from '../../src/time.ts';
import { instant, streamOf } from './fixture.ts';

const stream = streamOf('http://a.example/');
const { poll } = stream;
const PAGE_SIZE = stream.source.pageSize;
const NOW = instant('2026-11-20T10:00:00Z');

/** What happens to a run: time passes, it does so many steps of its plan, and dies or goes on; `pick` says what it settles. */
const day = fc.record({
  wait: fc.oneof(fc.integer({ min: 1, max: 30 * MINUTE }), fc.integer({ min: 1, max: 3 * DAY })),
  steps: fc.integer({ min: 0, max: 6 }),
  once: fc.boolean(),
  isKilledInside: fc.boolean(),
  late: fc.integer({ min: 0, max: 13 }),
});
const configured = fc.record({
  every: fc.constantFrom(MINUTE, 5 * MINUTE, HOUR),
  outOfOrder: fc.constantFrom(0, 10 * MINUTE, 2 * HOUR, 6 * HOUR),
  start: fc.constantFrom(MINUTE, DAY, 40 * DAY),
  pages: fc.constantFrom(0, 30, 5_000),
});

interface Asked {
  readonly window: Window;
  readonly at: Micros;
}

/** Follows the plan as a run does, over a head alone. */
class Follower {
  head = newHead('payments');
  now = NOW;
  readonly committed: Asked[] = [];
  readonly poll: Poll;
  /** That each window is given. */
  private readonly pages: number;
  constructor({ pages, ...given }: Pick<Poll, 'every' | 'outOfOrder' | 'start'> & { readonly pages: number }) {
    this.pages = pages;
    this.poll = { ...poll, ...given, overlap: { least: Math.min(3 * given.every, given.outOfOrder), most: given.outOfOrder } };
  }

  step(options: PlanOptions, isKilled: boolean): boolean {
    const plan = planWindows(this.now, this.head, { ...stream, poll: this.poll }, options);
    const [next] = plan.due;
    if (!next) return false;
    if (plan.begin.length > 0) this.head = beginPolls(plan.begin, plan.swept)(this.head);
    this.head = beginWindow(next.window)(this.head);
    if (!isKilled) this.commit(next);
    return true;
  }

  private commit({ window }: PlannedWindow): void {
    const manifest = `${window.kind}-${window.start}-${window.end}-${this.committed.length}`;
    const cutShort = window.end < this.now && maySplit(window, { ...stream, poll: this.poll });
    const swept = cutShort ? null : sweptBound(this.poll, window, this.head.sweptAt);
    const records = this.pages * PAGE_SIZE;
    this.head = commitWindow({ window, manifest, swept, records })(this.head);
    this.committed.push({ window, at: this.now });
  }

  settleAll(late: number): void {
    for (const { manifest, window, batches } of this.head.pending) {
      if (batches === null) this.head = noteBatches(manifest, ['b'], { fresh: 100, late: [...Array<number>(late).fill(0), 20] })(this.head);
      if (!isAhead(this.head, window)) this.head = settle(manifest)(this.head);
    }
  }

  /** Committed polls cover everything between, without a gap. */
  covers(from: Micros, to: Micros): boolean {
    let reached = from;
    const polls = this.committed.map(({ window }) => window).filter(({ kind }) => kind === 'poll');
    for (const { start, end } of polls.toSorted((a, b) => a.start - b.start)) if (start <= reached) reached = Math.max(reached, end);
    return reached >= to;
  }
}

describe('R18: whatever the times at which it runs, wherever it dies, and however late records are', () => {
  test('nothing lies before the watermark that is not in a committed window, and every instant since the first poll gets into one', () => {
    fc.assert(
      fc.property(configured, fc.array(day, { minLength: 1, maxLength: 12 }), (given, days) => {
        const run = new Follower(given);
        const from = NOW + (days[0]?.wait ?? 0) - run.poll.start;
        for (const { wait, steps, once, isKilledInside, late } of days) {
          run.now += wait;
          const since = run.now;
          for (let i = 0; i < steps && run.step({ once, since }, isKilledInside && i === steps - 1); i++) run.now += MINUTE / 3;
          run.settleAll(late);
          if (run.head.watermark !== null) expect(run.covers(run.head.since ?? 0, run.head.watermark)).toBe(true);
        }
        const since = (run.now += MINUTE);
        for (let i = 0; i < 1000 && run.step({ once: true, since }, false); i++);
        run.settleAll(0);
        expect(run.head).toMatchObject({ open: [], pending: [], watermark: run.now });
        expect(run.covers(run.head.since ?? 0, run.now)).toBe(true);
        if (days.some(({ steps }) => steps > 0))
          expect(run.head.since).toBeLessThanOrEqual(from + days.reduce((sum, { wait }) => sum + wait, 0));
      }),
    );
  });

  test('no instant is asked by more polls than the overlap and one catch-up account for', () => {
    fc.assert(
      fc.property(configured, fc.array(day, { minLength: 1, maxLength: 12 }), (given, days) => {
        const run = new Follower(given);
        for (const { wait, steps, isKilledInside, late } of days) {
          run.now += wait;
          for (let i = 0; i < steps && run.step({}, isKilledInside && i === steps - 1); i++) run.now += MINUTE / 3;
          run.settleAll(late);
        }
        const polls = run.committed.map(({ window }) => window).filter(({ kind }) => kind === 'poll');
        // Each poll after the first begins at most the overlap before the end of another; ends lie an interval apart.
        const most = 2 + Math.ceil(run.poll.overlap.most / run.poll.every);
        for (const { start } of polls) {
          const meeting = polls.filter((other) => other.start <= start && start < other.end);
          expect(meeting.length).toBeLessThanOrEqual(most);
        }
        expect(new Set(polls.map(({ start, end }) => `${start} ${end}`)).size, 'no window is asked twice').toBe(polls.length);
      }),
    );
  });

  test('R8: every sweep looks back over its bound from the sweep before', () => {
    fc.assert(
      fc.property(configured, fc.array(day, { minLength: 1, maxLength: 12 }), (given, days) => {
        const run = new Follower(given);
        for (const { wait, late } of days) {
          run.now += wait;
          const before = run.head.sweptAt;
          const since = run.now;
          for (let i = 0; i < 200 && run.step({ once: true, since, sweep: true }, false); i++);
          expect(run.step({ once: true, since, sweep: true }, false), 'there is an end to it').toBe(false);
          run.settleAll(late);
          if (before.lateness === null) continue;
          const asked = run.committed.filter(({ at }) => at >= since).map(({ window }) => window);
          expect(Math.min(...asked.map(({ start }) => start))).toBeLessThanOrEqual(before.lateness - run.poll.lateness);
        }
      }),
    );
  });
});
