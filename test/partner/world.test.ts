import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Micros } from '../../src/clock.ts';
import type { PartnerSettings } from '../../src/partner/options.ts';
import { worldOptions } from '../../src/partner/options.ts';
import type { RecordSource } from '../../src/partner/record-source.ts';
import type { Entry } from '../../src/partner/timeline.ts';
import { truth } from '../../src/partner/truth.ts';
import { createWorld, type World } from '../../src/partner/world.ts';
import { DAY, HOUR } from '../../src/time.ts';

function worldOf(settings: PartnerSettings = {}): World {
  return createWorld(worldOptions({ payments: { recordsPerSecond: 0.1 }, settlements: { recordsPerSecond: 0.1 }, ...settings }));
}

function* entriesOf(source: RecordSource): Generator<Entry> {
  for (let bucket = 0; bucket < source.timeline.buckets; bucket += 1) yield* source.timeline.entriesAt(bucket);
}

type Payment = {
  event_id: string;
  environment: string;
  transaction_id: string;
  event_type: string;
  event_version: number;
  updated_at: string;
  created_at: string;
  payload: Record<string, unknown> & { merchant: { mcc: unknown } };
};

function payments(world: World): { entry: Entry; text: string; record: Payment }[] {
  return [...entriesOf(world.payments)].map((entry) => {
    const text = world.payments.textOf(entry);
    return { entry, text, record: JSON.parse(text) as Payment };
  });
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  return Object.values(Object.groupBy(items, keyOf)).filter((group) => group !== undefined);
}

describe('a world', () => {
  it('is the same to the byte for the same options, and another for another seed', () => {
    const texts = (seed: number): string[] => payments(worldOf({ seed })).map(({ text }) => text);
    expect(texts(3).join('\n') === texts(3).join('\n')).toBe(true);
    expect(new Set(texts(3)).intersection(new Set(texts(4))).size).toBe(0);
  });

  it('has about as many records as its rate says, at small and large volumes, and none at or after its end', () => {
    for (const [recordsPerSecond, hours] of [
      [0.02, 24 * 60],
      [2000, 0.02],
    ] as const) {
      const start = worldOptions().start;
      const end = start + hours * HOUR;
      // Late updates of events before the start are missing, so a short world has somewhat fewer.
      const world = worldOf({ end, payments: { recordsPerSecond }, settlements: { recordsPerSecond: 0 } });
      const entries = [...entriesOf(world.payments)];
      const expected = recordsPerSecond * hours * 3600;
      expect(entries.length).toBeGreaterThan(expected * 0.6);
      expect(entries.length).toBeLessThan(expected * 1.1);
      expect(entries.every((entry) => entry.updatedAt >= start && entry.updatedAt < end)).toBe(true);
    }
  });

  it('follows its surges', () => {
    const { start } = worldOptions();
    const surges = [
      { from: start + DAY, to: start + 2 * DAY, factor: 0 },
      { from: start + 2 * DAY, to: start + 3 * DAY, factor: 4 },
    ];
    const created = [...entriesOf(worldOf({ settlements: { recordsPerSecond: 0.1, surges } }).settlements)].filter(
      (entry) => entry.slot === 0,
    );
    const onDay = (day: number): number => created.filter((entry) => Math.floor((entry.updatedAt - start) / DAY) === day).length;
    expect(onDay(1)).toBe(0);
    expect(onDay(2)).toBeGreaterThan(onDay(0) * 3.5);
  });

  it('lists the records of a bucket in the order of updated_at and key, and finds the same records by their event', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom('payments', 'settlements'), (seed, stream) => {
        const source = worldOf({
          seed,
          end: worldOptions().start + 2 * HOUR,
          payments: { recordsPerSecond: 1 },
          settlements: { recordsPerSecond: 1 },
          conflictShare: 0.1,
        })[stream];
        const listed = [...entriesOf(source)];
        const order = listed.map(
          (entry) => `${String(entry.updatedAt).padStart(17)} ${source.keyOf(entry).at(-1)} ${source.keyOf(entry)[0]}`,
        );
        expect(order).toEqual(order.toSorted());
        const places = Map.groupBy(listed, (entry) => `${entry.bucket} ${entry.index}`);
        const byEvent = [...places.values()].flatMap(([first]) => (first ? source.timeline.entriesOf(first.bucket, first.index) : []));
        const texts = (entries: Entry[]): string[] => entries.map((entry) => source.textOf(entry)).sort();
        expect(texts(byEvent)).toEqual(texts(listed));
      }),
      { numRuns: 8 },
    );
  });

  it('never holds two contents of one version, unless conflicts are asked for', () => {
    const versions = (conflictShare: number): number[] => {
      const world = worldOf({ conflictShare });
      return (['payments', 'settlements'] as const).map((stream) => {
        const all = [...entriesOf(world[stream])];
        return all.length - new Set(all.map((entry) => [...world[stream].keyOf(entry), ...world[stream].versionOf(entry)].join())).size;
      });
    };
    expect(versions(0)).toEqual([0, 0]);
    expect(Math.min(...versions(0.05))).toBeGreaterThan(100);
  });

  it('is generated at volume without being held in memory', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const world = worldOf({ payments: { recordsPerSecond: 3472 } });
    const used: number[] = [];
    let seen = 0;
    let bytes = 0;
    for (const entry of entriesOf(world.payments)) {
      bytes += world.payments.textOf(entry).length;
      seen += 1;
      if (seen === 20_000 || seen === 200_000) {
        collect();
        used.push(process.memoryUsage().heapUsed);
      }
      if (seen === 200_000) break;
    }
    expect(bytes).toBeGreaterThan(200_000 * 650);
    expect((used[1] ?? Infinity) - (used[0] ?? 0)).toBeLessThan(4_000_000);
  });

  it('refuses a volume that its ids cannot name', () => {
    expect(() => worldOf({ payments: { recordsPerSecond: 20_000_000 } })).toThrow(/more events than its ids can name/);
  });
});

