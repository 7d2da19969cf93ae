import { randomUUID } from 'node:crypto';
import type { Clock, Micros } from '../../../src/clock.ts';
import { type Catalogue, type FullName, shown } from './catalogue.ts';
import { Cursor } from './cursor.ts';
import { tableSql } from './dml.ts';
import type { Engine } from './engine.ts';
import { canceled, lockTimedOut, noWarehouse, SnowflakeError, timedOut, warehouseSuspended } from './errors.ts';
import { statementsOf, tokensOf } from './lexer.ts';
import type { Patience, TableLocks } from './locks.ts';
import { type Outcome, type Plan, TYPE_ID } from './plan.ts';
import { Resolver, type ScopeParts, scopeOf } from './resolve.ts';
import { statusRow } from './rowset.ts';
import type { Bind } from './scope.ts';
import type { Session } from './session.ts';
import { planStatement } from './statements.ts';

/** One statement as it was executed, or was not. */
export interface LoggedStatement {
  readonly sql: string;
  readonly session: string;
  readonly tag: string;
  readonly queryId: string;
  readonly at: Micros;
  status: 'running' | 'succeeded' | 'failed';
  /** The error's code. */
  code: string | null;
}

export interface Finished extends Outcome {
  readonly typeId: number;
  /** Of several statements in one request: the queries of each. */
  readonly children?: readonly Query[];
}

export interface Submission {
  readonly sql: string;
  readonly requestId: string;
  readonly binds: Readonly<Record<string, Bind>>;
  readonly parameters: Readonly<Record<string, string>>;
}

/** A statement that was taken on: it goes on whether anybody waits for it or not. */
export class Query {
  readonly id: string;
  readonly sql: string;
  readonly requestId: string;
  readonly session: Session;
  readonly aborter = new AbortController();
  result: Promise<Finished> = Promise.reject(new Error('Not begun'));
  status: LoggedStatement['status'] = 'running';
  error: SnowflakeError | null = null;
  /** What happens to every answer about it. */
  fate: 'lost' | 'garbled' | null = null;

  constructor(session: Session, sql: string, requestId: string) {
    this.id = randomUUID();
    this.session = session;
    this.sql = sql;
    this.requestId = requestId;
    this.result.catch(() => undefined);
  }

  abort(reason: SnowflakeError = canceled()): void {
    this.aborter.abort(reason);
  }
}

export interface Wheels {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly locks: TableLocks;
  readonly catalogue: Catalogue;
  readonly account: string;
  readonly readStaged: (url: string) => Promise<Buffer | null>;
  readonly keepFile: (bytes: Buffer) => Promise<string>;
}

/** What holds a statement up before or after its work. */
export interface Hold {
  readonly before?: () => Promise<void>;
  readonly after?: () => Promise<void>;
}

/** Runs statements: one after the other in a session, in any order between sessions. */
export class Queries {
  readonly #wheels: Wheels;
  readonly #all = new Map<string, Query>();
  readonly #turns = new Map<Session, Promise<unknown>>();
  #ddl: Promise<unknown> = Promise.resolve();
  readonly #watchers: { readonly pattern: RegExp; resolve(query: Query): void }[] = [];
  readonly log: LoggedStatement[] = [];

  constructor(wheels: Wheels) {
    this.#wheels = wheels;
  }

  byId(id: string): Query | undefined {
    return this.#all.get(id);
  }

  byRequest(session: Session, requestId: string): Query | undefined {
    return [...this.#all.values()].find((query) => query.session === session && query.requestId === requestId && requestId !== '');
  }

  running(): Query[] {
    return [...this.#all.values()].filter((query) => query.status === 'running');
  }

  /** The next statement that matches, or one that runs already; its session's token is what aborts it. */
  whenRunning(pattern: RegExp): Promise<{ readonly id: string; readonly token: string }> {
    const running = this.running().find(({ sql }) => pattern.test(sql));
    if (running) return Promise.resolve({ id: running.id, token: running.session.token });
    return new Promise((resolve) => this.#watchers.push({ pattern, resolve: ({ id, session }) => resolve({ id, token: session.token }) }));
  }

  submit(session: Session, submission: Submission, hold: Hold = {}): Query {
    const query = this.#register(session, submission.sql, submission.requestId);
    const turn = this.#turns.get(session) ?? Promise.resolve();
    query.result = turn.then(() => this.#whole(query, submission, hold));
    query.result.catch(() => undefined);
    this.#turns.set(
      session,
      query.result.catch(() => undefined),
    );
    return query;
  }

  #register(session: Session, sql: string, requestId: string): Query {
    const query = new Query(session, sql, requestId);
    this.#all.set(query.id, query);
    for (const watcher of this.#watchers.filter(({ pattern }) => pattern.test(sql))) {
      this.#watchers.splice(this.#watchers.indexOf(watcher), 1);
      watcher.resolve(query);
    }
    return query;
  }

  async #whole(query: Query, { sql, binds, parameters }: Submission, hold: Hold): Promise<Finished> {
    try {
      return await this.#logged(query, parameters['QUERY_TAG'] ?? query.session.parameter('QUERY_TAG'), async () => {
        await hold.before?.();
        const statements = statementsOf(sql);
        const wanted = Number(parameters['MULTI_STATEMENT_COUNT'] ?? query.session.parameter('MULTI_STATEMENT_COUNT'));
        if (wanted !== 0 && statements.length !== wanted) throw wrongCount(statements.length, wanted);
        const value = await (statements.length === 1
          ? this.#one(query, statements[0] ?? '', binds)
          : this.#several(query, statements, binds));
        await hold.after?.();
        return value;
      });
    } finally {
      query.session.lastQueryId = query.id;
    }
  }

