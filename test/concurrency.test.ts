import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { forEachConcurrent } from '../src/concurrency.ts';

async function* numbers(count: number, asked: number[]): AsyncGenerator<number> {
  for (let n = 0; n < count; n++) {
    asked.push(n);
    yield n;
  }
}

describe('forEachConcurrent', () => {
  test('works on each item, so many at a time, and asks for none before somebody is free', async () => {
    const asked: number[] = [];
    const done: number[] = [];
    const open = new Map<number, () => void>();
    const all = forEachConcurrent(numbers(5, asked), 2, async (n) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      open.set(n, resolve);
      await promise;
      done.push(n);
    });
    for (const [ended, n] of [1, 0, 2, 4, 3].entries()) {
      await setImmediate();
      expect(asked).toEqual([0, 1, 2, 3, 4].slice(0, ended + 2));
      open.get(n)?.();
    }
    await all;
    expect(done).toEqual([1, 0, 2, 4, 3]);
  });

  test('the first failure ends it, once what was begun has ended', async () => {
    const asked: number[] = [];
    const held = Promise.withResolvers<void>();
    let hasEnded = false;
    const failed = expect(
      forEachConcurrent(numbers(9, asked), 2, async (n) => {
        if (n === 1) throw new Error('one');
        await held.promise;
        hasEnded = true;
      }).finally(() => expect(hasEnded).toBe(true)),
    ).rejects.toThrow('one');
    await setImmediate();
    held.resolve();
    await failed;
    expect(asked).toEqual([0, 1]);
  });
});
