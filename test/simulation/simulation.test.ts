// oxlint-disable-next-line import/no-unassigned-import -- it changes the modules that come after it
import './local-io.ts';
import { describe, expect, test } from 'vitest';
import { NAMED_SEEDS } from './seeds.ts';
import { type Outcome, simulate } from './simulate.ts';
import { told } from './tell.ts';

/** A fixed number: the same worlds on a fast machine and on a slow one. `make soak` goes on from here. */
const SEEDS = 6;

const expectHolds = (outcome: Outcome): void => expect(outcome.violation, told(outcome)).toBeNull();

describe('R11, R12, R13, R18, R20, R24, R26: a simulated world in which everything goes wrong leaves the table exact', () => {
  test.for(Array.from({ length: SEEDS }, (_, index) => index + 1))('seed %i', async (seed) => {
    expectHolds(await simulate(seed));
  });
});

describe('what once went wrong in a simulated world does not come back', () => {
  test.for(NAMED_SEEDS.filter(({ seed }, at) => seed > SEEDS && NAMED_SEEDS.findIndex((other) => other.seed === seed) === at))(
    'seed $seed: $was',
    async ({ seed }) => {
      expectHolds(await simulate(seed));
    },
  );
});

describe('the simulation', () => {
  test('does the same steps under the same seed, to the last one', async () => {
    const [first, second] = [await simulate(7, { whole: true }), await simulate(7, { whole: true })];
    expect(second.trace).toEqual(first.trace);
    expect(second.hash).toBe(first.hash);
    expect((await simulate(5)).hash).not.toBe(first.hash);
  });
});
