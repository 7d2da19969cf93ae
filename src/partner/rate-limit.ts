const MINUTE_MS = 60_000;

/** At most `limit` admitted requests of one key in any 60 seconds, exactly: the times of the last `limit` ones are kept in a ring. */
export class RateLimit {
  readonly #limit: number;
  readonly #rings = new Map<string, { times: Float64Array; next: number }>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns 0 where the request is admitted, else the milliseconds until one would be. */
  ask(key: string, nowMs: number): number {
    const ring = this.#ringOf(key);
    const oldest = ring.times[ring.next] ?? Number.NEGATIVE_INFINITY;
    if (nowMs - oldest < MINUTE_MS) return MINUTE_MS - (nowMs - oldest);
    ring.times[ring.next] = nowMs;
    ring.next = (ring.next + 1) % this.#limit;
    return 0;
  }

  #ringOf(key: string): { times: Float64Array; next: number } {
    const known = this.#rings.get(key);
    if (known) return known;
    const ring = { times: new Float64Array(this.#limit).fill(Number.NEGATIVE_INFINITY), next: 0 };
    this.#rings.set(key, ring);
    return ring;
  }
}