describe('payments', () => {
  const all = payments(worldOf());

  it('R6: reuses event ids between prod and sandbox for different events', () => {
    const ids = grouped(all, ({ record }) => record.event_id);
    const shared = ids.filter((group) => new Set(group.map(({ record }) => record.environment)).size === 2);
    expect(shared.length / ids.length).toBeGreaterThan(0.04);
    const customers = (environment: string): unknown =>
      shared[0]?.find(({ record }) => record.environment === environment)?.record.payload['customer'];
    expect(customers('prod')).not.toEqual(customers('sandbox'));
    expect(ids.some((group) => group.every(({ record }) => record.environment === 'sandbox'))).toBe(true);
  });

  it('R7: event_version rises per transaction and event type, skips numbers, and orders copies of one updated_at', () => {
    const perType = grouped(all, ({ record }) => `${record.transaction_id} ${record.event_type}`);
    let skips = 0;
    let sameTime = 0;
    for (const group of perType) {
      expect(new Set(group.map(({ record }) => record.event_id)).size).toBe(1);
      const versions = group.map(({ record }) => record.event_version);
      expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
      if (versions.some((version, i) => i > 0 && version - (versions[i - 1] ?? 0) > 1)) skips += 1;
      if (new Set(group.map(({ record }) => record.updated_at)).size < group.length) sameTime += 1;
    }
    expect(skips).toBeGreaterThan(1000);
    expect(sameTime).toBeGreaterThan(50);
  });

  it('groups events into transactions that begin with an authorization', () => {
    const transactions = grouped(all, ({ record }) => record.transaction_id).map(
      (group) => new Set(group.map(({ record }) => record.event_type)),
    );
    const several = transactions.filter((types) => types.size > 1);
    expect(several.length).toBeGreaterThan(1000);
    expect(several.filter((types) => types.has('AUTHORIZED')).length / several.length).toBeGreaterThan(0.9);
    expect(new Set(several.flatMap((types) => [...types]))).toEqual(new Set(['AUTHORIZED', 'CAPTURED', 'SETTLED', 'REFUNDED']));
  });

  it('R10: gain fields over time, and one changes its type', () => {
    const { start, end } = worldOptions();
    const quarter = (entry: Entry): number => Math.floor(((entry.updatedAt - start) / (end - start)) * 4);
    for (const { entry, record } of all) {
      expect('risk' in record.payload).toBe(quarter(entry) >= 2);
      expect(typeof record.payload.merchant.mcc).toBe(quarter(entry) >= 3 ? 'string' : 'number');
    }
  });

  it('hold numbers beyond a double, text beyond Latin-1, and about 740 bytes in about thirty leaves', () => {
    expect(all.some(({ text }) => /"trace":90071992547409\d{3}\b/.test(text))).toBe(true);
    expect(all.some(({ text }) => /"amount":\d{18}\.\d\d\b/.test(text))).toBe(true);
    expect(all.some(({ text }) => /"exchange_rate":0\.\d{20}\b/.test(text))).toBe(true);
    expect(all.some(({ text }) => text.includes('東京'))).toBe(true);
    const mean = all.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0) / all.length;
    expect(Math.abs(mean - 760)).toBeLessThan(40);
    const leaves = (value: unknown): number =>
      value !== null && typeof value === 'object' ? Object.values(value).reduce((sum: number, each) => sum + leaves(each), 0) : 1;
    expect(leaves(all[0]?.record)).toBeGreaterThanOrEqual(29);
  });

  it('R8: become visible out of order by up to 2 hours and late by up to 48, some older than what was visible before', () => {
    const delays = all.map(({ entry }) => entry.visibleAt - entry.updatedAt).filter((delay) => delay > 0);
    const late = delays.filter((delay) => delay > 2 * HOUR);
    expect(delays.length / all.length).toBeGreaterThan(0.025);
    expect(delays.length / all.length).toBeLessThan(0.05);
    expect(late.length).toBeGreaterThan(50);
    expect(Math.max(...delays)).toBeLessThanOrEqual(48 * HOUR);
    const overtaken = grouped(all, ({ record }) => `${record.environment} ${record.event_id}`).filter((group) =>
      group.some(({ entry }, i) => group.slice(i + 1).some((later) => later.entry.visibleAt < entry.visibleAt)),
    );
    expect(overtaken.length).toBeGreaterThan(50);
  });
});

