import { type DuckDBConnection, DuckDBInstance, type DuckDBResult } from '@duckdb/node-api';
import { engineFailure } from './failures.ts';
import { sqlString } from './names.ts';
import { type RowSet, rowSetOf } from './rowset.ts';
import type { JournalEntry, Session } from './session.ts';
import { addVariantFunctions } from './variant.ts';

export type Run = (sql: string) => Promise<DuckDBResult>;

/** DuckDB within a write: `change` is what has to be done again where the transaction is taken up again, `look` is not. */
export interface Writer {
  readonly change: Run;
  readonly look: Run;
}

/**
 * One DuckDB, one connection, one statement after the other. A session's open transaction is the list of its writes: while nobody else
 * runs anything it is an open transaction of DuckDB, too; whenever another session comes between, it is rolled back there, and what it
 * wrote is written again before its next statement. So each statement sees what was committed before it began (read committed, as on the
 * service), a failed statement leaves the rest of its transaction, and DuckDB never finds two writers in conflict: the locks in front of
 * it (locks.ts) have kept apart what the service would.
 */
export class Engine {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  #turn: Promise<unknown> = Promise.resolve();
  /** Whose transaction DuckDB has open. */
  #current: Session | null = null;
  #zone = '';

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  static async open(): Promise<Engine> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1', autoinstall_known_extensions: 'false' });
    const connection = await instance.connect();
    await addVariantFunctions(connection);
    return new Engine(instance, connection);
  }

  /** Outside of every session. */
  administer(sql: string): Promise<unknown> {
    return this.#inTurn(() => this.#connection.run(sql));
  }

  /** Rows of a query, in the session's transaction where it has one. */
  read(session: Session, sql: string): Promise<RowSet> {
    return this.#inTurn(async () => {
      await this.#enter(session);
      try {
        return await rowSetOf(await this.#run(sql), Number(session.parameter('JSON_INDENT')));
      } catch (error) {
        await this.#leave();
        throw error;
      }
    });
  }

  /** Writes that belong together: all or none of them. In the session's transaction, or committed at once. */
  write<T>(session: Session, work: (writer: Writer) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      await this.#enter(session);
      if (!session.transaction) await this.#connection.run('BEGIN');
      const journal: JournalEntry[] = [];
      try {
        const change = async (sql: string): Promise<DuckDBResult> => {
          const result = await this.#run(sql);
          journal.push({ sql, changed: result.rowsChanged });
          return result;
        };
        const value = await work({ change, look: (sql) => this.#run(sql) });
        if (session.transaction) session.transaction.journal.push(...journal);
        else await this.#connection.run('COMMIT');
        return value;
      } catch (error) {
        if (session.transaction) await this.#leave();
        else await this.#connection.run('ROLLBACK');
        throw error;
      }
    });
  }

  async #run(sql: string): Promise<DuckDBResult> {
    try {
      return await this.#connection.run(sql);
    } catch (error) {
      throw engineFailure(error, sql);
    }
  }

  begin(session: Session, id: string): void {
    session.transaction ??= { id, journal: [], afterCommit: [] };
  }

  commit(session: Session): Promise<void> {
    return this.#inTurn(async () => {
      const { transaction } = session;
      if (!transaction) return;
      await this.#enter(session);
      await this.#connection.run('COMMIT');
      this.#current = null;
      session.transaction = null;
      for (const act of transaction.afterCommit) act();
    });
  }

  rollback(session: Session): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#current === session) await this.#leave();
      session.transaction = null;
    });
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#leave();
      this.#connection.closeSync();
      this.#instance.closeSync();
    });
  }

  /** DuckDB's transaction becomes the session's, with what it had written; or none, where the session has none. */
  async #enter(session: Session): Promise<void> {
    if (this.#current !== session) await this.#leave();
    const zone = session.parameter('TIMEZONE');
    if (zone !== this.#zone) await this.#connection.run(`SET TimeZone = ${sqlString(zone)}`);
    this.#zone = zone;
    if (!session.transaction || this.#current === session) return;
    await this.#connection.run('BEGIN');
    this.#current = session;
    for (const { sql, changed } of session.transaction.journal) await this.#replay(sql, changed);
  }

  async #replay(sql: string, changed: number): Promise<void> {
    const result = await this.#connection.run(sql);
    if (result.rowsChanged !== changed) {
      throw new Error(
        `The test server cannot tell what this transaction wrote: ${sql} changed ${result.rowsChanged} rows, before ${changed}`,
      );
    }
  }

  async #leave(): Promise<void> {
    if (!this.#current) return;
    this.#current = null;
    await this.#connection.run('ROLLBACK');
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
}
