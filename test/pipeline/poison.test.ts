import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listDeadLetters } from '../../src/fetch/dead-letter.ts';
import { formatInstant, HOUR } from '../../src/time.ts';
import { type Ended, said } from '../support/tidemark.ts';
import { NOW, openWorld, type TestWorld } from '../system/world.ts';

const ONLY = ['--stream', 'payments'] as const;
const AT = NOW - 20 * HOUR;
const HEALED = NOW + HOUR;

/** A record that no page can hold, until it heals, and so many others that the run must not stop for it. */
const open = (seed: number, healsAt: number): Promise<TestWorld> =>
  openWorld({
    seed,
    attempts: 2,
    partner: {
      faults: 'none',
      poison: [{ stream: 'payments', at: AT, largestPage: 0, healsAt }],
      payments: { recordsPerSecond: 0.01 },
      // Nothing is so late that only the daily sweep would bring it.
      late: { share: 0 },
    },
  });

const payments = async (world: TestWorld): Promise<{ missing: number; keys: number }> => {
  const { missing = -1, keys = 0, ...proof } = (await world.prove())['payments'] ?? {};
  expect(proof).toMatchObject({ duplicated: 0, altered: 0, foreign: 0 });
  return { missing, keys };
};

describe('R18, R21: a page that fails at every size', () => {
  let world: TestWorld;
  let first: Ended;

  beforeAll(async () => {
    world = await open(61, HEALED);
    first = await world.run(NOW, ['run', '--once', ...ONLY]);
  });
  afterAll(() => world.close());

  test('goes to dead letter, the run goes on around it, and says with exit 5 that it is incomplete', async () => {
    expect(first.code, said(first)).toBe(5);
    expect(first.stdout).toMatch(/payments: [12] in dead letter; see \S*tidemark dead-letter list .*--stream payments/);
    const { missing, keys } = await payments(world);
    expect(keys).toBeGreaterThan(500);
    expect(missing, 'only what lies in the gap is missing').toBeLessThan(10);
  });

  test('R14: was asked a bounded number of times', () => {
    expect(world.partner.stats().faults.poison).toBeLessThan(60);
  });

  test('is recorded with its gap, and every key that is missing lies in it', async () => {
    // A chunk's chain runs on over the beginning of the next one: both may meet the record.
    const gaps = (await listDeadLetters(world.store, 'payments', 'open')).map(({ letter }) => letter.gap ?? { from: 0, to: 0 });
    expect(gaps.length).toBeOneOf([1, 2]);
    for (const gap of gaps) {
      expect(gap.from).toBeLessThanOrEqual(AT + HOUR);
      expect(gap.to - gap.from).toBeLessThan(2 * HOUR);
    }
    const listed = await world.run(NOW, ['dead-letter', 'list']);
    expect(listed.stdout).toMatch(/payments\s+open\s+2026-11-19T\S+ to 2026-11-19T\S+\s+status 500/);
    const watermark = await world.withWarehouse((warehouse) => warehouse.watermark('payments'));
    expect(watermark, 'the warehouse claims nothing past the gap').toBeLessThanOrEqual(Math.min(...gaps.map(({ from }) => from)));
  });

  test('asked again while the partner still fails, stays open, and nothing changes', async () => {
    const [entry] = await listDeadLetters(world.store, 'payments', 'open');
    const retried = await world.run(NOW, ['dead-letter', 'retry', entry?.letter.id ?? '', ...ONLY]);
    expect(retried.code, said(retried)).toBe(5);
    expect((await listDeadLetters(world.store, 'payments', 'open')).map(({ letter }) => letter.id)).toContain(entry?.letter.id);
  });

  test('asked again once it has healed, is resolved, and the table is exact', async () => {
    for (const { letter } of await listDeadLetters(world.store, 'payments', 'open')) {
      const retried = await world.run(HEALED, ['dead-letter', 'retry', letter.id, ...ONLY]);
      expect([0, 5], said(retried)).toContain(retried.code);
    }
    const next = await world.run(HEALED, ['run', '--once', ...ONLY]);
    expect(next.code, said(next)).toBe(0);
    expect(await listDeadLetters(world.store, 'payments', 'open')).toEqual([]);
    expect((await payments(world)).missing).toBe(0);
    expect(await world.withWarehouse((warehouse) => warehouse.watermark('payments'))).toBeGreaterThanOrEqual(HEALED);
  });
});

describe('R18: a gap that nobody retried', () => {
  test('is closed by the sweep that goes over it', async () => {
    const world = await open(62, HEALED);
    try {
      expect((await world.run(NOW, ['run', '--once', ...ONLY])).code).toBe(5);
      const swept = await world.run(HEALED, ['run', '--once', '--sweep', ...ONLY]);
      expect(swept.code, said(swept)).toBe(0);
      expect((await payments(world)).missing).toBe(0);
    } finally {
      await world.close();
    }
  });
});

describe('R4, R18: a gap that a backfill goes over', () => {
  test('is closed, and the watermark that waited there goes on with the next poll', async () => {
    const world = await open(63, HEALED);
    try {
      expect((await world.run(NOW, ['run', '--once', ...ONLY])).code).toBe(5);
      const range = ['--from', formatInstant(AT - 3 * HOUR), '--to', formatInstant(AT + 3 * HOUR)];
      const pulled = await world.run(HEALED, ['backfill', ...ONLY, ...range]);
      expect(pulled.code, said(pulled)).toBe(0);
      const polled = await world.run(HEALED, ['run', '--once', ...ONLY]);
      expect(polled.notes).not.toContain('waits for a replay');
      expect((await payments(world)).missing).toBe(0);
      expect(await world.withWarehouse((warehouse) => warehouse.watermark('payments'))).toBeGreaterThanOrEqual(HEALED);
    } finally {
      await world.close();
    }
  });
});
