import { assert } from '../errors.ts';
import { retrying } from '../retry.ts';
import { isMissing, isTransient } from './s3-failure.ts';
import { S3_LIMITS, type S3Effects } from './s3-limits.ts';

/** Calls `work` again while its failure may pass. @returns null where the store says that there is no such object. */
export async function repeated<T>(effects: S3Effects, work: () => Promise<T>): Promise<T | null> {
  const { done, value } = await retrying<{ result: T | null } | { error: unknown }>(S3_LIMITS.read, effects, async () => {
    try {
      return { done: true, value: { result: await work() } };
    } catch (error) {
      if (isMissing(error)) return { done: true, value: { result: null } };
      if (!isTransient(error)) throw error;
      return { done: false, value: { error }, retryAfterMs: null };
    }
  });
  assert(done || 'error' in value, 'a read that was given up has its error');
  if ('error' in value) throw value.error;
  return value.result;
}

export function nullWhereMissing(error: unknown): null {
  if (isMissing(error)) return null;
  throw error;
}

/** What ends work that hangs. */
export interface Deadline {
  /** Aborted when the time is over: ends connections and streams. */
  readonly signal: AbortSignal;
  /** Begins anew, with the time that so many bytes may take. */
  readonly allow: (bytes: number) => void;
  /** Gives up when the time is over, whatever the work makes of the signal. */
  readonly within: <T>(work: Promise<T>) => Promise<T>;
}

/** Gives the work S3_LIMITS.requestMs, and what a body of so many bytes may take. */
export async function withDeadline<T>({ clock }: S3Effects, bytes: number, work: (deadline: Deadline) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const passed = new Promise<never>((_, reject) => {
    late.signal.addEventListener('abort', () => reject(late.signal.reason as Error), { once: true });
  });
  passed.catch(() => undefined);
  let waiting = new AbortController();
  const allow = (size: number): void => {
    waiting.abort();
    waiting = new AbortController();
    const ms = S3_LIMITS.requestMs + Math.ceil((size / S3_LIMITS.bytesPerSecond) * 1000);
    clock.sleep(ms, waiting.signal).then(
      () => late.abort(overdue(ms)),
      () => undefined,
    );
  };
  allow(bytes);
  try {
    return await work({ signal: late.signal, allow, within: (other) => Promise.race([other, passed]) });
  } finally {
    waiting.abort();
  }
}

const overdue = (ms: number): Error => Object.assign(new Error(`no end within ${Math.ceil(ms / 1000)} seconds`), { name: 'TimeoutError' });
