import type { Micros } from '../clock.ts';

/**
 * Remembers what has landed, so that a push that is sent again is answered without landing twice. Memory is bounded, and nothing of it
 * outlives the process: where it has forgotten, the push lands again and the law makes it harmless.
 */
export interface ReplayGuard {
  /** Does `work`, unless the same push has landed, or is landing, within the tolerance. A failed one may be tried again at once. */
  once(name: string, now: Micros, work: () => Promise<void>): Promise<'landed' | 'known'>;
}

const MOST_REMEMBERED = 100_000;

export function createReplayGuard(tolerance: Micros, most = MOST_REMEMBERED): ReplayGuard {
  const seen = new Map<string, { readonly at: Micros; readonly landing: Promise<void> }>();
  return {
    once: async (name, now, work) => {
      const before = seen.get(name);
      // A timestamp may be as far ahead of our clock as it may be behind it.
      if (before && now - before.at <= 2 * tolerance) {
        await before.landing;
        return 'known';
      }
      const landing = work();
      seen.delete(name);
      seen.set(name, { at: now, landing });
      landing.catch(() => seen.delete(name));
      forget(seen, now - 2 * tolerance, most);
      await landing;
      return 'landed';
    },
  };
}

/** A Map keeps the order in which its keys were set: the oldest stand first. */
function forget(seen: Map<string, { readonly at: Micros }>, before: Micros, most: number): void {
  for (const [name, { at }] of seen) {
    if (at >= before && seen.size <= most) return;
    seen.delete(name);
  }
}
