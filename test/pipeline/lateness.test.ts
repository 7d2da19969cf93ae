import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Micros } from '../../src/clock.ts';
import type { Proof } from '../../src/demo/proof.ts';
import { DAY, HOUR } from '../../src/time.ts';
import { NOW, openWorld, type TestWorld } from '../system/world.ts';
import { runOnceAt } from './in-process.ts';

/** A day of records, of which many show late: up to two hours, and up to two days. */
const START = NOW - DAY;
const LATE = {
  start: START,
  end: NOW,
  faults: 'none',
  payments: { recordsPerSecond: 0.008 },
  settlements: { recordsPerSecond: 0.003 },
  outOfOrder: { share: 0.2, bound: 2 * HOUR },
  late: { share: 0.2, bound: 48 * HOUR },
} as const;

/** Polls at whatever times, and then one at each day's end: the daily sweep needs nobody to ask for it. */
const DAYS_AFTER: readonly Micros[] = [NOW + DAY, NOW + 2 * DAY];

async function errorsAt(world: TestWorld, now: Micros): Promise<number> {
  world.partner.setNow(now);
  return Object.values(await world.prove()).reduce((sum, proof) => sum + proof.missing + proof.stale, 0);
}

const wrong = ({ missing, stale, duplicated, altered, foreign }: Proof): object => ({ missing, stale, duplicated, altered, foreign });
const NOTHING = { missing: 0, stale: 0, duplicated: 0, altered: 0, foreign: 0 };

describe('R8: records that show out of order by two hours, and late by two days', () => {
  test('are all in the table, in their last version, after the daily sweeps, whenever the polls were made', async () => {
    const hours = fc.uniqueArray(fc.integer({ min: 1, max: 23 }), { minLength: 1, maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 }), hours, async (seed, polls) => {
        const world = await openWorld({ seed, partner: LATE });
        try {
          const times = [...polls.toSorted((a, b) => a - b).map((hour) => START + hour * HOUR), NOW, ...DAYS_AFTER];
          for (const now of times) {
            if (now === DAYS_AFTER.at(-1)) expect(await errorsAt(world, now), 'what only the last sweep can bring').toBeGreaterThan(0);
            for (const report of await runOnceAt(world, now)) expect(report.failures).toEqual([]);
          }
          for (const [stream, proof] of Object.entries(await world.prove())) expect(wrong(proof), stream).toEqual(NOTHING);
        } finally {
          await world.close();
        }
      }),
      { numRuns: 2, endOnFailure: true },
    );
  });

  test('come in the order of their version, not of their arrival: an older version after a newer one changes nothing', async () => {
    const world = await openWorld({ seed: 5, partner: LATE });
    try {
      for (const hour of [6, 12, 18, 24]) {
        await runOnceAt(world, START + hour * HOUR, true);
        const proofs = Object.values(await world.prove());
        expect(proofs.map(({ stale, altered, duplicated }) => ({ stale, altered, duplicated }))).toEqual(
          proofs.map(() => ({ stale: 0, altered: 0, duplicated: 0 })),
        );
      }
    } finally {
      await world.close();
    }
  });
});
