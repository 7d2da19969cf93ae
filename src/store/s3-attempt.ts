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

/** Aborts the work after S3_LIMITS.requestMs and what its body of so many bytes may take. */
export async function withDeadline<T>({ clock }: S3Effects, bytes: number, work: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const finished = new AbortController();
  const ms = S3_LIMITS.requestMs + (bytes / S3_LIMITS.bytesPerSecond) * 1000;
  clock.sleep(ms, finished.signal).then(
    () => late.abort(),
    () => undefined,
  );
  try {
    return await work(late.signal);
  } finally {
    finished.abort();
  }
}
