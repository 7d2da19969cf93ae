import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import {
  type DuckDBConnection,
  type DuckDBDataChunk,
  DuckDBInstance,
  DuckDBListValue,
  DuckDBMapValue,
  type DuckDBResult,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import { engineError } from './engine-errors.ts';
import { messageOf, TidemarkError } from './errors.ts';
import { literal } from './sql.ts';

export { isInterrupted } from './engine-errors.ts';

export interface EngineOptions {
  /** File of the database, or ':memory:'. */
  readonly path: string;
  readonly threads: number;
  /** DuckDB's own limit; what does not fit is spilled to `tempDirectory`. */
  readonly memoryBytes: number;
  readonly tempDirectory: string;
  readonly readOnly?: boolean;
}

/**
 * A value as JavaScript has it: integers as number where a double holds them exactly, else bigint; TIMESTAMP and TIMESTAMPTZ as
 * Micros; DECIMAL as text, digit for digit; lists as arrays, structs as objects, maps as arrays of {key, value}; the rest as DuckDB's text.
 */
export type EngineValue = null | boolean | number | bigint | string | readonly EngineValue[] | { readonly [name: string]: EngineValue };
export type EngineRow = Record<string, EngineValue>;

/**
 * One DuckDB database, opened by this process alone. Statements that are run at the same time take turns; a stream has a connection of
 * its own, so it sees what was committed before it began, and neither temporary tables nor an open transaction of `run`.
 * Every method rejects with a TidemarkError: WAREHOUSE, with `isInterrupted` true of it after `interrupt`.
 */
export interface Engine {
  /** Runs one or more statements, without their results. */
  run(sql: string): Promise<void>;
  /** Runs one or more statements. @returns all rows of the last one. */
  rows(sql: string): Promise<EngineRow[]>;
  /** Rows of one statement in blocks as DuckDB makes them; memory stays flat. */
  stream(sql: string): AsyncIterable<EngineRow[]>;
  /** Makes every running statement reject. */
  interrupt(): void;
  /** Waits for running statements, ends streams, then writes the file's log back and lets go of it. More than once is harmless. */
  close(): Promise<void>;
}

/** Files that this process has open. POSIX locks don't keep a process from itself, and two instances on one file destroy it. */
const openFiles = new Set<string>();

/** @throws WAREHOUSE_BUSY, WAREHOUSE_VERSION or WAREHOUSE. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const file = options.path === ':memory:' ? null : canonicalPath(options.path);
  if (file !== null && openFiles.has(file)) throw engineError(new Error('Conflicting lock is held in this process'), { path: file });
  if (file !== null) openFiles.add(file);
  try {
    return await connectReplaying(options, () => file !== null && openFiles.delete(file));
  } catch (error) {
    if (file !== null) openFiles.delete(file);
    throw engineError(error, { path: options.path });
  }
}

/** One name for one file, whether it exists or not, through whatever links it is reached. */
function canonicalPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    try {
      return join(realpathSync(dirname(absolute)), basename(absolute));
    } catch {
      return absolute;
    }
  }
}

const UNREPLAYED = /Failure while replaying WAL file/;
const REPLAYED = 'tidemark_replayed';

/**
 * What a process that died had committed is in the file's log, which is replayed when the file is opened. This version cannot do that
 * for an ALTER TABLE that computes something (a nested field was added, a type was widened): it looks for functions in a default database
 * that is not set yet. Attached to a database that is open, the same log is replayed. Where the process died within its commit, the log
 * ends in the middle of it: nothing is replayed, so nothing would be written back and the log would stay. Hence the table that comes and goes.
 */
async function connectReplaying(options: EngineOptions, released: () => void): Promise<Engine> {
  try {
    return await connect(options, released);
  } catch (error) {
    if (!UNREPLAYED.test(messageOf(error))) throw error;
    await replayAttached(options);
    return connect(options, released);
  }
}

async function replayAttached(options: EngineOptions): Promise<void> {
  const engine = await openEngine({ ...options, path: ':memory:', readOnly: false });
  try {
    await engine.run(`ATTACH ${literal(options.path)} AS unreplayed;
      CREATE TABLE unreplayed.main.${REPLAYED} (nothing INTEGER); DROP TABLE unreplayed.main.${REPLAYED};
      CHECKPOINT unreplayed; DETACH unreplayed`);
  } finally {
    await engine.close();
  }
}

