import { hash } from 'node:crypto';
import { seededRandom } from '../../src/store/faulty.ts';

/** Draws that depend on a seed and on what has been drawn before, and on nothing else. */
export class Dice {
  readonly #seed: string;
  readonly #random: () => number;

  constructor(seed: string) {
    this.#seed = seed;
    this.#random = seededRandom(Number.parseInt(hash('sha256', seed).slice(0, 8), 16));
  }

  /** Draws of its own for one purpose: what others draw does not change them. */
  fork(purpose: string): Dice {
    return new Dice(`${this.#seed}/${purpose}`);
  }

  /** In [0, 1). */
  next(): number {
    return this.#random();
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }

  /** A whole number from `least` to `most`, small ones as likely as large ones by their digits. */
  spread(least: number, most: number): number {
    return Math.round(least * (most / least) ** this.#random());
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[Math.floor(this.#random() * from.length)] ?? from[0];
  }

  id(): string {
    return Array.from({ length: 4 }, () =>
      Math.floor(this.#random() * 2 ** 32)
        .toString(16)
        .padStart(8, '0'),
    ).join('');
  }
}
