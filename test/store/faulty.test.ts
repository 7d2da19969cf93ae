import { describe, expect, it } from 'vitest';
import { type Faults, faultyStore, seededRandom } from '../../src/store/faulty.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { contract, keysOf, textAt } from './contract.ts';

contract('the faulty store without faults', async () => ({ store: faultyStore(memoryStore(), { seed: 1 }), close: async () => undefined }));

const body = Buffer.from('body');

/** What each of 200 creates is told: `created`, or the fault's message. */
async function tellings(faults: Faults): Promise<string[]> {
  const store = faultyStore(memoryStore(), faults);
  const told: string[] = [];
  for (let i = 0; i < 200; i++) {
    told.push(
      await store.create(`key-${i}`, body).then(
        ({ outcome }) => outcome,
        (error: Error) => error.message,
      ),
    );
  }
  return told;
}

describe('the faulty store', () => {
  it('meets the same faults under the same seed, and others under another', async () => {
    const faults = { failures: 0.2, lostAnswers: 0.2 };
    const told = await tellings({ seed: 5, ...faults });
    expect(await tellings({ seed: 5, ...faults })).toEqual(told);
    expect(await tellings({ seed: 6, ...faults })).not.toEqual(told);
    expect(new Set(told).size).toBe(3);
  });

  it('does nothing where it fails, and everything where the answer is lost', async () => {
    const failing = memoryStore();
    const failure = { code: 'STORE', transient: true };
    await expect(faultyStore(failing, { seed: 1, failures: 1 }).create('a', body)).rejects.toMatchObject(failure);
    expect(await failing.get('a')).toBeNull();
    const losing = memoryStore();
    await expect(faultyStore(losing, { seed: 1, lostAnswers: 1 }).create('a', body)).rejects.toMatchObject(failure);
    expect(await textAt(losing, 'a')).toBe('body');
  });

  it.each([
    { moment: 'before' as const, kept: ['1'] },
    { moment: 'after' as const, kept: ['1', '2'] },
  ])('dies $moment the store hears of the chosen call, and does nothing more', async ({ moment, kept }) => {
    const inner = memoryStore();
    let deaths = 0;
    const store = faultyStore(inner, { seed: 1, death: { call: 2, moment }, die: () => void (deaths += 1) });
    await store.create('1', body);
    for (const key of ['2', '3']) await expect(store.create(key, body)).rejects.toMatchObject({ code: 'STORE', transient: false });
    await expect(keysOf(store.list(''))).rejects.toMatchObject({ code: 'STORE' });
    expect(await keysOf(inner.list(''))).toEqual(kept);
    expect(deaths).toBe(1);
    expect(store.dead()).toBe(true);
    expect(store.calls()).toBe(2);
  });

  it('draws numbers that spread evenly over [0, 1)', () => {
    const random = seededRandom(42);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) {
      const tenth = Math.floor(random() * 10);
      counts[tenth] = (counts[tenth] ?? 0) + 1;
    }
    for (const count of counts) expect(count).toBeGreaterThan(850);
  });
});