async function connect(options: EngineOptions, released: () => void): Promise<Engine> {
  const instance = await DuckDBInstance.create(options.path, settings(options));
  try {
    const connection = await instance.connect();
    await connection.run("SET GLOBAL TimeZone = 'UTC'");
    return new DuckDBEngine(instance, connection, released);
  } catch (error) {
    instance.closeSync();
    throw error;
  }
}

function settings(options: EngineOptions): Record<string, string> {
  return {
    threads: String(options.threads),
    memory_limit: `${Math.floor(options.memoryBytes / 1024)}KiB`,
    temp_directory: options.tempDirectory,
    // Keeping the order of what was read doubles the time of a CREATE TABLE AS; whoever needs an order says ORDER BY.
    preserve_insertion_order: 'false',
    // DuckDB keeps what it read of files by path and by a time of whole seconds: another file under that path would be taken for the first.
    enable_external_file_cache: 'false',
    // Everything that is used is built in; nothing may be fetched at run time.
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    ...(options.readOnly ? { access_mode: 'READ_ONLY' } : {}),
  };
}

class DuckDBEngine implements Engine {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #released: () => void;
  readonly #streams = new Set<DuckDBConnection>();
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(instance: DuckDBInstance, connection: DuckDBConnection, released: () => void) {
    this.#instance = instance;
    this.#connection = connection;
    this.#released = released;
  }

  async run(sql: string): Promise<void> {
    await this.#inTurn(sql, () => this.#connection.run(sql));
  }

  rows(sql: string): Promise<EngineRow[]> {
    return this.#inTurn(sql, async () => {
      const result = await this.#connection.run(sql);
      return (await result.fetchAllChunks()).flatMap((chunk) => rowsOf(result, chunk));
    });
  }

  async *stream(sql: string): AsyncIterable<EngineRow[]> {
    this.#assertOpen();
    const connection = await this.#instance.connect();
    this.#streams.add(connection);
    try {
      yield* blocks(await connection.stream(sql));
    } catch (error) {
      throw engineError(error, { sql });
    } finally {
      if (this.#streams.delete(connection)) connection.closeSync();
    }
  }

  interrupt(): void {
    if (this.#closed) return;
    this.#connection.interrupt();
    for (const connection of this.#streams) connection.interrupt();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#turn;
    for (const connection of this.#streams) abandon(connection);
    this.#streams.clear();
    this.#connection.closeSync();
    this.#instance.closeSync();
    this.#released();
  }

  /** One statement after the other: a second one on the same connection would throw away the first one's unread result. */
  #inTurn<T>(sql: string, work: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine.catch((error: unknown) => {
      throw engineError(error, { sql });
    });
  }

  #assertOpen(): void {
    if (this.#closed) throw new TidemarkError({ code: 'INTERNAL', message: 'The database was closed', hint: 'This is a bug in Tidemark.' });
  }
}

function abandon(connection: DuckDBConnection): void {
  connection.interrupt();
  connection.closeSync();
}

async function* blocks(result: DuckDBResult): AsyncIterable<EngineRow[]> {
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) return;
    yield rowsOf(result, chunk);
  }
}

function rowsOf(result: DuckDBResult, chunk: DuckDBDataChunk): EngineRow[] {
  const names = result.columnNames();
  const columns = names.map((_, index) => chunk.convertColumnValues<EngineValue>(index, valueOf));
  return Array.from({ length: chunk.rowCount }, (_, row) =>
    Object.fromEntries(names.map((name, column) => [name, columns[column]?.[row] ?? null])),
  );
}

function valueOf(value: DuckDBValue): EngineValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') return value;
  if (typeof value === 'bigint') return exactNumber(value);
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue) return exactNumber(value.micros);
  if (value instanceof DuckDBListValue) return value.items.map(valueOf);
  if (value instanceof DuckDBMapValue) return value.entries.map((entry) => ({ key: valueOf(entry.key), value: valueOf(entry.value) }));
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([name, member]) => [name, valueOf(member)]));
  }
  return String(value);
}

const exactNumber = (value: bigint): number | bigint =>
  value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
