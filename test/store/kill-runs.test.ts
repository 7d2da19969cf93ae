import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/store/memory.ts';
import { describeOnVersitygw, startVersitygw, type Versitygw } from '../support/versitygw.ts';
import { killRun } from './kill-run.ts';
import { judgeEntries, judgeSlots } from './told-truth.ts';
import { bodyBytes, type Told } from './writer.ts';

/** `make s3-runs` makes a thousand. */
const RUNS = 30;
/** Processes take most of the time. */
const KILLED_EVERY = 5;

describeOnVersitygw('writers behind bad networks, killed at any request', () => {
  let server: Versitygw;
  beforeAll(async () => {
    server = await startVersitygw();
    await server.createBucket('runs');
  });
  afterAll(() => server.close());

  it('R12: lose no acknowledged write, and make none twice', async () => {
    const faults = new Set<string>();
    let killed = 0;
    for (let seed = 1; seed <= RUNS; seed++) {
      const outcome = await killRun(server, { seed, bucket: 'runs', processes: seed % KILLED_EVERY === 0 ? 1 : 0 });
      expect(outcome.wrong, `seed ${seed}`).toEqual([]);
      for (const fault of Object.keys(outcome.faults)) faults.add(fault);
      killed += outcome.killed;
    }
    expect([...faults].sort()).toEqual(['collided', 'cut', 'failed', 'late', 'lost', 'reset', 'slow', 'stalled', 'throttled', 'truncated']);
    expect(killed).toBeGreaterThan(RUNS / KILLED_EVERY / 2);
  });
});

describe('what writers were told is held against what stands', () => {
  const entry = (...course: (readonly [Told['did'], number?])[]): Told[] =>
    course.map(([did, seq]) => ({ did, entry: 'a', ...(seq !== undefined && { seq }) }) as Told);

  it.each([
    ['entered and there', ['a'], entry(['began'], ['entered', 1]), 0],
    ['refused, then entered', ['a'], entry(['began'], ['refused', 1], ['began'], ['entered', 1]), 0],
    ['of unknown outcome', ['a'], entry(['began'], ['lost']), 0],
    ['entered and lost', [], entry(['began'], ['entered', 1]), 1],
    ['entered at another place', ['b', 'a'], [...entry(['began'], ['entered', 1]), { did: 'began', entry: 'b' } as const], 1],
    ['refused, and there', ['a'], entry(['began'], ['refused', 1]), 1],
    ['applied twice', ['a', 'a'], entry(['began'], ['entered', 1]), 1],
    ['written by nobody', ['a'], [], 1],
  ])('an entry that is %s', (_, applied, told, wrong) => {
    expect(judgeEntries({ seq: applied.length, applied }, told)).toHaveLength(wrong);
  });

  it('a ledger whose number is not that of its entries', () => {
    expect(judgeEntries({ seq: 1, applied: [] }, [])).toHaveLength(1);
  });

  it.each([
    ['created and there', 'a*1', ['began', 'created'], 0],
    ['found taken', 'b*1', ['found'], 1],
    ['found taken by its own creator', 'a*1', ['began', 'found'], 1],
    ['created, and other bytes stand', 'b*1', ['began', 'created'], 2],
    ['created and gone', null, ['began', 'created'], 1],
    ['created twice', 'a*1', ['began', 'created', 'created'], 1],
  ] as const)('a slot that is %s', async (_, standing, dids, wrong) => {
    const store = memoryStore();
    if (standing) await store.create('slot', bodyBytes(standing));
    const told = dids.map((did) => ({ did, slot: 'slot', body: 'a*1' }) as Told);
    expect(await judgeSlots(store, told)).toHaveLength(wrong);
  });
});
