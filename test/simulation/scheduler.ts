import type { Micros } from '../../src/clock.ts';
import type { Dice } from './dice.ts';
import type { Trace } from './trace.ts';

/** Whoever does something: a process of the simulated world. Dead ones never hear of anything again; frozen ones only later. */
export interface Doer {
  readonly name: string;
  state: 'running' | 'frozen' | 'dead';
}

/** One thing that a process does to the world. */
export interface Effect<T> {
  /** For the trace: what, to what. */
  readonly label: string;
  /** Microseconds from the asking until it is done, and from then until the answer is there. */
  readonly before: Micros;
  readonly after: Micros;
  /** Done elsewhere once it was asked for: it goes on although the process froze, and may although it died. */
  readonly remote: boolean;
  readonly work: () => Promise<T>;
  /** The outcome, for the trace. */
  readonly tell?: (value: T) => string;
}

interface Pending {
  readonly doer: Doer | null;
  at: Micros;
  readonly remote: boolean;
  readonly happen: () => Promise<void>;
}

const MOST_STEPS = 60_000;
/** How likely what a process had sent is done although it died before the answer. */
const GHOSTS = 0.5;

/** The simulation as a whole does something that it must not. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/**
 * Lets one thing happen at a time, chosen by the seed among those that are due, and waits for its real end. Time passes only when
 * nothing is due. As nothing else ever waits for the real world (local-io.ts), the same seed gives the same steps.
 */
export class Scheduler {
  readonly trace: Trace;
  readonly #dice: Dice;
  #now: Micros;
  #pending: Pending[] = [];
  /** What ends the simulation, wherever it was found. */
  failure: unknown = null;
  /** Looks at the world after each step. @returns what is wrong with it, or null. */
  watch: () => unknown = () => null;
  readonly #mostSteps: number;

  constructor(start: Micros, dice: Dice, trace: Trace, mostSteps = MOST_STEPS) {
    this.#now = start;
    this.#dice = dice;
    this.trace = trace;
    this.#mostSteps = mostSteps;
  }

  now(): Micros {
    return this.#now;
  }

  /** Asks for an effect. @returns its answer; for a process that died meanwhile, never. */
  perform<T>(doer: Doer, effect: Effect<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (doer.state === 'dead') return;
      const answer = (deliver: () => void, outcome: string): void => {
        this.note(doer.name, `${effect.label} → ${outcome}`, outcome.startsWith('!'));
        if (doer.state === 'dead') return;
        if (effect.after === 0 && doer.state === 'running') return deliver();
        this.#pending.push({ doer, at: this.#now + effect.after, remote: false, happen: async () => deliver() });
      };
      const happen = async (): Promise<void> => {
        try {
          const value = await effect.work();
          answer(() => resolve(value), effect.tell?.(value) ?? 'ok');
        } catch (error) {
          answer(() => reject(error), `! ${error instanceof Error ? error.message : String(error)}`);
        }
      };
      this.#pending.push({ doer, at: this.#now + effect.before, remote: effect.remote, happen });
    });
  }

  /** Resolves after so many microseconds, unless the signal comes first. */
  sleep(doer: Doer, duration: Micros, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (doer.state === 'dead') return;
      if (signal?.aborted) return reject(signal.reason as Error);
      const stop = (): void => {
        this.#pending = this.#pending.filter((other) => other !== waking);
        if (doer.state !== 'dead') reject(signal?.reason as Error);
      };
      const waking: Pending = {
        doer,
        // However short, a sleep takes time: whoever sleeps for the rest of a fraction must find it over.
        at: this.#now + Math.max(0, Math.ceil(duration)),
        remote: false,
        happen: async () => {
          signal?.removeEventListener('abort', stop);
          resolve();
        },
      };
      signal?.addEventListener('abort', stop, { once: true });
      this.#pending.push(waking);
    });
  }

  /** Something that the world does by itself, at its time. */
  at(instant: Micros, happen: () => void | Promise<void>): void {
    this.#pending.push({ doer: null, at: Math.max(instant, this.#now), remote: true, happen: async () => happen() });
  }

  note(who: string, what: string, marked = false): void {
    const line = `${String(this.trace.steps).padStart(6)} ${(this.#now / 1e6 - 1_700_000_000).toFixed(3)} ${who.padEnd(6)} ${what}`;
    this.trace.add(line, marked);
    if (this.trace.steps > this.#mostSteps) throw new Violation(`the simulation does not end within ${this.#mostSteps} steps`);
  }

  /** Nothing that it waits for will come. What it had sent may still be done. */
  bury(doer: Doer): void {
    doer.state = 'dead';
    this.#pending = this.#pending.filter((pending) => pending.doer !== doer || (pending.remote && this.#dice.chance(GHOSTS)));
  }

  /** Goes on until `done`, or until nothing is left to happen. */
  async run(done: () => boolean): Promise<void> {
    for (;;) {
      await settled();
      const wrong = this.watch() ?? this.failure;
      if (wrong !== null) throw wrong as Error;
      if (done()) return;
      const next = this.#next();
      if (!next) return;
      this.#pending = this.#pending.filter((pending) => pending !== next);
      await next.happen();
    }
  }

  #next(): Pending | null {
    const able = this.#pending.filter(({ doer, remote }) => doer === null || remote || doer.state === 'running');
    const soonest = able.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY);
    this.#now = Number.isFinite(soonest) ? Math.max(this.#now, soonest) : this.#now;
    const due = able.filter(({ at }) => at <= this.#now);
    return due[Math.floor(this.#dice.next() * due.length)] ?? null;
  }
}

/** Everything that is not waiting for the gate has come to it: promises and ticks run dry before the next turn of the event loop. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
