import { existsSync, writeFileSync } from 'node:fs';
import type { Engine, EngineOptions } from '../../src/engine.ts';
import { TidemarkError } from '../../src/errors.ts';
import type { Faults } from './faults.ts';
import type { SimulatedProcess } from './process.ts';

/**
 * The warehouse's file: a real DuckDB, in memory, that lives as long as the world. What a process opens is a session on it, under the
 * lock that the file would have: one process that writes, or any number that read. As on a network's disk, the lock of a process that
 * freezes may lapse; then the fence alone keeps it from its successor's table.
 */
export class WarehouseFile {
  readonly path: string;
  readonly engine: Engine;
  /** Told after each COMMIT that was made. */
  onCommit: () => Promise<void> = async () => undefined;
  /** Processes that are to freeze once they have taken the fence, and have not begun the transaction that it is for. */
  readonly ambushes = new Map<SimulatedProcess, () => void>();
  /** The session whose transaction is open: all share one connection here, so the others' statements fail meanwhile. */
  writer: object | null = null;
  readonly #sessions = new Set<Session>();

  constructor(path: string, engine: Engine) {
    this.path = path;
    this.engine = engine;
  }

  /** Opens sessions for one process, as `openEngine` would. */
  opener(process: SimulatedProcess, faults: Faults): (options: EngineOptions) => Promise<Engine> {
    process.onDeath.push(async () => {
      for (const session of [...this.#sessions].filter((other) => other.process === process)) await session.end();
    });
    return (options) =>
      process.perform('warehouse', `open ${options.readOnly ? 'to read' : 'to write'}`, async () => {
        const readOnly = options.readOnly === true;
        if (faults.draw('busy')) throw busy('an analyst');
        const other = [...this.#sessions].find((session) => !session.hasLapsed && !(readOnly && session.readOnly));
        if (other) throw busy(other.process.name);
        if (!existsSync(this.path)) writeFileSync(this.path, '');
        const session = new Session(this, process, faults, readOnly, () => this.#sessions.delete(session));
        this.#sessions.add(session);
        return session;
      });
  }
}

class Session implements Engine {
  readonly process: SimulatedProcess;
  readonly readOnly: boolean;
  readonly #file: WarehouseFile;
  readonly #faults: Faults;
  readonly #leave: () => void;
  #open = true;
  #isAmbushed = false;

  constructor(file: WarehouseFile, process: SimulatedProcess, faults: Faults, readOnly: boolean, leave: () => void) {
    this.#file = file;
    this.process = process;
    this.#faults = faults;
    this.readOnly = readOnly;
    this.#leave = leave;
  }

  run(sql: string): Promise<void> {
    return this.#statement(sql, () => this.#file.engine.run(sql));
  }

  rows(sql: string): ReturnType<Engine['rows']> {
    return this.#statement(sql, () => this.#file.engine.rows(sql));
  }

  get hasLapsed(): boolean {
    return this.#isAmbushed && this.process.state === 'frozen';
  }

  async *stream(sql: string): ReturnType<Engine['stream']> {
    yield await this.rows(sql);
  }

  interrupt(): void {}

  close(): Promise<void> {
    if (!this.#open) return Promise.resolve();
    return this.process.perform('warehouse', 'close', () => this.end());
  }

  /** As the system does when a process is gone: what was not committed is rolled back, and the lock is free. */
  async end(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    if (this.#inTransaction) await this.#file.engine.run('ROLLBACK').catch(() => undefined);
    this.#inTransaction = false;
    this.#leave();
  }

  get #inTransaction(): boolean {
    return this.#file.writer === this;
  }

  set #inTransaction(isIn: boolean) {
    if (isIn || this.#inTransaction) this.#file.writer = isIn ? this : null;
  }

  #statement<T>(sql: string, work: () => Promise<T>): Promise<T> {
    return this.process.perform('warehouse', shorten(sql), () => this.#fated(sql, work));
  }

  async #fated<T>(sql: string, work: () => Promise<T>): Promise<T> {
    if (!this.#open) throw failure('the session is gone');
    if (this.#file.writer !== null && !this.#inTransaction) throw failure("another session's transaction is open");
    const fate = this.#faults.draw('statement', 'session', ...(sql === 'COMMIT' ? (['commitLost'] as const) : []));
    if (fate === 'session') {
      await this.end();
      throw failure('the session died');
    }
    // A ROLLBACK that fails leaves a transaction open that only the session's end can end.
    if (fate === 'statement' && sql !== 'ROLLBACK') throw failure('the statement failed');
    const result = await work();
    if (sql.startsWith('BEGIN')) this.#inTransaction = true;
    if (sql === 'COMMIT' || sql === 'ROLLBACK') this.#inTransaction = false;
    if (sql === 'COMMIT') await this.#file.onCommit();
    if (sql.includes('UPDATE tidemark.fence') && !this.#inTransaction) this.#spring();
    if (fate !== 'commitLost') return result;
    await this.end();
    throw failure('the answer to COMMIT was lost');
  }

  #spring(): void {
    const freeze = this.#file.ambushes.get(this.process);
    this.#isAmbushed = this.#file.ambushes.delete(this.process);
    freeze?.();
  }
}

const shorten = (sql: string): string =>
  sql
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/'[^']*'/g, "'…'")
    .slice(0, 60);

const failure = (what: string): TidemarkError =>
  new TidemarkError({
    code: 'WAREHOUSE',
    message: `${what} (injected)`,
    hint: 'This warehouse was made unreliable on purpose.',
    transient: true,
  });

const busy = (by: string): TidemarkError =>
  new TidemarkError({ code: 'WAREHOUSE_BUSY', message: `the file is open in another process: ${by}`, hint: 'Wait.', transient: true });
