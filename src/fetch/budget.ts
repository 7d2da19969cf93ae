import type { Clock } from '../clock.ts';

/**
 * Leave to send requests. Everything that talks to one source with one key takes from one budget, retries included; an implementation
 * that shares it between processes through the store keeps this interface.
 */
export interface RequestBudget {
  /** Resolves when one more request may be sent; rejects with the signal's reason. */
  take(signal?: AbortSignal): Promise<void>;
  /** Nobody sends before `ms` milliseconds have passed: what the partner asked for. */
  pause(ms: number): void;
}

const MINUTE_MS = 60_000;
/** The share of a minute's requests that may be sent at once; what it takes from the steady rate keeps any minute within the limit. */
const BURST_SHARE = 0.02;

/**
 * A token bucket as one number: the time at which the next request would be due at the steady pace. In any minute [t, t + 60 s) at most
 * `perMinute` requests are let through: a burst of b, then one every 60 s / (perMinute − b + 1).
 */
export function createRequestBudget(clock: Clock, perMinute: number): RequestBudget {
  const burst = Math.max(1, Math.floor(perMinute * BURST_SHARE));
  const paceMs = MINUTE_MS / (perMinute - burst + 1);
  const slackMs = (burst - 1) * paceMs;
  let due = Number.NEGATIVE_INFINITY;
  let notBefore = Number.NEGATIVE_INFINITY;

  return {
    take: async (signal) => {
      signal?.throwIfAborted();
      const now = clock.monotonicMs();
      const at = Math.max(now, due - slackMs, notBefore);
      due = Math.max(at, due) + paceMs;
      if (at > now) await clock.sleep(at - now, signal);
    },
    pause: (ms) => {
      notBefore = Math.max(notBefore, clock.monotonicMs() + ms);
    },
  };
}
