import type { Clock, Micros } from '../../src/clock.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** A clock that only moves when it is told to. Whatever can run at a moment has run before time goes on. */
export class VirtualClock implements Clock {
  /** What the wall says; tests move it as operators and time servers do. */
  wall: Micros = 0;
  private ms = 0;
  private readonly sleepers = new Set<Sleeper>();

  now(): Micros {
    return this.wall;
  }

  monotonicMs(): number {
    return this.ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const sleeper = { at: this.ms + ms, wake: resolve };
      this.sleepers.add(sleeper);
      signal?.addEventListener('abort', () => {
        this.sleepers.delete(sleeper);
        reject(signal.reason as Error);
      });
    });
  }

  async advance(ms: number): Promise<void> {
    const until = this.ms + ms;
    for (;;) {
      await settled();
      const next = [...this.sleepers].filter((sleeper) => sleeper.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.ms = next.at;
      this.sleepers.delete(next);
      next.wake();
    }
    this.ms = until;
    await settled();
  }
}

/** Everything that waits for promises alone has run. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}
