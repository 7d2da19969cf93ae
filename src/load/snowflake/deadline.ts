import type { Clock } from '../../clock.ts';
import { TidemarkError } from '../../errors.ts';
import { formatDuration } from '../../time.ts';

/** Nobody answered in time: the outcome is not known. */
export class Overdue extends Error {
  override readonly name = 'Overdue';
  readonly told: TidemarkError;

  constructor(what: string, ms: number) {
    super(what);
    this.told = new TidemarkError({
      code: 'WAREHOUSE',
      message: `${what} was not answered within ${formatDuration(ms * 1000)}`,
      hint: 'A load looks up in the ledger what became of it before anything is done again. Check the network and status.snowflake.com.',
      transient: true,
      cause: this,
    });
  }
}

/** What is told of it, where `error` says that nobody answered in time. */
export const told = (error: unknown): unknown => (error instanceof Overdue ? error.told : error);

/** Waits for `work` so long at most. What it comes to after that is nobody's any more. @throws Overdue. */
export async function within<T>(clock: Clock, ms: number, work: Promise<T>, what: string): Promise<T> {
  const ended = new AbortController();
  const overdue = clock.sleep(ms, ended.signal).then(() => {
    throw new Overdue(what, ms);
  });
  try {
    return await Promise.race([work, overdue]);
  } finally {
    overdue.catch(() => undefined);
    work.catch(() => undefined);
    ended.abort(new Error('done'));
  }
}
