import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../../src/clock.ts';
import * as answers from './answers.ts';
import type { Catalogue } from './catalogue.ts';
import type { Engine } from './engine.ts';
import { deadlocked, lockTimedOut, SnowflakeError, warehouseSuspended } from './errors.ts';
import { type FaultKind, Faults } from './faults.ts';
import type { TableLocks } from './locks.ts';
import { authenticated, type LoginData, type User } from './login.ts';
import { shownName } from './names.ts';
import type { Queries } from './queries.ts';
import type { Hold, Query, Submission } from './query.ts';
import type { Session } from './session.ts';
import { Sessions } from './sessions.ts';
import { destroy, readRequest, sendGarbled, sendJson, sendStatus, type WireRequest } from './wire.ts';

export interface ServiceParts {
  readonly account: string;
  readonly users: readonly User[];
  readonly catalogue: Catalogue;
  readonly engine: Engine;
  readonly locks: TableLocks;
  readonly queries: Queries;
  readonly loginClock: Clock;
}

/** The addresses that drivers call. */
export class Service {
  readonly #parts: ServiceParts;
  readonly sessions = new Sessions();
  readonly faults = new Faults();

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  administrator(database: string): Session {
    const session = this.sessions.open('ADMINISTRATOR', 'ACCOUNTADMIN');
    const [warehouse = null] = this.#parts.catalogue.warehouses.keys();
    session.warehouse = warehouse;
    session.database = database;
    session.isExempt = true;
    session.setParameter('TIMEZONE', 'UTC');
    session.setParameter('MULTI_STATEMENT_COUNT', '0');
    return session;
  }

