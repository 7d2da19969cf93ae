import type { Dice } from './dice.ts';

/** How often things go wrong, by kind; each world has rates of its own. All are shares of calls unless said otherwise. */
export interface FaultRates {
  /** The store: refused before anything was done; done, but the answer lost; refused, and done later all the same; 409; very slow. */
  readonly storeFailure: number;
  readonly storeLost: number;
  readonly storeLate: number;
  readonly storeCollision: number;
  readonly storeSlow: number;
  /** The connection to the partner is gone before the request reaches it. */
  readonly staleConnection: number;
  /** The warehouse: a statement fails; a session dies; COMMIT is done and its answer lost; somebody else has the file. */
  readonly statement: number;
  readonly session: number;
  readonly commitLost: number;
  readonly busy: number;
  /** A normalizer's task fails. */
  readonly task: number;
  /** An hour of a process: how often it is killed, frozen, told to stop. */
  readonly kills: number;
  readonly freezes: number;
  readonly stops: number;
}

export type FaultName = keyof FaultRates | 'brownout' | 'restart' | 'takeover';

/** Draws faults, counts them, and stops when told to. */
export class Faults {
  readonly rates: FaultRates;
  readonly counts: Partial<Record<FaultName, number>> = {};
  readonly #dice: Dice;
  #over = false;

  constructor(rates: FaultRates, dice: Dice) {
    this.rates = rates;
    this.#dice = dice;
  }

  /** Whether this call meets one of these faults; the first that is drawn. */
  draw<K extends keyof FaultRates>(...kinds: readonly K[]): K | null {
    if (this.#over) return null;
    let left = this.#dice.next();
    for (const kind of kinds) {
      left -= this.rates[kind];
      if (left < 0) return this.count(kind);
    }
    return null;
  }

  count<K extends FaultName>(kind: K): K {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    return kind;
  }

  stop(): void {
    this.#over = true;
  }

  get over(): boolean {
    return this.#over;
  }
}
