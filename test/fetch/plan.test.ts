import { describe, expect, test } from 'vitest';
import type { Micros } from '../../src/clock.ts';
import { type Plan, type PlanOptions, planWindows } from '../../src/fetch/plan.ts';
import type { Head, Window } from '../../src/manifest/documents.ts';
import { beginPolls, commitWindow, newHead } from '../../src/manifest/head.ts';
import type { Poll } from '../../src/stream.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../src/time.ts';
import { instant, streamOf } from './fixture.ts';

const stream = streamOf('http://a.example/');
const { poll } = stream;
const OVERLAP = poll.overlap.least;
const PAGE_SIZE = stream.source.pageSize;
const NOW = instant('2026-11-20T10:00:00Z');
const swept = { outOfOrder: NOW - 10 * MINUTE, lateness: NOW - HOUR };
const head = (overrides: object): Head => ({ ...newHead('payments'), ...overrides });
const planOf = (of: Head, options: PlanOptions = {}, configured: Poll = poll): Plan =>
  planWindows(NOW, of, { ...stream, poll: configured }, options);
const windows = (...args: Parameters<typeof planOf>): Window[] => planOf(...args).due.map(({ window }) => window);
const reasons = (...args: Parameters<typeof planOf>): string[] => planOf(...args).due.map(({ reason }) => reason);

test('the first poll looks as far back as it is configured to, the newest part first', () => {
  const plan = planOf(head({}));
  expect(plan.due.map(({ reason }) => reason)).toEqual(['newest first', 'first poll', 'first poll', 'first poll', 'first poll']);
  expect(plan.due[0]?.window).toEqual({ kind: 'poll', start: NOW - 5 * MINUTE - OVERLAP, end: NOW });
  expect(plan.begin[0]?.start).toBe(NOW - 2 * DAY);
  expect(joined(plan.begin)).toBe(true);
});

test('a short first poll is one window', () => {
  expect(windows(head({}), {}, { ...poll, start: 20 * MINUTE })).toEqual([{ kind: 'poll', start: NOW - 20 * MINUTE, end: NOW }]);
});

test('a source that lists the newest first is asked in one chain, which brings the newest first by itself', () => {
  const { source } = streamOf('http://a.example/', {
    pagination: { kind: 'last-id', parameter: 'before', field: 'event_id', order: 'newest-first', more: null },
  });
  const { due } = planWindows(NOW, head({}), { poll, source });
  expect(due.map(({ window }) => window)).toEqual([{ kind: 'poll', start: NOW - 2 * DAY, end: NOW }]);
});

describe('a live poll', () => {
  test('begins before what is covered by the overlap, ends now, and says why', () => {
    const [planned] = planOf(head({ watermark: NOW - 5 * MINUTE, sweptAt: swept })).due;
    expect(planned).toEqual({
      reason: 'poll',
      lane: 'live',
      why: '5m since the last poll, looking back 15m more',
      window: { kind: 'poll', start: NOW - 5 * MINUTE - OVERLAP, end: NOW },
    });
  });

  test('is due once its interval has passed, or at once where the run is to end caught up', () => {
    const early = head({ watermark: NOW - 4 * MINUTE, sweptAt: swept });
    expect(reasons(early)).toEqual([]);
    expect(planOf(early).next[0]).toMatchObject({ at: NOW + MINUTE, reason: 'poll' });
    expect(reasons(early, { once: true })).toEqual(['poll']);
    expect(reasons(early, { once: true, since: NOW - 4 * MINUTE }), 'nothing came since the run began').toEqual([]);
  });

  test('R3: does not wait an interval more where its pass is ready somewhat sooner than the one before was', () => {
    expect(reasons(head({ watermark: NOW - 5 * MINUTE + 10 * SECOND, sweptAt: swept }))).toEqual(['poll']);
    expect(reasons(head({ watermark: NOW - 5 * MINUTE + 20 * SECOND, sweptAt: swept }))).toEqual([]);
  });

  describe('R3: of more pages than one chain brings in time', () => {
    const since = { watermark: NOW - 5 * MINUTE, sweptAt: swept };
    const busy = (pages: number): Head => head({ ...since, volume: { records: pages * PAGE_SIZE, length: 20 * MINUTE } });

    test.each([
      [20, 1],
      [21, 2],
      [61, 4],
      [10_000, 4],
    ])('is split: %i pages into %i chains at once, which join', (pages, count) => {
      const { due, begin } = planOf(busy(pages));
      expect(due).toHaveLength(count);
      expect(new Set(due.map(({ lane, reason }) => `${lane} ${reason}`))).toEqual(new Set(['live poll']));
      expect(due[0]?.window.start).toBe(NOW - 5 * MINUTE - OVERLAP);
      for (const [at, { window }] of due.entries()) expect(window.end).toBe(due[at + 1]?.window.start ?? NOW);
      expect(begin, 'the head knows of all of them before the first is asked').toHaveLength(count === 1 ? 0 : count);
    });

    test('is no sweep, since its chains end by the order of what they are given', () => {
      const reaching: Poll = { ...poll, overlap: { least: 0, most: 3 * HOUR } };
      const latest = head({ ...busy(10_000), lateness: { at: NOW, fresh: 1000, late: [...Array<number>(8).fill(0), 500] } });
      const { due, swept: sweptTo } = planWindows(NOW, latest, { ...stream, poll: reaching });
      expect(due.filter(({ reason }) => reason === 'poll').length).toBeGreaterThan(1);
      expect(sweptTo).toBeNull();
    });

    test('is one chain where polls stand in for the hourly sweep', () => {
      const own: Poll = { ...poll, overlap: { least: 3 * HOUR, most: 3 * HOUR } };
      expect(planWindows(NOW, busy(10_000), { ...stream, poll: own }).due.filter(({ reason }) => reason === 'poll')).toHaveLength(1);
    });
  });

  test('R8: looks back as far as the measured lateness asks for, between the configured bounds', () => {
    const late = (bucket: number, count: number): Head =>
      head({
        watermark: NOW - 5 * MINUTE,
        sweptAt: swept,
        lateness: { at: NOW, fresh: 1000, late: Array.from({ length: 14 }, (_, i) => (i === bucket ? count : 0)) },
      });
    const overlap = (of: Head): Micros => NOW - 5 * MINUTE - (windows(of)[0]?.start ?? 0);
    expect(overlap(late(5, 5)), 'few enough for the sweeps').toBe(OVERLAP);
    expect(overlap(late(5, 6))).toBe(32 * MINUTE);
    expect(overlap(late(2, 500)), 'the least').toBe(OVERLAP);
    expect(overlap(late(12, 500)), 'the most').toBe(poll.overlap.most);
    expect(planOf(late(5, 6)).overlap.why).toBe('0% of the new records show later than 32m');
  });
});

