import type { Clock } from '../clock.ts';
import type { RetryPolicy } from '../retry.ts';

export interface S3Effects {
  readonly clock: Clock;
  /** In [0, 1): spreads what is tried again. */
  readonly random: () => number;
}

export const S3_LIMITS = {
  write: { attempts: 6, baseMs: 200, capMs: 5_000, deadlineMs: 120_000 } satisfies RetryPolicy,
  read: { attempts: 6, baseMs: 200, capMs: 5_000, deadlineMs: 300_000 } satisfies RetryPolicy,
  connectMs: 5_000,
  /** Without a byte in either direction. */
  idleMs: 30_000,
  /** For a request without a body, and for each `bytesPerSecond` of one a second more. */
  requestMs: 30_000,
  bytesPerSecond: 1_000_000,
  /** The largest object of one PutObject; multipart uploads are not used, because not every store completes them conditionally. */
  objectBytes: 5 * 1024 ** 3,
  /** Keys a page of a listing. */
  listPage: 1_000,
} as const;
