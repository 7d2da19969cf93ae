import { expect, test } from 'vitest';
import { snowflakeBench } from './bench.ts';
import { LOADS_IN_WORLD, runWorld } from './worlds.ts';

const bench = snowflakeBench();

/** `make snowflake-runs RUNS=500` has so many loads; START names the first seed. */
const LOADS = Number(process.env['RUNS'] ?? 12);
const FIRST = Number(process.env['START'] ?? 1);

test(`R12: ${LOADS} loads by two loaders at once, with faults at every step, end in the table, the ledger and the audit of the truth`, async () => {
  const met = new Map<string, Set<string>>();
  for (let seed = FIRST; seed < FIRST + LOADS / LOADS_IN_WORLD; seed++) {
    const faults = await runWorld(bench, seed).catch((error: unknown) => {
      throw new Error(`world ${seed}`, { cause: error });
    });
    for (const [step, kind] of faults) met.set(step, (met.get(step) ?? new Set()).add(kind));
  }
  expect(met.size).toBeGreaterThan(3);
  if (LOADS < 500) return;
  for (const step of [
    'BEGIN',
    'COMMIT',
    'COPY TIDEMARK_STAGE',
    'UPDATE FENCE',
    'MERGE ROWS',
    'INSERT TIDEMARK_LEDGER',
    'INSERT TIDEMARK_AUDIT',
  ])
    expect([step, met.has(step)]).toEqual([step, true]);
});
