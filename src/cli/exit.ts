import { type ErrorCode, TidemarkError } from '../errors.ts';
import type { StreamReport } from '../pipeline/report.ts';

/** What the process says to whoever started it. docs/OPERATIONS.md tells what to do about each. */
export const EXIT = { done: 0, failed: 1, usage: 2, unavailable: 3, held: 4, incomplete: 5, stale: 6 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_ERROR: Partial<Record<ErrorCode, ExitCode>> = {
  CONFIG: EXIT.usage,
  SOURCE_REFUSED: EXIT.usage,
  SOURCE_UNAVAILABLE: EXIT.unavailable,
};

export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof TidemarkError ? (BY_ERROR[error.code] ?? EXIT.failed) : EXIT.failed;
}

/** The gravest of what happened: what failed comes before what waits for somebody. */
const GRAVITY: readonly ExitCode[] = [EXIT.failed, EXIT.usage, EXIT.unavailable, EXIT.held, EXIT.incomplete, EXIT.stale, EXIT.done];

export function gravest(codes: readonly ExitCode[]): ExitCode {
  return GRAVITY.find((code) => codes.includes(code)) ?? EXIT.done;
}

export function exitCodeOfRun(reports: readonly StreamReport[]): ExitCode {
  return gravest(
    reports.flatMap((report) => [
      ...report.failures.map(({ error }) => exitCodeOf(error)),
      ...(report.held > 0 ? [EXIT.held] : []),
      ...(report.openDeadLetters > 0 ? [EXIT.incomplete] : []),
    ]),
  );
}