describe('R3: after an outage', () => {
  const lost = head({
    watermark: NOW - 30 * HOUR,
    since: NOW - 3 * DAY,
    sweptAt: { outOfOrder: NOW - 30 * HOUR, lateness: NOW - 40 * HOUR },
  });

  test('the newest part comes first, as long as a poll in time, then the rest in chunks, the oldest first', () => {
    const plan = planOf(lost);
    expect(plan.due.slice(0, 4).map(({ reason, lane }) => [reason, lane])).toEqual([
      ['newest first', 'live'],
      ['catch up', 'history'],
      ['catch up', 'history'],
      ['catch up', 'history'],
    ]);
    expect(plan.due[1]?.window.start).toBe(NOW - 30 * HOUR - OVERLAP);
    expect(joined(plan.begin)).toBe(true);
    for (const { start, end } of plan.begin) expect(end - start).toBeLessThanOrEqual(12 * HOUR);
  });

  test('where it is more than one chain brings soon, the chunks are shorter, and as many as may be asked at once', () => {
    const chunksOf = (hours: number, pages: number): number[] => {
      const watermark = NOW - hours * HOUR;
      const of = head({ ...lost, watermark, sweptAt: swept, volume: { records: pages * PAGE_SIZE, length: HOUR } });
      const { due } = planWindows(NOW, of, { poll, source: { ...stream.source, chains: { most: 8, pages: 40 } } });
      const rest = due.filter(({ reason }) => reason === 'catch up');
      expect(new Set(rest.map(({ lane }) => lane))).toEqual(new Set(['history']));
      return rest.map(({ window }) => Math.round((window.end - window.start) / HOUR));
    };
    expect(chunksOf(30, 1000), 'half of the chains').toEqual([7, 7, 7, 7]);
    expect(chunksOf(10, 1000), 'twice the out-of-order bound at least').toEqual([5, 5]);
    expect(chunksOf(10, 4), 'one chain is enough').toEqual([10]);
  });

  test('all of it is begun at once, so that whoever dies in the middle leaves nothing out and asks nothing twice', () => {
    const plan = planOf(lost);
    const begun = beginPolls(plan.begin, plan.swept)(lost);
    const [newest, ...rest] = planOf(begun).due;
    expect(newest?.window).toEqual(plan.due[0]?.window);
    expect(rest.filter(({ window }) => window.kind === 'poll').map(({ window }) => window)).toEqual(plan.begin.slice(0, -1));
    const committed = commitWindow({ window: newest?.window as Window, manifest: 'newest' })(begun);
    expect(committed.watermark, 'it waits for what lies before').toBe(lost.watermark);
    expect(windows(committed)[0]).toEqual(plan.begin[0]);
  });

  test('the next poll goes on behind the newest part, though history is not complete', () => {
    const plan = planOf(lost);
    const begun = beginPolls(plan.begin, plan.swept)(lost);
    const later = planWindows(NOW + 5 * MINUTE, commitWindow({ window: plan.begin.at(-1) as Window, manifest: 'm' })(begun), stream);
    expect(later.due[0]).toMatchObject({ reason: 'poll', window: { start: NOW - OVERLAP, end: NOW + 5 * MINUTE } });
  });

  test('four missed polls are no outage', () => {
    expect(reasons(head({ watermark: NOW - 20 * MINUTE, sweptAt: swept }))).toEqual(['poll']);
    expect(reasons(head({ watermark: NOW - 20 * MINUTE - 1, sweptAt: swept }))).toEqual(['newest first', 'catch up']);
  });
});

