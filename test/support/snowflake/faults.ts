import type { Session } from './session.ts';

/**
 * What goes wrong with one statement. The driver resends it with the same request id, seconds later, wherever the connection broke or the
 * status is 5xx; it does not where the answer is garbled or the status is 403 (but for statements
 * whose result is not streamed: then it asks once more, at once).
 *
 * Not executed:
 * - lost-before: the socket is destroyed; http-500, http-503: the service is out of order; garbled-before: half an answer, and success
 * - http-403: refused by what stands before the service
 * - session-gone: the session has ended, with what it had open; token-expired: the driver has to renew its token, and resends
 * - lock-timeout, deadlock, warehouse-suspended: the statement fails so, the transaction stays
 * - slow: it runs, and does nothing, until it is aborted
 *
 * Executed:
 * - transaction-ended: the session's transaction was rolled back before, as one is that stood idle while others waited; the statement runs by itself
 * - lost-after, http-503-after, garbled-after: the answer does not arrive; whoever resends the request gets it
 * - lost-for-good, garbled-for-good: the same, and so is the answer to every resend
 * - session-gone-after: the session ends before the answer
 * - slow-after: it is done, and seems to run until it is aborted
 */
export type FaultKind =
  | 'lost-before'
  | 'http-500'
  | 'http-503'
  | 'http-403'
  | 'garbled-before'
  | 'session-gone'
  | 'token-expired'
  | 'lock-timeout'
  | 'deadlock'
  | 'warehouse-suspended'
  | 'slow'
  | 'transaction-ended'
  | 'lost-after'
  | 'lost-for-good'
  | 'garbled-for-good'
  | 'http-503-after'
  | 'garbled-after'
  | 'session-gone-after'
  | 'slow-after';

export interface ArrivedStatement {
  readonly sql: string;
  readonly tag: string;
  readonly session: string;
  /** One-based, over the server's life; a resent statement counts again. */
  readonly count: number;
}

export interface Fault {
  readonly when: RegExp | ((statement: ArrivedStatement) => boolean);
  readonly kind: FaultKind;
  /** How often; once unless stated. */
  readonly times?: number;
  /** How many that match are left alone before. */
  readonly skip?: number;
}

export type Decide = (statement: ArrivedStatement) => FaultKind | null;

/** Rules in the order they were given; the first that matches decides. */
export class Faults {
  readonly #rules: { fault: Fault; seen: number }[] = [];
  #count = 0;
  decide: Decide | null = null;

  add(fault: Fault): void {
    this.#rules.push({ fault, seen: 0 });
  }

  clear(): void {
    this.#rules.length = 0;
    this.decide = null;
  }

  of(sql: string, session: Session): FaultKind | null {
    this.#count += 1;
    const statement: ArrivedStatement = { sql, tag: session.parameter('QUERY_TAG'), session: session.id, count: this.#count };
    for (const rule of this.#rules) {
      const { when, kind, times = 1, skip = 0 } = rule.fault;
      if (rule.seen >= skip + times || !(when instanceof RegExp ? when.test(sql) : when(statement))) continue;
      rule.seen += 1;
      if (rule.seen > skip) return kind;
    }
    return this.decide?.(statement) ?? null;
  }
}
