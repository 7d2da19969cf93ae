import type { Clock } from '../../../src/clock.ts';
import { deadlocked } from './errors.ts';
import type { Session } from './session.ts';

interface Waiter {
  readonly session: Session;
  grant(): void;
}

/** How long a statement waits, and what it fails with then, by the transaction that holds the lock. */
export interface Patience {
  readonly ms: number;
  error(holder: string): Error;
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
  readonly #watchers = new Map<string, (() => void)[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  holds(session: Session, table: string): boolean {
    return this.#locks.get(table)?.holder === session;
  }

  /** @returns whether it had to wait. @throws the service's lock timeout, its deadlock, or the signal's reason. */
  async acquire(session: Session, table: string, limit: Patience, signal: AbortSignal): Promise<boolean> {
    const lock = this.#locks.get(table);
    if (!lock) {
      this.#locks.set(table, { holder: session, waiters: [] });
      return false;
    }
    if (lock.holder === session) return false;
    signal.throwIfAborted();
    if (this.#isWaitedForBy(lock.holder, session)) throw deadlocked(table);
    await this.#wait(lock, session, table, limit, signal);
    return true;
  }

  #wait(lock: Lock, session: Session, table: string, limit: Patience, signal: AbortSignal): Promise<void> {
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
      for (const seen of this.#watchers.get(table) ?? []) seen();
      this.#watchers.delete(table);
      signal.addEventListener('abort', () => giveUp(signal.reason), { once: true, signal: done.signal });
      this.#clock.sleep(limit.ms, done.signal).then(
        () => giveUp(limit.error(lock.holder.transaction?.id ?? '0')),
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

  /** Resolves when somebody waits for the table, now or from now on. */
  whenWaited(table: string): Promise<void> {
    if ((this.#locks.get(table)?.waiters.length ?? 0) > 0) return Promise.resolve();
    return new Promise((resolve) => this.#watchers.set(table, [...(this.#watchers.get(table) ?? []), resolve]));
  }

  /** Who holds and who waits, by the session's id. */
  list(): { table: string; session: string; status: 'HOLDING' | 'WAITING' }[] {
    return [...this.#locks].flatMap(([table, lock]) => [
      { table, session: lock.holder.id, status: 'HOLDING' as const },
      ...lock.waiters.map((waiter) => ({ table, session: waiter.session.id, status: 'WAITING' as const })),
    ]);
  }
}