  async #several(query: Query, statements: readonly string[], binds: Submission['binds']): Promise<Finished> {
    const children: Query[] = [];
    for (const sql of statements) {
      const child = this.#register(query.session, sql, '');
      child.result = this.#logged(child, query.session.parameter('QUERY_TAG'), () => this.#one(query, sql, binds));
      children.push(child);
      await child.result;
    }
    return { ...statusRow('Multiple statements executed successfully.'), typeId: 0xa000, children };
  }

  async #logged(query: Query, tag: string, work: () => Promise<Finished>): Promise<Finished> {
    const { sql, session, id: queryId } = query;
    const entry: LoggedStatement = { sql, session: session.id, tag, queryId, at: this.#wheels.clock.now(), status: 'running', code: null };
    this.log.push(entry);
    try {
      const value = await work();
      entry.status = 'succeeded';
      return value;
    } catch (error) {
      query.error = asSnowflakeError(error);
      entry.status = 'failed';
      entry.code = query.error.code;
      throw query.error;
    } finally {
      query.status = entry.status;
    }
  }

  async #one(query: Query, sql: string, binds: Submission['binds']): Promise<Finished> {
    const { session } = query;
    let plan = this.#plan(session, sql, binds);
    this.#assertWarehouse(session, plan);
    const held = plan.locks && !this.#wheels.locks.holds(session, shown(plan.locks));
    if (plan.locks && held && (await this.#lock(query, plan.locks))) plan = this.#plan(session, sql, binds);
    query.aborter.signal.throwIfAborted();
    try {
      if (isDml(plan) && !session.isAutocommit) this.#wheels.engine.begin(session, String(this.#wheels.clock.now()));
      if (plan.commits) await this.#commit(session);
      const outcome = await (plan.commits ? this.#oneDdl(plan) : plan.run());
      if (plan.locks && held && (!session.transaction || changed(outcome) === 0)) this.#wheels.locks.release(session, shown(plan.locks));
      return { ...outcome, typeId: plan.typeId };
    } catch (error) {
      if (plan.locks && held) this.#wheels.locks.release(session, shown(plan.locks));
      throw error;
    }
  }

  /** One after the other, so that what one has looked up in the catalogue still holds when it acts. */
  #oneDdl(plan: Plan): Promise<Outcome> {
    const mine = this.#ddl.then(() => plan.run());
    this.#ddl = mine.catch(() => undefined);
    return mine;
  }

  async #commit(session: Session): Promise<void> {
    await this.#wheels.engine.commit(session);
    this.#wheels.locks.release(session);
  }

  #lock({ session, aborter }: Query, name: FullName): Promise<boolean> {
    const [lock, statement] = ['LOCK_TIMEOUT', 'STATEMENT_TIMEOUT_IN_SECONDS'].map((parameter) => Number(session.parameter(parameter))) as [
      number,
      number,
    ];
    const table = shown(name);
    const patience: Patience = {
      ms: Math.min(lock, statement) * 1000,
      error: (holder) => (lock <= statement ? lockTimedOut(table, holder) : timedOut(statement)),
    };
    return this.#wheels.locks.acquire(session, table, patience, aborter.signal);
  }

  #assertWarehouse(session: Session, plan: Plan): void {
    if (!plan.needsWarehouse) return;
    if (session.warehouse === null) throw noWarehouse();
    if (this.#wheels.catalogue.warehouses.get(session.warehouse)?.suspended) throw warehouseSuspended(session.warehouse);
  }

  #plan(session: Session, sql: string, binds: Submission['binds']): Plan {
    const { clock, catalogue, engine, locks, account, readStaged, keepFile } = this.#wheels;
    const cursor = new Cursor(sql);
    const resolver = new Resolver(session, catalogue);
    const parts: ScopeParts = { session, catalogue, resolver, account, now: clock.now(), binds: bindsOf(sql, binds), history: this.log };
    return planStatement({
      session,
      catalogue,
      engine,
      locks,
      cursor,
      readStaged,
      keepFile,
      scope: scopeOf(parts, tableSql),
      scopeAs: (role) => scopeOf({ ...parts, role }, tableSql),
      resolve: (names) => resolver.object(names),
      resolveSchema: (names) => resolver.schema(names),
    });
  }
}

const isDml = ({ typeId }: Plan): boolean => typeId >= TYPE_ID.insert && typeId <= TYPE_ID.copy;
const changed = ({ stats }: Outcome): number => (stats ? stats.numRowsInserted + stats.numRowsUpdated + stats.numRowsDeleted : 0);

/** By number, and for each `?` by the place of its token. */
function bindsOf(sql: string, binds: Submission['binds']): Map<string, Bind> {
  const found = new Map(Object.entries(binds));
  let count = 0;
  for (const [index, token] of tokensOf(sql).entries()) {
    if (token.kind !== 'mark' || token.value !== '?') continue;
    count += 1;
    const bind = binds[String(count)];
    if (bind) found.set(`?${index + 1}`, bind);
  }
  return found;
}

const wrongCount = (actual: number, wanted: number): SnowflakeError =>
  new SnowflakeError('000008', '0A000', `Actual statement count ${actual} did not match the desired statement count ${wanted}.`);

function asSnowflakeError(error: unknown): SnowflakeError {
  if (error instanceof SnowflakeError) return error;
  return new SnowflakeError(
    '000603',
    'XX000',
    `SQL execution internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
}
