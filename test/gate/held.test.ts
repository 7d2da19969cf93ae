import { beforeEach, describe, expect, test } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
import { decideHeld, hold, listHeld, showHeld } from '../../src/gate/held.ts';
import type { Decision, HeldBatch } from '../../src/manifest/documents.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';

const held = (batch: string, at: number): HeldBatch => ({
  format: 1,
  stream: 'settlements',
  batch,
  window: null,
  reason: '10 rows in 1h, where 50 to 200 pass',
  rows: 10,
  average: 100,
  band: [0.5, 2],
  at,
});
const decision = (kind: Decision['decision'], by = 'ana'): Decision => ({ format: 1, decision: kind, by, reason: null, at: 5_000 });

let store: ObjectStore;
beforeEach(() => {
  store = memoryStore();
});

describe('held batches', () => {
  test('R23, R24: a held batch is open until somebody releases or discards it', async () => {
    for (const [batch, at] of [
      ['aa01', 30],
      ['bb02', 10],
      ['cc03', 20],
    ] as const)
      await hold(store, held(batch, at));
    await decideHeld(store, 'settlements', 'aa01', decision('release'));
    await decideHeld(store, 'settlements', 'cc03', decision('discard'));
    expect((await listHeld(store, 'settlements')).map((entry) => [entry.held.batch, entry.state])).toEqual([
      ['bb02', 'open'],
      ['cc03', 'discarded'],
      ['aa01', 'released'],
    ]);
    expect(await showHeld(store, 'settlements', 'aa01')).toEqual({
      held: held('aa01', 30),
      state: 'released',
      decision: decision('release'),
    });
  });

  test('holding a batch again keeps the first record', async () => {
    await hold(store, held('aa01', 30));
    await hold(store, { ...held('aa01', 99), reason: 'another run' });
    expect((await listHeld(store, 'settlements')).map((entry) => entry.held)).toEqual([held('aa01', 30)]);
  });

  test('a decision stands: the same again is no error, another says what stands', async () => {
    await hold(store, held('aa01', 30));
    await decideHeld(store, 'settlements', 'aa01', decision('discard'));
    expect(await decideHeld(store, 'settlements', 'aa01', decision('discard', 'ben'))).toEqual(decision('discard'));
    const error = await decideHeld(store, 'settlements', 'aa01', decision('release', 'ben')).catch((thrown: unknown) => thrown);
    expect(isTidemarkError(error, 'CONFLICT')).toBe(true);
    expect(String(error)).toContain('batch aa01 of settlements was discarded by ana');
  });

  test('a batch that is not held cannot be decided on', async () => {
    for (const batch of ['aa01', '../aa01']) {
      const error = await decideHeld(store, 'settlements', batch, decision('release')).catch((thrown: unknown) => thrown);
      expect(isTidemarkError(error, 'NOT_FOUND')).toBe(true);
    }
    expect(await showHeld(store, 'settlements', 'aa01')).toBeNull();
    expect(await listHeld(store, 'settlements')).toEqual([]);
  });
});
