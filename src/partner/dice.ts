import { mix } from './hash.ts';

const RANGE = 2 ** 32;
/** Most numbers in records are small; taking their text from here saves a third of a record's time. */
const TEXTS = Array.from({ length: 10_000 }, (_, i) => String(i));

/** A short sequence of draws from one hash: the values of one record, field by field. */
export class Dice {
  #state: number;

  constructor(hash: number) {
    this.#state = hash;
  }

  /** 32 bits. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    return mix(this.#state, 1);
  }

  /** A whole number in [0, limit); the limit is at most 2^32. */
  below(limit: number): number {
    return ((this.next() / RANGE) * limit) >>> 0;
  }

  /** A whole number in [from, to], both included, as text. */
  between(from: number, to: number): string {
    const value = from + this.below(to - from + 1);
    return TEXTS[value] ?? String(value);
  }

  pick(list: readonly string[]): string {
    return list[this.below(list.length)] ?? '';
  }
}
