import type { Clock } from '../../../src/clock.ts';
import { type Catalogue, type FullName, shown } from './catalogue.ts';
import { Cursor } from './cursor.ts';
import { tableSql } from './dml.ts';
import type { Engine } from './engine.ts';
import { lockTimedOut, noWarehouse, timedOut, warehouseSuspended } from './errors.ts';
import { tokensOf } from './lexer.ts';
import type { Patience, TableLocks } from './locks.ts';
import { type Outcome, type Plan, TYPE_ID } from './plan.ts';
import type { Finished, LoggedStatement, Query, Submission } from './query.ts';
import { Resolver, type ScopeParts, scopeOf } from './resolve.ts';
import type { Bind } from './scope.ts';
import type { Session } from './session.ts';
import { planStatement } from './statements.ts';

export interface Wheels {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly locks: TableLocks;
  readonly catalogue: Catalogue;
  readonly account: string;
  readonly readStaged: (url: string) => Promise<Buffer | null>;
  readonly keepFile: (bytes: Buffer) => Promise<string>;
}

/** Understands one statement, waits for its lock, and does it. */
export class Executor {
  readonly #wheels: Wheels;
  readonly #history: readonly LoggedStatement[];
  #ddl: Promise<unknown> = Promise.resolve();

  constructor(wheels: Wheels, history: readonly LoggedStatement[]) {
    this.#wheels = wheels;
    this.#history = history;
  }

  /** @throws as the service would. */
  async run(query: Query, sql: string, binds: Submission['binds']): Promise<Finished> {
    const { session } = query;
    const plan = this.#plan(session, sql, binds);
    this.#assertWarehouse(session, plan);
    const lock = plan.locks && !this.#wheels.locks.holds(session, shown(plan.locks)) ? plan.locks : null;
    const hasWaited = lock !== null && (await this.#lock(query, lock));
    try {
      query.aborter.signal.throwIfAborted();
      // What others committed meanwhile may have made another statement of it.
      const outcome = await this.#act(session, hasWaited ? this.#plan(session, sql, binds) : plan);
      if (lock && (!session.transaction || changed(outcome) === 0)) this.#wheels.locks.release(session, shown(lock));
      return outcome;
    } catch (error) {
      if (lock) this.#wheels.locks.release(session, shown(lock));
      throw error;
    }
  }

  async #act(session: Session, plan: Plan): Promise<Finished> {
    if (isDml(plan) && !session.isAutocommit) this.#wheels.engine.begin(session, String(this.#wheels.clock.now()));
    if (plan.commits) await this.#commit(session);
    return { ...(await (plan.commits ? this.#oneDdl(plan) : plan.run())), typeId: plan.typeId };
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
    const parts: ScopeParts = {
      session,
      catalogue,
      resolver,
      account,
      now: clock.now(),
      binds: bindsOf(sql, binds),
      history: this.#history,
    };
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
