import type { Clock } from '../../clock.ts';
import { isTidemarkError, TidemarkError } from '../../errors.ts';
import type { SnowflakeConfig } from '../../stream.ts';
import { isSessionGone } from './failure.ts';
import { type OpenSession, openSession, type SnowflakeSession } from './session.ts';

/** A login takes a second or so: sessions that nobody uses are kept for the next, for so long. */
const IDLE_MS = 10 * 60_000;
const IDLE_MOST = 2;

interface Idle {
  readonly session: SnowflakeSession;
  readonly since: number;
}

export interface SessionsOptions {
  readonly config: SnowflakeConfig;
  readonly clock: Clock;
  readonly open?: OpenSession | undefined;
}

/** Lends sessions, each to one at a time. One that is lost is not lent again. */
export class Sessions {
  readonly #options: SessionsOptions;
  #idle: Idle[] = [];
  readonly #lent = new Set<Promise<unknown>>();
  #closed = false;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** @param tag told with every statement. `work` may be done twice: where a session that was kept is gone, it is done in a new one. */
  async use<T>(tag: SnowflakeSession['tag'], work: (session: SnowflakeSession) => Promise<T>): Promise<T> {
    this.#assertOpen();
    const done = this.#use(tag, work);
    this.#lent.add(done);
    try {
      return await done;
    } finally {
      this.#lent.delete(done);
    }
  }

  async *stream<T>(tag: SnowflakeSession['tag'], work: (session: SnowflakeSession) => AsyncIterable<T>): AsyncIterable<T> {
    this.#assertOpen();
    const { session } = await this.#take(tag);
    let isWhole = false;
    try {
      yield* work(session);
      isWhole = true;
    } finally {
      // What was not read to its end may still be on its way.
      if (isWhole) await this.#giveBack(session);
      else await session.close();
    }
  }

  /** Waits for what is running, logs off, and refuses whatever comes after. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#lent);
    const idle = this.#idle;
    this.#idle = [];
    await Promise.all(idle.map(({ session }) => session.close()));
  }

  async #use<T>(tag: SnowflakeSession['tag'], work: (session: SnowflakeSession) => Promise<T>): Promise<T> {
    const { session, wasKept } = await this.#take(tag);
    try {
      return await work(session);
    } catch (error) {
      if (!wasKept || !isTidemarkError(error) || !isSessionGone(error)) throw error;
    } finally {
      await this.#giveBack(session);
    }
    return this.#use(tag, work);
  }

  async #take(tag: SnowflakeSession['tag']): Promise<{ session: SnowflakeSession; wasKept: boolean }> {
    const { config, clock, open = openSession } = this.#options;
    await this.#letOldGo();
    const kept = this.#idle.pop();
    const session = kept?.session ?? (await open(config, clock));
    session.tag = tag;
    return { session, wasKept: kept !== undefined };
  }

  async #giveBack(session: SnowflakeSession): Promise<void> {
    if (session.isLost || this.#closed || this.#idle.length >= IDLE_MOST) await session.close();
    else this.#idle.push({ session, since: this.#options.clock.monotonicMs() });
  }

  async #letOldGo(): Promise<void> {
    const limit = this.#options.clock.monotonicMs() - IDLE_MS;
    const old = this.#idle.filter(({ since }) => since < limit);
    this.#idle = this.#idle.filter(({ since }) => since >= limit);
    await Promise.all(old.map(({ session }) => session.close()));
  }

  #assertOpen(): void {
    if (this.#closed)
      throw new TidemarkError({ code: 'INTERNAL', message: 'The warehouse was closed', hint: 'This is a bug in Tidemark.' });
  }
}
