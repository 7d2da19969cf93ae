import { afterAll, beforeAll, expect, test } from 'vitest';
import { latenessWithin, shareLaterThan } from '../../src/manifest/lateness.ts';
import { readHead } from '../../src/manifest/state.ts';
import { HOUR, MINUTE } from '../../src/time.ts';
import { NOW, openWorld, type TestWorld } from '../system/world.ts';
import { runOnceAt } from './in-process.ts';

let world: TestWorld;

/** A tenth of the records show out of order, by up to an hour. */
beforeAll(async () => {
  world = await openWorld({
    seed: 77,
    partner: {
      faults: 'none',
      outOfOrder: { share: 0.1, bound: HOUR },
      late: { share: 0, bound: 2 * HOUR },
      payments: { recordsPerSecond: 0.05 },
    },
  });
  for (let minutes = 40; minutes >= 0; minutes -= 5) {
    for (const report of await runOnceAt(world, NOW - minutes * MINUTE)) expect(report.failures).toEqual([]);
  }
});
afterAll(() => world.close());

test('R8: lateness is measured from what is new although its time was asked before, and the polls look back further for it', async () => {
  const head = (await readHead(world.store, 'payments'))?.head;
  const measured = head?.lateness;
  if (!measured) throw new Error('nothing was measured');
  expect(measured.fresh).toBeGreaterThan(50);
  expect(shareLaterThan(measured, 0)).toBeGreaterThan(0.01);
  expect(shareLaterThan(measured, 0)).toBeLessThan(0.3);
  expect(latenessWithin(measured, 0)).toBeLessThanOrEqual(128 * MINUTE);
  const { every, overlap } = world.stream('payments').poll;
  const widest = Math.max(...(await pollLengths()));
  expect(widest, 'longer than the interval and the least overlap').toBeGreaterThan(every + overlap.least + MINUTE);
});

test('R3, R24: a sweep of a range that is known costs the load no rows: its batches are in the ledger, and are empty', async () => {
  const before = await rowsTouched();
  for (const report of await runOnceAt(world, NOW + MINUTE, true)) expect(report.failures).toEqual([]);
  for (const report of await runOnceAt(world, NOW + 2 * MINUTE, true)) expect(report.failures).toEqual([]);
  const entries = (await world.withWarehouse((warehouse) => warehouse.ledger('payments'))).filter(
    ({ windowKind }) => windowKind === 'sweep',
  );
  const last = entries.at(-1);
  expect(last, 'the second sweep').toMatchObject({ rows: 0 });
  expect(last?.distinct).toBeGreaterThan(1000);
  const after = await rowsTouched();
  expect(after.latest, 'no row was written by the second sweep').toBeLessThan(NOW + 2 * MINUTE);
  expect(after.rows).toBeGreaterThanOrEqual(before.rows);
  const proof = (await world.prove())['payments'];
  expect(proof).toMatchObject({ missing: 0, stale: 0, duplicated: 0 });
});

async function pollLengths(): Promise<number[]> {
  const ledger = await world.withWarehouse((warehouse) => warehouse.ledger('payments'));
  return ledger.flatMap(({ windowKind, windowStart, windowEnd }) =>
    windowKind === 'poll' && windowStart !== null && windowEnd !== null && windowEnd - windowStart < 3 * HOUR
      ? [windowEnd - windowStart]
      : [],
  );
}

async function rowsTouched(): Promise<{ rows: number; latest: number }> {
  const [row] = await world.withWarehouse((warehouse) =>
    warehouse.query('SELECT count(*) AS rows_in_all, epoch_us(max(_loaded_at)) AS latest FROM payments'),
  );
  return { rows: Number(row?.['rows_in_all']), latest: Number(row?.['latest']) };
}
