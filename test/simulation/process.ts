import type { Clock, Micros } from '../../src/clock.ts';
import type { Dice } from './dice.ts';
import type { Doer, Effect, Scheduler } from './scheduler.ts';

/** Microseconds that things take: a world in which everything is immediate, and worlds in which it is not. */
export interface Pace {
  readonly store: Micros;
  readonly partner: Micros;
  readonly warehouse: Micros;
  readonly task: Micros;
}

/** One process of the simulated world: everything that it does to the world, and how it sees time. */
export class SimulatedProcess implements Doer {
  readonly name: string;
  state: Doer['state'] = 'running';
  readonly dice: Dice;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly stopping = new AbortController();
  readonly pace: Pace;
  /** What dies with it: sessions and locks. */
  readonly onDeath: (() => Promise<void>)[] = [];
  /** Told each time that it asks for something. */
  afterAsking: () => void = () => undefined;

  /** @param skew how far its wall clock is ahead of the world's. */
  constructor(name: string, scheduler: Scheduler, dice: Dice, pace: Pace, skew: Micros) {
    this.name = name;
    this.scheduler = scheduler;
    this.dice = dice;
    this.pace = pace;
    const origin = scheduler.now() - dice.between(0, 1_000_000_000);
    this.clock = {
      now: () => scheduler.now() + skew,
      monotonicMs: () => (scheduler.now() - origin) / 1000,
      sleep: (ms, signal) => scheduler.sleep(this, ms * 1000, signal),
    };
  }

  /** Through the gate: the effect happens when the scheduler lets it. */
  perform<T>(
    kind: keyof Pace,
    label: string,
    work: () => Promise<T>,
    tell?: (value: T) => string,
    slow: { readonly before?: Micros; readonly after?: Micros } = {},
  ): Promise<T> {
    const effect: Effect<T> = {
      label,
      before: this.#duration(this.pace[kind]) + (slow.before ?? 0),
      after: this.#duration(this.pace[kind]) + (slow.after ?? 0),
      remote: kind === 'store' || kind === 'partner',
      work,
      ...(tell ? { tell } : {}),
    };
    const answer = this.scheduler.perform(this, effect);
    this.afterAsking();
    return answer;
  }

  #duration(mean: Micros): Micros {
    return mean === 0 ? 0 : Math.round(-Math.log(1 - this.dice.next()) * (mean / 2));
  }
}
