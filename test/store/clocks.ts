import { type Clock, systemClock } from '../../src/clock.ts';

/** Pauses between attempts take no time; deadlines, which are longer, never come. */
export const impatientClock: Clock = {
  now: () => systemClock.now(),
  monotonicMs: () => systemClock.monotonicMs(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      if (ms < 10_000) setImmediate(resolve);
    }),
};
