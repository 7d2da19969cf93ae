import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRequestBudget, type KeyBudget } from '../../src/fetch/budget.ts';
import { sharedDesk } from '../../src/fetch/shared-budget.ts';
import { silentLog } from '../../src/log.ts';
import {
  BUDGET,
  type BudgetDocument,
  claimTickets,
  latticeOf,
  leave,
  type Priority,
  ticketsOf,
  ticketTimes,
} from '../../src/manifest/budget.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { VirtualClock } from '../manifest/virtual-clock.ts';

const BASE_MS = Date.UTC(2026, 10, 20, 12);
const NAME = 'https://partner.example env:PARTNER_KEY';

interface Sent {
  readonly process: number;
  readonly priority: Priority;
  readonly at: number;
}

/** Processes on machines whose clocks differ, at one store that takes its time. */
class Fleet {
  readonly clock = new VirtualClock();
  readonly sent: Sent[] = [];
  writes = 0;
  reads = 0;
  private readonly store: ObjectStore;
  private readonly budgets: KeyBudget[] = [];

  readonly perMinute: number;

  constructor(perMinute: number, latencyMs = 0) {
    this.perMinute = perMinute;
    const store = memoryStore();
    const late = async (): Promise<void> => (latencyMs > 0 ? this.clock.sleep(latencyMs) : undefined);
    this.store = {
      ...store,
      get: async (key) => (this.reads++, await late(), store.get(key)),
      create: async (key, body) => (this.writes++, await late(), store.create(key, body)),
      replace: async (key, body, tag) => (this.writes++, await late(), store.replace(key, body, tag)),
    };
  }

  start(skewMs = 0): KeyBudget {
    const wall = (): number => BASE_MS + this.clock.monotonicMs() + skewMs;
    const holder = { id: `process-${this.budgets.length}`, host: `machine-${this.budgets.length}`, pid: 1 };
    const effects = { store: this.store, clock: this.clock, random: () => 0.5, log: silentLog };
    const desk = sharedDesk({ ...effects, name: NAME, perMinute: this.perMinute, holder, wall });
    const budget = createRequestBudget(this.clock, this.perMinute, { desk, wall });
    this.budgets.push(budget);
    return budget;
  }

  /** Asks one request after the other, each of which takes a while, until it is stopped: a chain of pages. */
  chain(budget: KeyBudget, priority: Priority, eachMs: number, signal?: AbortSignal): void {
    const process = this.budgets.indexOf(budget);
    void (async () => {
      for (;;) {
        await budget.lane(priority).take(signal);
        this.sent.push({ process, priority, at: this.clock.monotonicMs() });
        await this.clock.sleep(eachMs, signal);
      }
    })().catch(() => undefined);
  }

  /** The most requests of any stretch of 60 s. */
  busiestMinute(): number {
    const times = this.sent.map(({ at }) => at).toSorted((a, b) => a - b);
    let most = 0;
    for (let first = 0, end = 0; first < times.length; first++) {
      while (end < times.length && (times[end] ?? 0) < (times[first] ?? 0) + 60_000) end++;
      most = Math.max(most, end - first);
    }
    return most;
  }

  countOf(process: number, fromMs: number, toMs: number): number {
    return this.sent.filter((each) => each.process === process && each.at >= fromMs && each.at < toMs).length;
  }
}

