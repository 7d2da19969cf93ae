import { type Clock, systemClock } from '../../src/clock.ts';

/** Deadlines are longer. */
const LONGEST_PAUSE_MS = 10_000;

/** Pauses between attempts take no time; deadlines never come. */
export const impatientClock: Clock = {
  now: () => systemClock.now(),
  monotonicMs: () => systemClock.monotonicMs(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      if (ms < LONGEST_PAUSE_MS) setImmediate(resolve);
    }),
};

export interface CommandedClock extends Clock {
  /** Every deadline that is waited for comes now. */
  readonly elapse: () => void;
}

/** Pauses between attempts take no time; deadlines come when the test says so. */
export function commandedClock(): CommandedClock {
  const deadlines = new Set<() => void>();
  return {
    ...impatientClock,
    sleep: (ms, signal) =>
      ms < LONGEST_PAUSE_MS
        ? impatientClock.sleep(ms, signal)
        : new Promise((resolve, reject) => {
            deadlines.add(resolve);
            signal?.addEventListener('abort', () => (deadlines.delete(resolve), reject(signal.reason as Error)), { once: true });
          }),
    elapse: () => {
      for (const resolve of deadlines) resolve();
      deadlines.clear();
    },
  };
}

/** Pauses take no time, and deadlines a hundredth of theirs: for processes in which nobody can say when. */
export const hurriedClock: Clock = {
  ...impatientClock,
  sleep: (ms, signal) => (ms < LONGEST_PAUSE_MS ? impatientClock.sleep(ms, signal) : systemClock.sleep(ms / 100, signal)),
};
