import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { said } from '../support/tidemark.ts';
import { dyingAt } from './dying.ts';
import { expectSameTable, killBy } from './killing.ts';
import { beforeLastRun, LAST_RUN, runUndisturbed, type Undisturbed } from './undisturbed.ts';
import { NOW, openWorld, type TestWorld } from './world.ts';

const SEEDS = [11, 12] as const;
const worlds = new Map<number, Undisturbed>();

beforeAll(async () => {
  for (const world of await Promise.all(SEEDS.map((seed) => runUndisturbed(seed)))) worlds.set(world.seed, world);
});

afterAll(async () => {
  for (const { template } of worlds.values()) await rm(template, { recursive: true, force: true });
});

const undisturbed = (seed: number): Undisturbed => worlds.get(seed) as Undisturbed;

/** What has just happened, and how to know: by names of objects and by statements (processes/die-at.ts). */
const EARLY = [
  ['a window begun and nothing landed', 'before 1 page-000001\\.json\\.zst'],
  ['a page landed and its receipt not', 'after 2 page-\\d+\\.json\\.zst'],
  ['a receipt written and the cursor not moved', 'after 2 receipt\\.json'],
  ['all pages landed and no manifest', 'before 1 manifest\\.json'],
  ['a manifest written and the head not told', 'after 2 manifest\\.json'],
  ['the schema about to grow', 'before 1 schema\\.json'],
  ['the schema grown and nothing written by it', 'after 1 schema\\.json'],
  ['Parquet uploaded and no batch.json', 'after 1 part-.*\\.parquet'],
] as const;
const LATE = [
  ['refused records in quarantine and no batch.json', 'after 1 records\\.ndjson\\.zst'],
  ['batch.json about to be written', 'before 1 batch\\.json'],
  ['batch.json written and the head not told', 'after 1 batch\\.json'],
  ['the fence taken and the load not begun', 'after 1 SET token = token \\+ 1'],
  ['new columns committed and still in the log alone', 'after 1 ALTER TABLE >> ^COMMIT'],
  ['older rows removed and newer ones not there yet', 'after 1 DELETE FROM main'],
  ['the ledger written and not committed', 'after 1 INSERT INTO tidemark\\.ledger'],
  ['COMMIT done and its answer lost', 'after 3 ^COMMIT'],
] as const;
const PAIRS = EARLY.map(([first, moment], index) => {
  const [second = '', later = ''] = LATE[index] ?? [];
  return { first, second, moments: [moment, later], seed: SEEDS[index % SEEDS.length] ?? SEEDS[0] };
});

/** Runs that are killed from outside, each so often, before they may end. `make soak` kills many more. */
const CHAINS = 2;
const ROUNDS = [1, 0.7, 0.4] as const;
let killed = 0;

describe('R11, R12, R20: a process that is killed leaves nothing that a rerun does not put right', () => {
  test.concurrent.for(PAIRS)('killed with $first, then with $second', async ({ moments, seed }) => {
    const world = await beforeLastRun(undisturbed(seed));
    try {
      for (const moment of moments) {
        const ended = await world.run(NOW, LAST_RUN, dyingAt(moment));
        expect(ended.signal, `seed ${seed}, DIE_AT="${moment}"\n${said(ended)}`).toBe('SIGKILL');
      }
      await expectSameTable(world, undisturbed(seed), `seed ${seed}, killed at ${moments.join(', then ')}`);
    } finally {
      await world.close();
    }
  });

  test.concurrent.for(Array.from({ length: CHAINS }, (_, chain) => ({ chain, seed: SEEDS[chain % SEEDS.length] ?? SEEDS[0] })))(
    'killed from outside three times, wherever it is: chain $chain',
    async ({ chain, seed }) => {
      const world = await beforeLastRun(undisturbed(seed));
      try {
        const total = undisturbed(seed).signs;
        const moments = ROUNDS.map((share, round) => place(seed, chain, round, total * share));
        for (const moment of moments) if (await killBy(world, moment)) killed += 1;
        await expectSameTable(world, undisturbed(seed), `seed ${seed}, chain ${chain}: killed at signs ${moments.join(', ')} of ${total}`);
      } finally {
        await world.close();
      }
    },
  );

  test.concurrent('R20: a run that was killed goes on at the page after the last one that landed: no page is asked for twice', async () => {
    const world = await openWorld({ seed: 13, pageSize: 60, partner: { faults: 'none', payments: { recordsPerSecond: 0.01 } } });
    try {
      const killed = await world.run(NOW, ['run', '--once', '--stream', 'payments'], dyingAt('after 5 receipt\\.json'));
      expect(killed.signal, said(killed)).toBe('SIGKILL');
      const landed = await pagesIn(world);
      const asked = world.partner.stats().requests.payments.list;
      const rest = await world.run(NOW, ['fetch', '--stream', 'payments', '--json']);
      expect(rest.code, said(rest)).toBe(0);
      const windows = await pagesIn(world);
      expect(landed).toBe(5);
      expect(windows).toBeGreaterThan(20);
      expect(world.partner.stats().requests.payments.list - asked).toBe(windows - landed);
    } finally {
      await world.close();
    }
  });

  test('the kills from outside met running processes', () => {
    expect(killed).toBeGreaterThanOrEqual(2 * CHAINS);
  });
});

async function pagesIn(world: TestWorld): Promise<number> {
  let count = 0;
  for await (const { key } of world.store.list('raw/')) if (key.endsWith('.json.zst')) count += 1;
  return count;
}

/** Somewhere in the chain's own part of the run; the parts together cover all of it. */
function place(seed: number, chain: number, round: number, total: number): number {
  const within = ((seed * 40_503 + chain * 977 + round * 613) % 1000) / 1000;
  const part = (chain + round) % CHAINS;
  return Math.max(1, Math.round(((part + within) / CHAINS) * total));
}
