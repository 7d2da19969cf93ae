import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Micros } from '../../src/clock.ts';
import { scorecard } from '../../src/inspect/scorecard.ts';
import type { Scorecard } from '../../src/inspect/scorecard-report.ts';
import { formatScorecard } from '../../src/inspect/scorecard-text.ts';
import { FAULT_PROFILES } from '../../src/partner/faults.ts';
import { worldOptions } from '../../src/partner/options.ts';
import type { Entry } from '../../src/partner/timeline.ts';
import { createWorld } from '../../src/partner/world.ts';
import { DAY, HOUR, MINUTE } from '../../src/time.ts';
import { START, startWorld, type World } from './world.ts';

/** The last run lies in the second day. */
const RUNS = [START + 20 * HOUR, START + 22 * HOUR, START + 25 * HOUR] as const;
const [, , NOW] = RUNS;
/** Each kind comes at least once; a stall costs real time, and is told by its own test of the client. */
const KINDS = ['too-many-requests', 'unavailable', 'gateway-timeout', 'reset', 'reset-in-body', 'truncated', 'html', 'empty'] as const;
/** Each comes once, in this order, so that none falls together with another: a repeat of a page that was itself spoilt is another page. */
const PAGES = ['short', 'duplicate-bytes', 'duplicate-records', 'repeat-within', 'repeat-across'] as const;
const FAULTS = { ...FAULT_PROFILES.hostile, rates: Object.fromEntries(KINDS.map((kind) => [kind, 0.01])), certain: [...PAGES, ...KINDS] };
const SETTINGS = {
  seed: 17,
  start: START,
  end: START + 26 * HOUR,
  payments: { recordsPerSecond: 0.03 },
  settlements: { recordsPerSecond: 0.02 },
  badShare: 0.04,
  sandboxShare: 0.2,
  conflictShare: 0.1,
  outOfOrder: { share: 0.1, bound: HOUR },
  late: { share: 0.1, bound: 4 * HOUR },
  growEvery: 6 * HOUR,
};

let world: World;
let cards: Record<'payments' | 'settlements', Scorecard>;

beforeAll(async () => {
  world = await startWorld({ ...SETTINGS, retryAfterSeconds: 0, poison: [], faults: FAULTS });
  for (const now of RUNS) {
    world.setNow(now);
    for (const report of await world.run({ sweep: true })) expect(report.failures, report.stream).toEqual([]);
  }
  const cardOf = (name: 'payments' | 'settlements') =>
    world.inspect((inspection) => scorecard(inspection, world.stream(name), { from: START, to: NOW }));
  cards = { payments: await cardOf('payments'), settlements: await cardOf('settlements') };
});
afterAll(() => world.close());

const both = (read: (card: Scorecard) => number): number => read(cards.payments) + read(cards.settlements);