describe('settlements', () => {
  it('R22: have one updated_at for each version of a vendor_txn_id', () => {
    const source = worldOf().settlements;
    const versions = [...entriesOf(source)].map((entry) => `${source.keyOf(entry)[0]} ${source.versionOf(entry)[0]}`);
    expect(new Set(versions).size).toBe(versions.length);
  });

  it('R23: hold bad records of each kind, bad in each of their versions, and the rest pass the rules', () => {
    const source = worldOf({ badShare: 0.05 }).settlements;
    const reasons = new Map<string, string | null>();
    for (const entry of entriesOf(source)) {
      const { amount, currency } = JSON.parse(source.textOf(entry)) as { amount?: unknown; currency: string };
      const good = typeof amount === 'number' && amount >= 0 && ['USD', 'CAD', 'MXN'].includes(currency);
      const reason = source.refusalOf(entry);
      const key = source.keyOf(entry).join();
      expect(good).toBe(reason === null);
      if (reasons.has(key)) expect(reasons.get(key)).toBe(reason);
      reasons.set(key, reason);
    }
    expect(new Set(reasons.values()).size).toBe(5);
  });
});

describe('the truth', () => {
  /** The law by brute force: every visible record in a Map, the greatest version stays. */
  function bruteForce(source: RecordSource, now: Micros, since: Micros): Map<string, string> {
    const winners = new Map<string, { order: [number, number]; text: string }>();
    for (const entry of entriesOf(source)) {
      if (entry.visibleAt > now || entry.updatedAt < since || source.refusalOf(entry) !== null) continue;
      const [, number = 0] = source.versionOf(entry);
      const key = source.keyOf(entry).join();
      const known = winners.get(key)?.order ?? [0, 0];
      if (entry.updatedAt > known[0] || (entry.updatedAt === known[0] && number > known[1]))
        winners.set(key, { order: [entry.updatedAt, number], text: source.textOf(entry) });
    }
    return new Map([...winners].map(([key, { text }]) => [key, text]));
  }

  it('is the greatest visible version of every key, at any time and from any time on', () => {
    const { start, end } = worldOptions();
    const span = end - start;
    fc.assert(
      fc.property(
        fc.integer(),
        fc.double({ min: 0, max: 1.6, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom('payments', 'settlements'),
        (seed, until, from, stream) => {
          const source = worldOf({ seed, payments: { recordsPerSecond: 0.01 }, settlements: { recordsPerSecond: 0.01 }, badShare: 0.1 })[
            stream
          ];
          const question = { now: start + Math.floor(span * until), since: start + Math.floor(span * from) };
          const answer = truth(source, question);
          const items = [...answer];
          expect(new Map(items.map((item) => [item.key.join(), item.body]))).toEqual(bruteForce(source, question.now, question.since));
          expect(answer.totals.keys).toBe(items.length);
          const visible = [...entriesOf(source)].filter((entry) => entry.visibleAt <= question.now && entry.updatedAt >= question.since);
          expect(answer.totals.observations + answer.totals.refusedObservations).toBe(visible.length);
        },
      ),
      { numRuns: 15 },
    );
  });

  it('names refused keys when asked, and counts them either way', () => {
    const { end } = worldOptions();
    const source = worldOf({ badShare: 0.1 }).settlements;
    const without = truth(source, { now: end });
    const withRefused = truth(source, { now: end, refused: 'include' });
    const accepted = [...without].length;
    const refused = [...withRefused].filter((item) => item.refused !== null);
    expect(refused.length).toBe(without.totals.refusedKeys);
    expect(withRefused.totals).toEqual(without.totals);
    expect(accepted).toBe(without.totals.keys);
  });

  it('gives every content of a version in conflict', () => {
    const source = worldOf({ conflictShare: 0.2 }).payments;
    const contested = [...truth(source, { now: worldOptions().end + 2 * DAY })].filter((item) => item.rivals.length > 0);
    expect(contested.length).toBeGreaterThan(1000);
    expect(contested.every((item) => item.rivals.length === 1 && item.rivals[0] !== item.body)).toBe(true);
  });
});
