import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
import type { Head, Window } from '../../src/manifest/documents.ts';
import { abandonWindow, beginWindow, type Transition, takeOver } from '../../src/manifest/head.ts';
import { readHead, type UpdateEffects, updateHead } from '../../src/manifest/state.ts';
import { faultyStore } from '../../src/store/faulty.ts';
import { headKey } from '../../src/store/keys.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { impatientClock } from '../store/clocks.ts';

const effects: UpdateEffects = { clock: impatientClock, randomId: randomUUID };
const backfill = (actor: number, i: number): Window => ({ start: actor * 1000 + i, end: actor * 1000 + i + 1, kind: 'backfill' });
const holder = (id: string): { id: string; host: string; pid: number; beat: number } => ({ id, host: 'h', pid: 1, beat: 0 });
const starts = (head: Head | undefined): number[] => (head?.open ?? []).map((window) => window.start).sort((a, b) => a - b);

/** Every call waits until the scheduler lets it happen, and its answer until the scheduler lets it arrive. */
function interleaved(inner: ObjectStore, scheduler: fc.Scheduler): ObjectStore {
  const turn = async <T>(work: () => Promise<T>): Promise<T> => {
    await scheduler.schedule(Promise.resolve());
    const answer = await work();
    await scheduler.schedule(Promise.resolve());
    return answer;
  };
  return {
    ...inner,
    get: (key) => turn(() => inner.get(key)),
    create: (key, body) => turn(() => inner.create(key, body)),
    replace: (key, body, tag) => turn(() => inner.replace(key, body, tag)),
  };
}