describe('R8: a sweep', () => {
  const caughtUp = { watermark: NOW - 5 * MINUTE };

  test('goes over the out-of-order bound every hour, counted from the sweep before', () => {
    const { due } = planOf(head({ ...caughtUp, sweptAt: { ...swept, outOfOrder: NOW - HOUR } }));
    expect(due[1]).toMatchObject({
      reason: 'sweep out-of-order',
      window: { kind: 'sweep', start: NOW - 3 * HOUR - poll.clocks, end: NOW },
    });
  });

  test('goes over the lateness bound every day, or when it is asked for, and then covers the smaller one', () => {
    const daily = (start: Micros) => ({ reason: 'sweep lateness', window: { kind: 'sweep', start, end: NOW } });
    const due = planOf(head({ ...caughtUp, sweptAt: { outOfOrder: NOW - HOUR, lateness: NOW - DAY } })).due;
    expect(due.slice(1)).toMatchObject([daily(NOW - 3 * DAY - poll.clocks)]);
    const forced = planOf(head({ ...caughtUp, sweptAt: swept }), { sweep: true }).due;
    expect(forced.slice(1)).toMatchObject([daily(NOW - HOUR - 2 * DAY - poll.clocks)]);
  });

  test('R18: of more than one chain brings in a day is asked in parts at once, which join and amount to it together', () => {
    const volume = { records: 2500 * PAGE_SIZE, length: HOUR };
    const of = head({ ...caughtUp, sweptAt: { outOfOrder: NOW - HOUR, lateness: NOW - DAY }, volume });
    const source = { ...stream.source, chains: { most: 8, pages: 40 } };
    const { due, begin, swept: amounts } = planWindows(NOW, of, { poll, source });
    const parts = due.filter(({ window }) => window.kind === 'sweep').map(({ window }) => window);
    expect(parts).toHaveLength(4);
    expect([parts[0]?.start, parts.at(-1)?.end]).toEqual([NOW - 3 * DAY - poll.clocks, NOW]);
    expect(joined(parts)).toBe(true);
    expect(begin.filter(({ kind }) => kind === 'sweep')).toEqual(parts);
    expect(amounts).toEqual({ bound: 'lateness', at: NOW });
  });

  test('is not put off by a run that begins a moment earlier in its interval than the one before', () => {
    const hourly = { ...poll, every: HOUR, outOfOrder: 4 * HOUR };
    const early = { watermark: NOW - HOUR, sweptAt: { outOfOrder: NOW - HOUR + 1, lateness: NOW - DAY + 1 } };
    expect(reasons(head(early), {}, hourly)).toEqual(['poll', 'sweep lateness']);
    expect(reasons(head({ ...early, sweptAt: { ...early.sweptAt, lateness: NOW - HOUR } }), {}, hourly)).toEqual([
      'poll',
      'sweep out-of-order',
    ]);
    expect(reasons(head({ ...caughtUp, sweptAt: { outOfOrder: NOW - HOUR / 2, lateness: NOW - HOUR / 2 } }))).toEqual(['poll']);
  });

  test('is left out where a catch-up reaches as far back: all of that is asked after this time', () => {
    const never = head({ watermark: NOW - 3 * DAY, sweptAt: { outOfOrder: null, lateness: null } });
    const plan = planOf(never);
    expect(plan.due.every(({ window }) => window.kind === 'poll')).toBe(true);
    expect(beginPolls(plan.begin, plan.swept)(never).sweptAt).toEqual({ outOfOrder: NOW, lateness: NOW });
  });

  test('longer than a window may be is several that join, begun at once, and counts as one', () => {
    const wide = { ...poll, lateness: 100 * DAY };
    const before = head({ ...caughtUp, sweptAt: { ...swept, lateness: NOW - DAY } });
    const plan = planOf(before, {}, wide);
    expect(joined(plan.begin)).toBe(true);
    expect(plan.begin[0]?.start).toBe(NOW - 101 * DAY - poll.clocks);
    const begun = beginPolls(plan.begin, plan.swept)(before);
    expect(begun.sweptAt.lateness).toBe(NOW);
    expect(windows(begun, {}, wide).filter(({ kind }) => kind === 'sweep')).toEqual(plan.begin);
  });

  test('that is under way is finished before another is planned', () => {
    const open: Window = { kind: 'sweep', start: NOW - 3 * DAY, end: NOW - MINUTE };
    const due = head({ watermark: NOW - MINUTE, sweptAt: { outOfOrder: NOW - HOUR, lateness: NOW - DAY }, open: [open] });
    expect(windows(due)).toEqual([open]);
  });
});

test('R20: what was begun is finished first, and is not asked a second time', () => {
  const open: Window = { kind: 'poll', start: NOW - HOUR, end: NOW };
  const planned = windows(head({ watermark: NOW - 5 * MINUTE, sweptAt: swept, open: [open] }), { once: true });
  expect(planned).toEqual([open]);
});

const joined = (all: readonly Window[]): boolean => all.every(({ start }, i) => i === 0 || start === all[i - 1]?.end);
