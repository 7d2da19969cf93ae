import type { Clock } from '../../../src/clock.ts';
import { deadlocked, lockTimedOut } from './errors.ts';
import type { Session } from './session.ts';

interface Waiter {
  readonly session: Session;
  grant(): void;
}

interface Lock {
  holder: Session;
  readonly waiters: Waiter[];
}

/**
 * UPDATE, DELETE and MERGE lock their table up to the end of their transaction; INSERT and COPY lock nothing. (The service locks
 * micro-partitions, which for a statement that rewrites rows comes to the same on small tables.)
 */
export class TableLocks {
  readonly #clock: Clock;
  readonly #locks = new Map<string, Lock>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  holds(session: Session, table: string): boolean {
    return this.#locks.get(table)?.holder === session;
  }

  /** @returns whether it had to wait. @throws the service's lock timeout, its deadlock, or the signal's reason. */
  async acquire(session: Session, table: string, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const lock = this.#locks.get(table);
    if (!lock) {
      this.#locks.set(table, { holder: session, waiters: [] });
      return false;
    }
    if (lock.holder === session) return false;
    if (this.#isWaitedForBy(lock.holder, session)) throw deadlocked(table);
    await this.#wait(lock, session, table, timeoutMs, signal);
    return true;
  }

  #wait(lock: Lock, session: Session, table: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    return new Promise<void>((resolve, reject) => {
      const waiter: Waiter = { session, grant: resolve };
      const giveUp = (reason: unknown): void => {
        const place = lock.waiters.indexOf(waiter);
        if (place < 0) return;
        lock.waiters.splice(place, 1);
        reject(reason);
      };
      lock.waiters.push(waiter);
      signal.addEventListener('abort', () => giveUp(signal.reason), { once: true, signal: done.signal });
      this.#clock.sleep(timeoutMs, done.signal).then(
        () => giveUp(lockTimedOut(table, lock.holder.transaction?.id ?? '0')),
        () => undefined,
      );
    }).finally(() => done.abort());
  }

  /** Whether `holder` itself waits, through however many, for `session`. */
  #isWaitedForBy(holder: Session, session: Session): boolean {
    const waitsFor = [...this.#locks.values()].find((lock) => lock.waiters.some((waiter) => waiter.session === holder))?.holder;
    return waitsFor === session || (waitsFor !== undefined && this.#isWaitedForBy(waitsFor, session));
  }

  release(session: Session, only?: string): void {
    for (const [table, lock] of this.#locks) {
      if (lock.holder !== session || (only !== undefined && only !== table)) continue;
      const next = lock.waiters.shift();
      if (!next) {
        this.#locks.delete(table);
        continue;
      }
      lock.holder = next.session;
      next.grant();
    }
  }

  /** Who holds and who waits, by the session's id. */
  list(): { table: string; session: string; status: 'HOLDING' | 'WAITING' }[] {
    return [...this.#locks].flatMap(([table, lock]) => [
      { table, session: lock.holder.id, status: 'HOLDING' as const },
      ...lock.waiters.map((waiter) => ({ table, session: waiter.session.id, status: 'WAITING' as const })),
    ]);
  }
}
