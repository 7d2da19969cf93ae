import { TidemarkError } from '../errors.ts';
import type { ObjectStore } from './object-store.ts';

/** What goes wrong, by chance from a seed: the same calls under the same seed meet the same faults. */
export interface Faults {
  readonly seed: number;
  /** Share of calls that fail before they reach the store: nothing was done. */
  readonly failures?: number;
  /** Share of calls whose answer is lost: the store did what was asked. */
  readonly lostAnswers?: number;
  /** The call, one-based, at which the process dies: before the store hears of it, or after the store did it. */
  readonly death?: { readonly call: number; readonly moment: 'before' | 'after' };
  /** What dying is: `process.kill(process.pid, 'SIGKILL')` in a real process. Where it returns, every further call fails. */
  readonly die?: () => void;
}

export interface FaultyStore extends ObjectStore {
  /** Calls so far. */
  calls(): number;
  /** Whether the death was reached. */
  dead(): boolean;
}

type Fate = 'well' | 'failure' | 'lost' | 'dies-before' | 'dies-after';

/** Any store, made unreliable in the ways in which stores are. A listing counts as one call when it begins. */
export function faultyStore(inner: ObjectStore, faults: Faults): FaultyStore {
  const random = seededRandom(faults.seed);
  let calls = 0;
  let dead = false;

  const fateOf = (): Fate => {
    if (dead) throw fault('the process is dead', false);
    calls += 1;
    const chance = random();
    const { failures = 0, lostAnswers = 0, death } = faults;
    if (calls === death?.call) return death.moment === 'before' ? 'dies-before' : 'dies-after';
    return chance < failures ? 'failure' : chance < failures + lostAnswers ? 'lost' : 'well';
  };
  const end = (): never => {
    dead = true;
    faults.die?.();
    throw fault('the process died', false);
  };
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    const fate = fateOf();
    if (fate === 'dies-before') end();
    if (fate === 'failure') throw fault('the store is not reachable', true);
    const answer = await work();
    if (fate === 'dies-after') end();
    if (fate === 'lost') throw fault('the answer was lost', true);
    // What another call of this process died of ends this one as well.
    if (dead) throw fault('the process is dead', false);
    return answer;
  };

  return {
    url: inner.url,
    calls: () => calls,
    dead: () => dead,
    get: (key) => call(() => inner.get(key)),
    head: (key) => call(() => inner.head(key)),
    create: (key, body) => call(() => inner.create(key, body)),
    replace: (key, body, tag) => call(() => inner.replace(key, body, tag)),
    remove: (key) => call(() => inner.remove(key)),
    download: (key, path) => call(() => inner.download(key, path)),
    upload: (key, path) => call(() => inner.upload(key, path)),
    list: async function* (prefix) {
      await call(async () => undefined);
      for await (const info of inner.list(prefix)) {
        if (dead) throw fault('the process is dead', false);
        yield info;
      }
    },
  };
}

function fault(message: string, transient: boolean): TidemarkError {
  return new TidemarkError({
    code: 'STORE',
    message: `injected fault: ${message}`,
    hint: 'This store was made unreliable on purpose.',
    transient,
  });
}

/** A small generator (mulberry32) whose sequence depends on the seed alone. @returns numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
