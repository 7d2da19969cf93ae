import type { Micros } from '../../src/clock.ts';
import { MINUTE } from '../../src/time.ts';

/**
 * How many requests all processes together sent within any sixty seconds, by the times at which they were sent. The partner's own limit
 * does not tell: what the program is told may be less.
 */
export class SentRequests {
  readonly limit: number;
  /** The most of any minute so far. */
  most = 0;
  #recent: Micros[] = [];

  constructor(limit: number) {
    this.limit = limit;
  }

  sent(now: Micros): void {
    this.#recent = [...this.#recent.filter((at) => now - at < MINUTE), now];
    this.most = Math.max(this.most, this.#recent.length);
  }
}
