import { setTimeout as delay } from 'node:timers/promises';

/** The only source of time. Everything that waits or stamps takes one as an argument. */
export interface Clock {
  /** Wall time, microseconds since the Unix epoch. */
  now(): Micros;
  /** Milliseconds from an arbitrary origin; never goes back. Leases and deadlines are judged by it. */
  monotonicMs(): number;
  /** Resolves after `ms` milliseconds, or rejects at once with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Microseconds since the Unix epoch. A double holds them exactly until the year 2255. */
export type Micros = number;

export const systemClock: Clock = {
  now: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
  // Node rejects with an AbortError of its own, which would hide why: that the stream was taken over, say.
  sleep: (ms, signal) =>
    signal
      ? delay(ms, undefined, { signal }).catch((error: unknown) => {
          throw signal.aborted ? signal.reason : error;
        })
      : delay(ms),
};

/** A clock that reads `start` now and goes on at the pace of `base`: for runs at a stated time (`--now`). */
export function clockStartingAt(start: Micros, base: Clock = systemClock): Clock {
  const offset = start - base.now();
  return { ...base, now: () => base.now() + offset };
}
