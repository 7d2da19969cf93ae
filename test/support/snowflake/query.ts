import { randomUUID } from 'node:crypto';
import type { Micros } from '../../../src/clock.ts';
import { canceled, type SnowflakeError } from './errors.ts';
import type { Outcome } from './plan.ts';
import type { Bind } from './scope.ts';
import type { Session } from './session.ts';

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

/** What holds a statement up before or after its work. */
export interface Hold {
  readonly before?: () => Promise<void>;
  readonly after?: () => Promise<void>;
}
