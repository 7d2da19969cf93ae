/**
 * Every failure that Tidemark reports is one of these. `code` is stable and documented in docs/OPERATIONS.md; `message` says what
 * happened and to what; `hint` says what was kept and what to do next.
 */
export type ErrorCode =
  | 'CONFIG' // the configuration or the command line is wrong
  | 'SOURCE_UNAVAILABLE' // the partner does not answer, or refuses for now
  | 'SOURCE_REFUSED' // the partner refuses for good: wrong key, unknown endpoint
  | 'SOURCE_SHAPE' // the partner answers something that the configuration does not describe
  | 'STORE' // the object store failed
  | 'STORE_UNSAFE' // the object store does not keep its promises
  | 'CONFLICT' // a conditional write lost to another writer
  | 'FENCED' // another process has taken over; this one must stop
  | 'CORRUPT' // stored bytes are not the bytes that were stored
  | 'SCHEMA' // a record cannot be held by the schema
  | 'WAREHOUSE' // the warehouse failed
  | 'WAREHOUSE_BUSY' // the warehouse is locked by another process
  | 'WAREHOUSE_VERSION' // the warehouse was written by another version
  | 'NOT_FOUND' // what was asked for is not there
  | 'INTERNAL'; // a bug in Tidemark

export interface ErrorDetails {
  readonly code: ErrorCode;
  readonly message: string;
  /** What was kept, and what to do next. */
  readonly hint?: string;
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly transient?: boolean;
  /** Facts for logs: keys, statuses, counts. Never secrets. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class TidemarkError extends Error {
  override readonly name = 'TidemarkError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly transient: boolean;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.hint = details.hint;
    this.transient = details.transient ?? false;
    this.data = details.data ?? {};
  }
}

export function isTidemarkError(value: unknown, ...codes: ErrorCode[]): value is TidemarkError {
  return value instanceof TidemarkError && (codes.length === 0 || codes.includes(value.code));
}

/** An invariant of the program itself; its failure is a bug, never bad input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new TidemarkError({ code: 'INTERNAL', message, hint: 'This is a bug in Tidemark; nothing was committed.' });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