describe('one key, several processes', () => {
  test('R1: no minute holds more than the limit, whoever comes, goes and dies, and whatever their clocks say within a second', async () => {
    const life = fc.record({
      from: fc.integer({ min: 0, max: 70_000 }),
      lasts: fc.integer({ min: 500, max: 120_000 }),
      skew: fc.integer({ min: 0, max: BUDGET.skewMs }),
      eachMs: fc.constantFrom(1, 40, 700),
      priority: fc.constantFrom<Priority>('live', 'backfill'),
      end: fc.constantFrom('killed', 'closed'),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1, 3, 10, 60, 150),
        fc.constantFrom(0, 30, 300),
        fc.array(life, { minLength: 1, maxLength: 4 }),
        async (limit, latency, lives) => {
          const fleet = new Fleet(limit, latency);
          for (const { from, lasts, skew, eachMs, priority, end } of lives) {
            void (async () => {
              await fleet.clock.sleep(from);
              const budget = fleet.start(skew);
              const death = new AbortController();
              fleet.chain(budget, priority, eachMs, death.signal);
              await fleet.clock.sleep(lasts);
              death.abort();
              if (end === 'closed') await budget.close();
            })();
          }
          await fleet.clock.advance(150_000);
          expect(fleet.busiestMinute()).toBeLessThanOrEqual(limit);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('a process that is alone uses 94 of 100 allowed requests, for one write a slot and no reading', async () => {
    const fleet = new Fleet(300);
    fleet.chain(fleet.start(), 'live', 1);
    await fleet.clock.advance(120_000);
    expect(fleet.sent.length).toBeGreaterThanOrEqual(2 * 300 * 0.94);
    expect(fleet.writes).toBeLessThanOrEqual(120_000 / BUDGET.slotMs + 1);
    expect(fleet.reads).toBe(1);
  });

  test('a process that asks for nothing costs nothing', async () => {
    const fleet = new Fleet(300);
    const budget = fleet.start();
    const taken = budget.take();
    await fleet.clock.advance(600_000);
    await taken;
    expect(fleet.writes).toBe(1);
  });

  test('live requests wait for a backfill that takes everything no longer than one slot, and then come first', async () => {
    const fleet = new Fleet(300);
    const backfill = fleet.start();
    fleet.chain(backfill, 'backfill', 1);
    fleet.chain(backfill, 'backfill', 1);
    await fleet.clock.advance(31_000);
    const live = fleet.start();
    fleet.chain(live, 'live', 1);
    await fleet.clock.advance(60_000);
    const first = fleet.sent.find(({ process }) => process === 1);
    expect((first?.at ?? Number.POSITIVE_INFINITY) - 31_000).toBeLessThanOrEqual(BUDGET.slotMs + 500);
    // From the first whole slot on a live chain that never rests has all of it.
    expect(fleet.countOf(1, 40_000, 90_000)).toBeGreaterThan(fleet.countOf(0, 40_000, 90_000) * 10);
  });

  test('a backfill gets what a live chain leaves, and all of it once that is over', async () => {
    const fleet = new Fleet(300);
    const over = new AbortController();
    fleet.chain(fleet.start(), 'live', 1_000, over.signal);
    fleet.chain(fleet.start(), 'backfill', 1);
    await fleet.clock.advance(60_000);
    // A request a second of the live chain's, in steps of a slot's estimate.
    expect(fleet.countOf(0, 20_000, 60_000)).toBeGreaterThanOrEqual(35);
    expect(fleet.countOf(1, 20_000, 60_000)).toBeGreaterThan(100);
    over.abort();
    await fleet.clock.advance(60_000);
    expect(fleet.countOf(1, 75_000, 120_000)).toBeGreaterThan(45 * 5 * 0.9);
  });

  test('two backfills share what there is evenly', async () => {
    const fleet = new Fleet(300);
    fleet.chain(fleet.start(), 'backfill', 1);
    fleet.chain(fleet.start(), 'backfill', 1);
    await fleet.clock.advance(120_000);
    const [one, other] = [fleet.countOf(0, 30_000, 120_000), fleet.countOf(1, 30_000, 120_000)];
    expect(Math.abs(one - other)).toBeLessThan((one + other) * 0.05);
    expect(one + other).toBeGreaterThan(90 * 5 * 0.9);
  });

  test('in one process too a live request goes before every backfill that waits', async () => {
    const fleet = new Fleet(60);
    const budget = fleet.start();
    for (let i = 0; i < 20; i++) fleet.chain(budget, 'backfill', 1);
    await fleet.clock.advance(30_000);
    const before = fleet.sent.length;
    fleet.chain(budget, 'live', 3_600_000);
    await fleet.clock.advance(3_000);
    expect(fleet.sent[before]?.priority).toBe('live');
  });

  test('R9: what the partner asks of one process holds back all of them, after two seconds at the latest', async () => {
    const fleet = new Fleet(300);
    const [one, other] = [fleet.start(), fleet.start(200)];
    fleet.chain(one, 'live', 1);
    fleet.chain(other, 'live', 1);
    await fleet.clock.advance(30_000);
    one.pause(30_000);
    await fleet.clock.advance(60_000);
    expect(fleet.countOf(0, 30_010, 60_000)).toBe(0);
    expect(fleet.countOf(1, 32_100, 59_700)).toBe(0);
    expect(fleet.countOf(0, 60_000, 70_000)).toBeGreaterThan(10);
    expect(fleet.countOf(1, 60_000, 70_000)).toBeGreaterThan(10);
  });

  test('what a process that ended gives back is there at once', async () => {
    const fleet = new Fleet(300);
    const one = fleet.start();
    const ended = new AbortController();
    fleet.chain(one, 'live', 1, ended.signal);
    await fleet.clock.advance(1_000);
    ended.abort();
    await one.close();
    fleet.chain(fleet.start(), 'live', 1);
    await fleet.clock.advance(1_000);
    expect(fleet.countOf(0, 0, 2_000)).toBeGreaterThanOrEqual(4);
    expect(fleet.countOf(1, 0, 2_000)).toBeGreaterThanOrEqual(4);
  });
});

describe('the slot, as a pure function', () => {
  const member = (id: string, live: number, backfill = 0) => ({ id, host: id, pid: 1, perMinute: 300, wants: { live, backfill } });
  const claimed = (
    document: BudgetDocument | null,
    id: string,
    nowMs: number,
    live = 0,
    backfill = 0,
    gone: readonly string[] = [],
  ): BudgetDocument =>
    claimTickets(document, NAME, { member: member(id, live, backfill), nowMs, usedMs: 0, isGone: (other) => gone.includes(other.id) });

  test('a minute has no more tickets than its limit allows, at any rate', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.double({ min: 0, max: 3_600_000, noNaN: true }), (perMinute, offset) => {
        const { paceMs, perTicket, lateMs } = latticeOf(perMinute);
        const from = BASE_MS + offset;
        const first = Math.ceil((from - lateMs - BUDGET.skewMs - BUDGET.transitMs) / paceMs);
        const last = Math.ceil((from + 60_000) / paceMs) - 1;
        expect((last - first + 1) * perTicket).toBeLessThanOrEqual(perMinute);
        expect((last - first + 1) * perTicket).toBeGreaterThanOrEqual(perMinute - 2 * perTicket - 1);
      }),
    );
  });

  test('every ticket has at most one owner, live wants come first, and a slot is given away once', () => {
    const want = fc.record({ live: fc.integer({ min: 0, max: 40 }), backfill: fc.integer({ min: 0, max: 40 }) });
    fc.assert(
      fc.property(fc.array(want, { minLength: 2, maxLength: 5 }), (wants) => {
        let document: BudgetDocument | null = null;
        for (const [i, { live, backfill }] of wants.entries()) document = claimed(document, `p${i}`, BASE_MS, live, backfill);
        const next = claimed(document, 'p0', BASE_MS + BUDGET.slotMs, wants[0]?.live, wants[0]?.backfill);
        const count = ticketTimes(latticeOf(300), next.slot).length;
        const given = wants.map((_, i) => ticketsOf(next, `p${i}`).length);
        expect(given.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(count);
        const asked = wants.reduce((sum, { live }) => sum + live, 0);
        if (asked <= count) for (const [i, { live }] of wants.entries()) expect(given[i]).toBeGreaterThanOrEqual(live);
        else for (const [i, { live }] of wants.entries()) expect(given[i]).toBeLessThanOrEqual(live);
        for (const [i, { live, backfill }] of wants.entries()) expect(given[i]).toBeLessThanOrEqual(live + backfill);
      }),
    );
  });

  test('what a dead process held ahead is free for the next one; what lies behind stays used', () => {
    const alone = claimed(null, 'dead', BASE_MS, 100);
    const half = BASE_MS + BUDGET.slotMs / 2;
    const after = claimed(alone, 'next', half, 100, 0, ['dead']);
    expect(after.members.map(({ id }) => id)).toEqual(['next']);
    expect(ticketsOf(after, 'next')).toEqual(ticketsOf(alone, 'dead').filter((time) => time > half));
  });

  test('whoever leaves gives back what was not used', () => {
    const alone = claimed(null, 'one', BASE_MS, 100);
    const [first = 0] = ticketsOf(alone, 'one');
    const left = leave(alone, 'one', first);
    expect(left.members).toEqual([]);
    expect(left.tickets.filter((owner) => owner === null).length).toBe(alone.tickets.length - 1);
  });

  test('the least of the configured rates holds, from the next slot on', () => {
    const strict = { ...member('strict', 1), perMinute: 100 };
    const joined = claimTickets(claimed(null, 'one', BASE_MS, 10), NAME, {
      member: strict,
      nowMs: BASE_MS,
      usedMs: 0,
      isGone: () => false,
    });
    expect(claimed(joined, 'one', BASE_MS + BUDGET.slotMs, 10).perMinute).toBe(100);
  });

  test('a document from a clock that is hours ahead holds nobody up', () => {
    const ahead = claimed(null, 'ahead', BASE_MS + 3_600_000, 100);
    expect(ticketsOf(claimed(ahead, 'one', BASE_MS, 10), 'one').length).toBeGreaterThan(0);
  });
});