  async answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#route(await readRequest(incoming), response);
    } catch (error) {
      if (error instanceof SnowflakeError) sendJson(response, answers.refusal(error));
      else sendStatus(response, 500);
    }
  }

  async #route(request: WireRequest, response: ServerResponse): Promise<void> {
    const { pathname } = request.url;
    const byId = /^\/queries\/([0-9a-f-]{36})\/(result|abort-request)$/.exec(pathname);
    const monitored = /^\/monitoring\/queries\/([0-9a-f-]{36})$/.exec(pathname);
    if (pathname === '/session/v1/login-request') sendJson(response, this.#login(request));
    else if (pathname === '/session/token-request') sendJson(response, answers.renewed(this.sessions.renew(request.token)));
    else if (pathname === '/telemetry/send') sendJson(response, answers.succeeded('Log Received'));
    else if (pathname === '/session/heartbeat') sendJson(response, this.#heartbeat(request));
    else if (pathname === '/session') sendJson(response, await this.#logout(request));
    else if (pathname === '/queries/v1/query-request') await this.#query(request, response);
    else if (pathname === '/queries/v1/abort-request') sendJson(response, this.#abort(request, String(request.body['requestId'])));
    else if (byId?.[2] === 'abort-request') sendJson(response, this.#abort(request, null, byId[1]));
    else if (byId) await this.#deliver(this.#known(request, byId[1]), response);
    else if (monitored) sendJson(response, answers.monitored(this.#known(request, monitored[1])));
    else sendStatus(response, 404);
  }

  #login({ body, url }: WireRequest): object {
    const { catalogue, account, users, loginClock } = this.#parts;
    const data = body['data'] as LoginData;
    const user = authenticated(data, account, users, loginClock.now() / 1000);
    const wanted = (name: string): string | null => nameOf(url.searchParams.get(name));
    const role = wanted('roleName') ?? user.defaultRole ?? 'PUBLIC';
    if (!catalogue.roles.has(role) || !catalogue.hasRole(user.name, role)) {
      throw new SnowflakeError('390189', '08001', `Role '${shownName(role)}' specified in the connect string is not granted to this user.`);
    }
    const session = this.sessions.open(user.name, role);
    for (const [name, value] of Object.entries(data.SESSION_PARAMETERS ?? {}))
      if (session.parameter(name) !== '') session.setParameter(name, String(value));
    const [warehouse, database, schema] = ['warehouse', 'databaseName', 'schemaName'].map(wanted);
    // What does not exist is left out without a word, as the service does.
    session.warehouse = warehouse !== undefined && warehouse !== null && catalogue.warehouses.has(warehouse) ? warehouse : null;
    session.database = database !== undefined && database !== null && catalogue.databases.has(database) ? database : null;
    const wantedSchema = schema ?? 'PUBLIC';
    session.schema = session.database !== null && catalogue.databases.get(session.database)?.has(wantedSchema) ? wantedSchema : null;
    return answers.loggedIn(session);
  }

  #heartbeat({ token }: WireRequest): object {
    this.sessions.byToken(token);
    return answers.succeeded(null);
  }

  async #logout({ token }: WireRequest): Promise<object> {
    await this.end(this.sessions.byToken(token).id);
    return answers.succeeded(null);
  }

  async #endTransaction(session: Session): Promise<void> {
    await this.#parts.engine.rollback(session);
    this.#parts.locks.release(session);
  }

  /** What it had open is rolled back, what runs in it is aborted. */
  async end(id: string): Promise<void> {
    const session = this.sessions.all.find((candidate) => candidate.id === id);
    if (!session || session.isGone) return;
    session.isGone = true;
    for (const query of this.#parts.queries.running()) if (query.session === session) query.abort();
    await this.#endTransaction(session);
  }

  async #query(request: WireRequest, response: ServerResponse): Promise<void> {
    const session = this.sessions.byToken(request.token);
    const submission = submissionOf(request);
    const before = this.#parts.queries.byRequest(session, submission.requestId);
    if (before) return this.#deliver(before, response);
    const fault = this.faults.of(submission.sql, session);
    if (await this.#failsBefore(fault, session, response)) return;
    const query = this.#parts.queries.submit(
      session,
      submission,
      holdOf(fault, session, () => query),
    );
    if (request.body['asyncExec'] === true) return sendJson(response, answers.inProgress(query, true));
    if (fault === 'slow' || fault === 'slow-after') return sendJson(response, answers.inProgress(query, false));
    await this.#failsAfter(fault, query, response);
  }

  async #failsBefore(fault: FaultKind | null, session: Session, response: ServerResponse): Promise<boolean> {
    if (fault === 'lost-before') destroy(response);
    else if (fault === 'http-500' || fault === 'http-503' || fault === 'http-403') sendStatus(response, Number(fault.slice(5)));
    else if (fault === 'garbled-before') sendGarbled(response);
    else if (fault === 'token-expired' || fault === 'session-gone') {
      if (fault === 'token-expired') session.isTokenExpired = true;
      else await this.end(session.id);
      this.sessions.byToken(session.token);
    } else {
      if (fault === 'transaction-ended') await this.#endTransaction(session);
      return false;
    }
    return true;
  }

  async #failsAfter(fault: FaultKind | null, query: Query, response: ServerResponse): Promise<void> {
    if (fault === null || !/-after$|-for-good$/.test(fault)) return this.#deliver(query, response);
    await query.result.catch(() => undefined);
    if (fault === 'lost-for-good' || fault === 'garbled-for-good') query.fate = fault === 'lost-for-good' ? 'lost' : 'garbled';
    if (fault === 'http-503-after') sendStatus(response, 503);
    else if (fault === 'garbled-after' || fault === 'garbled-for-good') sendGarbled(response);
    else if (fault === 'session-gone-after') {
      await this.end(query.session.id);
      this.sessions.byToken(query.session.token);
    } else destroy(response);
  }

  async #deliver(query: Query, response: ServerResponse): Promise<void> {
    if (query.fate !== null) return query.fate === 'lost' ? destroy(response) : sendGarbled(response);
    try {
      sendJson(response, answers.finished(query, await query.result));
    } catch (error) {
      sendJson(response, answers.failure(query, error as SnowflakeError));
    }
  }

  #known({ token }: WireRequest, id = ''): Query {
    this.sessions.byToken(token);
    const query = this.#parts.queries.byId(id);
    if (!query) throw new SnowflakeError('000709', '02000', `Statement ${id} not found`);
    return query;
  }

  #abort({ token }: WireRequest, requestId: string | null, id?: string): object {
    const session = this.sessions.byToken(token);
    const query = requestId === null ? this.#parts.queries.byId(id ?? '') : this.#parts.queries.byRequest(session, requestId);
    if (query?.status !== 'running') throw new SnowflakeError('000605', '57014', `Identified SQL statement is not currently executing.`);
    query.abort();
    return answers.succeeded(null);
  }
}

/** As in a connection's options: capitals, unless in quotes. */
const nameOf = (name: string | null): string | null =>
  name === null || name === '' ? null : name.startsWith('"') ? name.slice(1, -1) : name.toUpperCase();

function submissionOf({ body, url }: WireRequest): Submission {
  const { sqlText, bindings, parameters } = body as {
    sqlText?: string;
    bindings?: Submission['binds'];
    parameters?: Submission['parameters'];
  };
  return { sql: sqlText ?? '', requestId: url.searchParams.get('requestId') ?? '', binds: bindings ?? {}, parameters: parameters ?? {} };
}

/** Faults of the statement itself. */
function holdOf(fault: FaultKind | null, session: Session, query: () => Query): Hold {
  const untilAborted = (): Promise<void> =>
    new Promise((_, reject) => {
      const { signal } = query().aborter;
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  const fails = (error: SnowflakeError): Hold => ({
    before: async () => {
      throw error;
    },
  });
  if (fault === 'slow') return { before: untilAborted };
  if (fault === 'slow-after') return { after: untilAborted };
  if (fault === 'lock-timeout') return fails(lockTimedOut('T', '0'));
  if (fault === 'deadlock') return fails(deadlocked('T'));
  if (fault === 'warehouse-suspended') return fails(warehouseSuspended(session.warehouse ?? 'WH'));
  return {};
}
