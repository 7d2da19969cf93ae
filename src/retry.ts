import type { Clock, Micros } from './clock.ts';

/** Bounds of trying again. Every retry in Tidemark has all four. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  /** Ceiling of the first wait; it doubles with every attempt. */
  readonly baseMs: number;
  /** Ceiling of any wait that the other side did not ask for. */
  readonly capMs: number;
  /** No attempt begins later than this after the first one began. */
  readonly deadlineMs: number;
}

/** One failed attempt, as far as trying again is concerned. */
export interface FailedAttempt {
  /** One-based. */
  readonly attempt: number;
  /** Since the first attempt began. */
  readonly elapsedMs: number;
  /** What `Retry-After` asked for; a floor, never a ceiling. */
  readonly retryAfterMs: number | null;
}

export type RetryDecision =
  | { readonly decision: 'wait'; readonly ms: number }
  | { readonly decision: 'give-up'; readonly because: 'attempts' | 'deadline' };

/**
 * Full jitter: anywhere between nothing and the ceiling, so that clients that failed together do not come back together.
 * @param random in [0, 1).
 */
export function decideRetry(policy: RetryPolicy, failed: FailedAttempt, random: number): RetryDecision {
  if (failed.attempt >= policy.attempts) return { decision: 'give-up', because: 'attempts' };
  const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** (failed.attempt - 1));
  const ms = (failed.retryAfterMs ?? 0) + Math.ceil(random * ceiling);
  if (failed.elapsedMs + ms > policy.deadlineMs) return { decision: 'give-up', because: 'deadline' };
  return { decision: 'wait', ms };
}

/**
 * `Retry-After` in both forms of RFC 9110: seconds, or an HTTP date.
 * @returns milliseconds from `now`, never negative; null where the header is absent or neither form.
 */
export function parseRetryAfter(header: string | undefined, now: Micros): number | null {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}(\.\d{1,6})?$/.test(text)) return Math.ceil(Number(text) * 1000);
  const date = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil(date - now / 1000));
}

/** What one attempt brought: an end, or a failure that may be worth another attempt. */
export type Attempted<T> =
  | { readonly done: true; readonly value: T }
  /** `forgiven`: nobody could have answered, but somebody does now: the attempts begin anew, at once. */
  | { readonly done: false; readonly value: T; readonly retryAfterMs: number | null; readonly forgiven?: boolean };

/**
 * Calls `attempt` (one-based) until it is done or the policy gives up.
 * @returns the last value, whether it was done, and how many attempts it took, forgiven ones included.
 */
export async function retrying<T>(
  policy: RetryPolicy,
  effects: { readonly clock: Clock; readonly random: () => number; readonly signal?: AbortSignal | undefined },
  attempt: (attempt: number) => Promise<Attempted<T>>,
): Promise<{ readonly done: boolean; readonly value: T; readonly attempts: number }> {
  let began = effects.clock.monotonicMs();
  let forgiven = 0;
  for (let count = 1; ; count++) {
    const attempted = await attempt(forgiven + count);
    if (attempted.done) return { done: true, value: attempted.value, attempts: forgiven + count };
    if (attempted.forgiven) {
      forgiven += count;
      count = 0;
      began = effects.clock.monotonicMs();
      continue;
    }
    const elapsedMs = effects.clock.monotonicMs() - began;
    const decision = decideRetry(policy, { attempt: count, elapsedMs, retryAfterMs: attempted.retryAfterMs }, effects.random());
    if (decision.decision === 'give-up') return { done: false, value: attempted.value, attempts: forgiven + count };
    await effects.clock.sleep(decision.ms, effects.signal);
  }
}