describe('the state of a stream', () => {
  it('is not there before it is begun, and is made by the first change', async () => {
    const store = memoryStore();
    expect(await readHead(store, 'payments')).toBeNull();
    const head = await updateHead(store, 'payments', takeOver(holder('a')), null, effects);
    expect(head).toMatchObject({ seq: 1, epoch: 1 });
    expect((await readHead(store, 'payments'))?.head).toEqual(head);
  });

  it('is not written where nothing changes', async () => {
    const store = memoryStore();
    const written = await updateHead(store, 'payments', beginWindow(backfill(0, 0)), null, effects);
    expect(await updateHead(store, 'payments', beginWindow(backfill(0, 0)), null, effects)).toEqual(written);
    expect((await readHead(store, 'payments'))?.head.seq).toBe(1);
  });

  it('loses no change of any actor, however their reads and writes interleave', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 4 }), async (scheduler, actors) => {
        const inner = memoryStore();
        const store = interleaved(inner, scheduler);
        const work = Array.from({ length: actors }, async (_, actor) => {
          for (let i = 0; i < 3; i++) await updateHead(store, 'payments', beginWindow(backfill(actor, i)), null, effects);
        });
        await scheduler.waitFor(Promise.all(work));
        const head = (await readHead(inner, 'payments'))?.head;
        expect(starts(head)).toEqual(Array.from({ length: actors }, (_, actor) => [0, 1, 2].map((i) => actor * 1000 + i)).flat());
        expect(head?.seq).toBe(actors * 3);
      }),
      { numRuns: 60 },
    );
  });

  it('makes each change once, though the store fails and answers are lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const inner = memoryStore();
        const store = faultyStore(inner, { seed, failures: 0.1, lostAnswers: 0.15 });
        const work = [0, 1, 2].map(async (actor) => {
          for (let i = 0; i < 4; i++) await untilMade(store, beginWindow(backfill(actor, i)));
          // Begun, given up, and begun anew: a change that was silently made twice would show.
          await untilMade(store, abandonWindow(backfill(actor, 0)));
        });
        await Promise.all(work);
        const head = (await readHead(inner, 'payments'))?.head;
        expect(starts(head)).toEqual([0, 1, 2].flatMap((actor) => [1, 2, 3].map((i) => actor * 1000 + i)));
        expect(head?.seq).toBe(15);
      }),
      { numRuns: 100 },
    );
  });

  it('makes a change once that would show if it were made twice, though the answer to its write is lost', async () => {
    const inner = memoryStore();
    const lost = faultyStore(inner, { seed: 1, lostAnswers: 1 });
    let writes = 0;
    const losing = <T>(writing: (store: ObjectStore) => Promise<T>): Promise<T> => writing((writes += 1) % 2 === 1 ? lost : inner);
    const store: ObjectStore = {
      ...inner,
      create: (key, body) => losing((next) => next.create(key, body)),
      replace: (key, body, tag) => losing((next) => next.replace(key, body, tag)),
    };
    for (let epoch = 1; epoch <= 6; epoch++) {
      expect((await updateHead(store, 'payments', takeOver(holder(`h${epoch}`)), null, effects)).epoch).toBe(epoch);
    }
    expect(writes).toBe(6);
  });

  it('R20: takes nothing of a former holder once its epoch has passed, however their calls interleave', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const inner = memoryStore();
        const first = await updateHead(inner, 'payments', takeOver(holder('a')), null, effects);
        const store = interleaved(inner, scheduler);
        const told: ('made' | 'FENCED')[] = [];
        const former = (async () => {
          for (let i = 0; i < 6; i++) told.push(await tryUpdate(store, beginWindow(backfill(1, i)), first.epoch));
        })();
        const takeover = updateHead(store, 'payments', takeOver(holder('b')), null, effects);
        const newer = takeover.then((head) => updateHead(store, 'payments', beginWindow(backfill(2, 0)), head.epoch, effects));
        await scheduler.waitFor(Promise.all([former, newer]));
        const made = told.filter((outcome) => outcome === 'made').length;
        expect(told).toEqual([...Array.from({ length: made }, () => 'made'), ...Array.from({ length: 6 - made }, () => 'FENCED')]);
        expect((await takeover).epoch).toBe(2);
        expect(starts(await takeover)).toEqual(Array.from({ length: made }, (_, i) => 1000 + i));
        expect(starts((await readHead(inner, 'payments'))?.head)).toEqual([...starts(await takeover), 2000]);
      }),
      { numRuns: 100 },
    );
  });

  it('gives every racing taker an epoch of its own', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const store = interleaved(memoryStore(), scheduler);
        const takers = ['a', 'b', 'c', 'd'].map((id) => updateHead(store, 'payments', takeOver(holder(id)), null, effects));
        const heads = await scheduler.waitFor(Promise.all(takers));
        expect(new Set(heads.map((head) => head.epoch))).toEqual(new Set([1, 2, 3, 4]));
        for (const [i, head] of heads.entries()) expect(head.holder?.id).toBe('abcd'[i]);
      }),
      { numRuns: 40 },
    );
  });

  it('says CORRUPT of a head that is none, or of another format', async () => {
    for (const body of ['{"format":', '[]', '{"format": 2, "stream": "payments"}']) {
      const store = memoryStore();
      await store.create(headKey('payments'), Buffer.from(body));
      await expect(readHead(store, 'payments')).rejects.toMatchObject({
        code: 'CORRUPT',
        message: expect.stringContaining('state/payments/head.json'),
      });
    }
  });

  it('gives up on a store that stays away, and says that it may pass', async () => {
    const store = faultyStore(memoryStore(), { seed: 1, failures: 1 });
    await expect(updateHead(store, 'payments', takeOver(holder('a')), null, effects)).rejects.toMatchObject({
      code: 'STORE',
      transient: true,
    });
  });
});

async function tryUpdate(store: ObjectStore, transition: Transition, epoch: number): Promise<'made' | 'FENCED'> {
  try {
    await updateHead(store, 'payments', transition, epoch, effects);
    return 'made';
  } catch (error) {
    if (isTidemarkError(error, 'FENCED')) return 'FENCED';
    throw error;
  }
}

/** As whoever is told that the store stayed away: makes the change once more. */
async function untilMade(store: ObjectStore, transition: Transition): Promise<void> {
  for (;;) {
    try {
      await updateHead(store, 'payments', transition, null, effects);
      return;
    } catch (error) {
      if (!isTidemarkError(error, 'STORE')) throw error;
    }
  }
}
