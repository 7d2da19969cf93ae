import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../clock.ts';
import { type Engine, type EngineOptions, openEngine } from '../engine.ts';
import { isTidemarkError, TidemarkError } from '../errors.ts';

/** First and longest pause between two tries for a file that another process holds. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

/**
 * When a file that was written to is closed, DuckDB moves rows together where some have been removed or row groups are small, and does so
 * throughout the table: a load of 500,000 updates wrote a table of three million anew. One move at a time (at most three row groups)
 * keeps the cost of a load apart from the table's size. Row groups of which every row was removed are let go all the same.
 */
const BOUND_UPKEEP = 'SET GLOBAL max_vacuum_tasks = 1';

export interface SessionOptions extends Omit<EngineOptions, 'readOnly'> {
  readonly clock: Clock;
  /** How long to wait for another process that holds the file, before WAREHOUSE_BUSY. */
  readonly lockWaitMs: number;
  /** Opens the file; `openEngine` where left out. */
  readonly open?: typeof openEngine | undefined;
}

/** The file while it is open: one writer, or any number of readers that share it. */
interface Hold {
  readonly readOnly: boolean;
  readonly engine: Promise<Engine>;
  readonly released: Promise<void>;
  readonly release: () => void;
  users: number;
}

/**
 * Opens a warehouse file for as long as something works on it, and no longer: DuckDB lets one process in at a time. Within this process,
 * writers take turns, and readers share the file between them.
 */
export class Sessions {
  readonly #options: SessionOptions;
  #hold: Hold | null = null;
  #closed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Runs `work` as the file's only user. */
  async write<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    const hold = await this.#enter(false);
    try {
      return await work(await hold.engine);
    } finally {
      await this.#leave(hold);
    }
  }

  /** Runs `work` with the file open for reading. @returns `absent` where there is no file yet. */
  async read<T>(absent: T, work: (engine: Engine) => Promise<T>): Promise<T> {
    if (!this.#exists()) return absent;
    const hold = await this.#enter(true);
    try {
      return await work(await hold.engine);
    } finally {
      await this.#leave(hold);
    }
  }

  /** The same for a stream; the file stays open until its consumer ends, who must not write meanwhile. */
  async *stream<T>(work: (engine: Engine) => AsyncIterable<T>): AsyncIterable<T> {
    if (!this.#exists()) return;
    const hold = await this.#enter(true);
    try {
      yield* work(await hold.engine);
    } finally {
      await this.#leave(hold);
    }
  }

  /** Waits for what is running and refuses whatever comes after. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#hold?.released;
  }

  #exists(): boolean {
    this.#assertOpen();
    return existsSync(this.#options.path);
  }

  async #enter(readOnly: boolean): Promise<Hold> {
    // oxlint-disable-next-line no-unmodified-loop-condition -- #hold is what changes
    while (this.#hold && !(readOnly && isShared(this.#hold))) await this.#hold.released;
    this.#assertOpen();
    const hold = (this.#hold ??= this.#take(readOnly));
    hold.users += 1;
    return hold;
  }

  #take(readOnly: boolean): Hold {
    const { promise, resolve } = Promise.withResolvers<void>();
    return { readOnly, engine: openWaiting(this.#options, readOnly), released: promise, release: resolve, users: 0 };
  }

  async #leave(hold: Hold): Promise<void> {
    hold.users -= 1;
    if (hold.users > 0) return;
    try {
      // Where it could not be opened, every user has had that error already.
      const engine = await hold.engine.catch(() => null);
      await engine?.close();
    } finally {
      this.#hold = null;
      hold.release();
    }
  }

  #assertOpen(): void {
    if (this.#closed)
      throw new TidemarkError({ code: 'INTERNAL', message: 'The warehouse was closed', hint: 'This is a bug in Tidemark.' });
  }
}

/** Readers may join other readers, but not the last one on its way out. */
const isShared = (hold: Hold): boolean => hold.readOnly && hold.users > 0;

async function openWaiting(options: SessionOptions, readOnly: boolean): Promise<Engine> {
  const { clock, lockWaitMs, open = openEngine, ...engine } = options;
  if (!readOnly) makeFolder(engine.path);
  const deadline = clock.monotonicMs() + lockWaitMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      const opened = await open({ ...engine, readOnly });
      return readOnly ? opened : await bounded(opened);
    } catch (error) {
      if (!isTidemarkError(error, 'WAREHOUSE_BUSY') || clock.monotonicMs() + pause > deadline) throw error;
      await clock.sleep(pause);
    }
  }
}

/** What cannot be used is let go of: this process would lock itself out until it ends. */
async function bounded(engine: Engine): Promise<Engine> {
  try {
    await engine.run(BOUND_UPKEEP);
    return engine;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    const hint = 'Nothing was changed. Check the path under `warehouse` and who may write there.';
    throw new TidemarkError({ code: 'WAREHOUSE', message: `The folder of ${path} cannot be made`, hint, cause });
  }
}
