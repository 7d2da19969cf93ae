import type { Clock } from '../../../src/clock.ts';
import { SnowflakeError } from './errors.ts';
import { Executor, type Wheels } from './executor.ts';
import { statementsOf } from './lexer.ts';
import { type Finished, type Hold, type LoggedStatement, Query, type Submission } from './query.ts';
import { statusRow } from './rowset.ts';
import type { Session } from './session.ts';

/** Runs statements: one after the other in a session, in any order between sessions. */
export class Queries {
  readonly #clock: Clock;
  readonly #executor: Executor;
  readonly #all = new Map<string, Query>();
  readonly #turns = new Map<Session, Promise<unknown>>();
  readonly #running = new Set<Query>();
  /** Of each session, by the request's id. */
  readonly #requests = new Map<string, Query>();
  readonly #watchers: { readonly pattern: RegExp; resolve(query: Query): void }[] = [];
  readonly log: LoggedStatement[] = [];

  constructor(wheels: Wheels) {
    this.#clock = wheels.clock;
    this.#executor = new Executor(wheels, this.log);
  }

  byId(id: string): Query | undefined {
    return this.#all.get(id);
  }

  byRequest(session: Session, requestId: string): Query | undefined {
    return this.#requests.get(`${session.id} ${requestId}`);
  }

  running(): Query[] {
    return [...this.#running];
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
    this.#running.add(query);
    if (requestId !== '') this.#requests.set(`${session.id} ${requestId}`, query);
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
          ? this.#executor.run(query, statements[0] ?? '', binds)
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
      child.result = this.#logged(child, query.session.parameter('QUERY_TAG'), () => this.#executor.run(query, sql, binds));
      children.push(child);
      await child.result;
    }
    return { ...statusRow('Multiple statements executed successfully.'), typeId: 0xa000, children };
  }

  async #logged(query: Query, tag: string, work: () => Promise<Finished>): Promise<Finished> {
    const { sql, session, id: queryId } = query;
    const entry: LoggedStatement = { sql, session: session.id, tag, queryId, at: this.#clock.now(), status: 'running', code: null };
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
      this.#running.delete(query);
    }
  }
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
