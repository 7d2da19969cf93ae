import { createHash } from 'node:crypto';

/** What happened, a line a step; the hash of all of it tells whether two runs were the same. */
export class Trace {
  readonly #hash = createHash('sha256');
  readonly #lines: string[] = [];
  /** Lines that a reader wants to see whatever else is left out: faults, deaths, takeovers. */
  readonly #marked = new Set<number>();
  readonly #mostKept: number;
  #steps = 0;

  /** @param mostKept lines that are kept, the first ones: all, unless somebody has no use for them. */
  constructor(mostKept = Number.POSITIVE_INFINITY) {
    this.#mostKept = mostKept;
  }

  get steps(): number {
    return this.#steps;
  }

  add(line: string, marked = false): void {
    this.#steps += 1;
    this.#hash.update(`${line}\n`);
    if (this.#lines.length >= this.#mostKept) return;
    if (marked) this.#marked.add(this.#lines.length);
    this.#lines.push(line);
  }

  /** Ends the trace. */
  digest(): string {
    return this.#hash.digest('hex').slice(0, 16);
  }

  /** The last steps, and of those before them the last that are marked. */
  shortened(last = 60, marked = 60): string[] {
    const from = Math.max(0, this.#lines.length - last);
    const before = [...this.#marked].filter((index) => index < from).slice(-marked);
    const left = from - before.length;
    return [
      ...before.map((index) => this.#lines[index] ?? ''),
      ...(left > 0 ? [`… ${left} steps left out …`] : []),
      ...this.#lines.slice(from),
    ];
  }

  all(): readonly string[] {
    return this.#lines;
  }
}