describe('R19: the scorecard says what the partner did', () => {
  test('requests and errors by kind, as the partner itself has counted them', () => {
    const { requests, faults, statuses } = world.partner.stats();
    const fault = (...kinds: readonly (keyof typeof faults)[]): number => kinds.reduce((sum, kind) => sum + (faults[kind] ?? 0), 0);
    for (const kind of KINDS) expect(fault(kind), kind).toBeGreaterThan(0);
    const asked = [requests.payments, requests.settlements].reduce((sum, { list, lookup }) => sum + list + lookup, 0);
    expect(both(({ total }) => total.requests.asked)).toBe(asked);
    expect(both(({ total }) => total.requests.limited)).toBe(statuses['429']);
    expect(both(({ total }) => total.requests.failed)).toBe((statuses['503'] ?? 0) + (statuses['504'] ?? 0));
    expect(both(({ total }) => total.requests.reset)).toBe(fault('reset', 'reset-in-body'));
    expect(both(({ total }) => total.requests.noPage)).toBe(fault('truncated', 'html', 'empty'));
    expect(both(({ total }) => total.requests.stalled)).toBe(0);
  });

  test('short and repeated pages, and records that came again', () => {
    const { faults } = world.partner.stats();
    for (const kind of PAGES) expect(faults[kind], kind).toBe(1);
    expect(both(({ total }) => total.requests.short)).toBe(1);
    expect(both(({ total }) => total.requests.duplicated)).toBe(2);
    expect(both(({ total }) => total.repeatedRecords)).toBeGreaterThanOrEqual(2);
  });

  test('silent changes: contents that came under a version that had another one before', () => {
    const rivals = visible(NOW).filter((versions) => versions.length > 1);
    expect(rivals.length).toBeGreaterThan(20);
    expect(cards.payments.total.silentChanges).toBe(rivals.reduce((sum, versions) => sum + versions.length - 1, 0));
    expect(cards.payments.examples.silentChanges).toHaveLength(5);
  });

  test('late records: those that were not there when they were asked for', () => {
    const late = lateOnes(() => true);
    expect(late).toBeGreaterThan(30);
    expect(cards.payments.total.lateness.late).toBe(late);
    const { lateness } = cards.payments.total;
    expect(lateness.records).toBeGreaterThan(late);
    expect([lateness.p50, lateness.p95, lateness.p99].every((seconds, i, all) => (seconds ?? -1) >= (all[i - 1] ?? 0))).toBe(true);
    expect(lateness.tooLate).toBe(0);
  });

  test('records that came later than was agreed, which one bound tells from another', async () => {
    const stream = world.stream('payments');
    const strict = { ...stream, poll: { ...stream.poll, lateness: 2 * HOUR } };
    const card = await world.inspect((inspection) => scorecard(inspection, strict, { from: START, to: NOW }));
    const tooLate = lateOnes((record, asked) => asked - record.updatedAt > 2 * HOUR);
    expect(tooLate).toBeGreaterThan(5);
    expect(card.total.lateness.tooLate).toBe(tooLate);
    expect(formatScorecard(card)).toContain(`${tooLate} records came later than 2h for certain`);
  });

  test('each day by itself: requests count on the day that they were made', () => {
    const { days, total } = cards.payments;
    expect(days.map(({ day }) => day)).toEqual(['2026-11-01', '2026-11-02']);
    for (const name of ['asked', 'limited', 'failed', 'short'] as const)
      expect(days.reduce((sum, { requests }) => sum + requests[name], 0)).toBe(total.requests[name]);
    expect(days.reduce((sum, { lateness }) => sum + lateness.late, 0)).toBe(total.lateness.late);
    expect(days.every(({ requests }) => requests.asked > 0)).toBe(true);
  });

  test('records that the rules refuse, and fields that changed type', async () => {
    const refused = world.partner.truth('settlements', { now: NOW, refused: 'include' });
    for (const _ of refused);
    expect(refused.totals.refusedObservations).toBeGreaterThan(5);
    expect(cards.settlements.total.refusedRecords).toBeGreaterThanOrEqual(refused.totals.refusedObservations);
    expect(cards.payments.total.refusedRecords).toBe(0);
    const changes = cards.payments.days.flatMap(({ typeChanges }) => typeChanges);
    expect(changes.length).toBeGreaterThan(0);
    expect(changes.every(({ from }) => from !== null)).toBe(true);
  });

  test('days on which nothing happened are left out, and an empty one says so', async () => {
    const card = await world.inspect((inspection) =>
      scorecard(inspection, world.stream('payments'), { from: START - 9 * DAY, to: START - DAY - MINUTE }),
    );
    expect(card.days).toEqual([]);
    expect(formatScorecard(card)).toContain('nothing was asked for');
  });
});

/** Versions of payments that are visible at an instant, each with its contents by when they became visible. */
function visible(at: Micros): Entry[][] {
  const source = createWorld(worldOptions(SETTINGS)).payments;
  const entries: Entry[] = [];
  for (let bucket = 0; bucket < source.timeline.buckets; bucket += 1) entries.push(...source.timeline.entriesAt(bucket));
  const seen = entries.filter(({ visibleAt }) => visibleAt <= at);
  const versions = Map.groupBy(seen, (entry) => [...source.keyOf(entry), ...source.versionOf(entry)].join(' '));
  return [...versions.values()].map((same) => same.toSorted((a, b) => a.visibleAt - b.visibleAt));
}

/** Versions that one run found though the run before had asked for them and they were not there. */
function lateOnes(counts: (record: Entry, asked: Micros) => boolean): number {
  const first = visible(NOW).flatMap(([entry]) => (entry ? [entry] : []));
  return RUNS.slice(1).reduce((sum, now, index) => {
    const asked = RUNS[index] ?? 0;
    const late = first.filter((entry) => entry.updatedAt < asked && entry.visibleAt > asked && entry.visibleAt <= now);
    return sum + late.filter((entry) => counts(entry, asked)).length;
  }, 0);
}
