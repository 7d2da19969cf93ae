import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { FetchTotals, Window } from '../manifest/documents.ts';
import type { MutableTotals } from '../manifest/totals.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Stream } from '../stream.ts';
import type { RequestBudget } from './budget.ts';
import type { Circuit } from './circuit.ts';
import type { Exchange } from './client.ts';
import type { Credentials } from './request.ts';

/** Everything that fetching does to the world. */
export interface FetchEffects {
  readonly store: ObjectStore;
  readonly clock: Clock;
  /** In [0, 1): jitter. */
  readonly random: () => number;
  /** A fresh random name for each conditional write. */
  readonly randomId: () => string;
  readonly exchange: Exchange;
  readonly budget: RequestBudget;
  /** Of the source and its key; where left out, every request is sent, whatever came of those before it. */
  readonly circuit?: Circuit | undefined;
  readonly log: Log;
  /** Told after every landed page and every request that failed. */
  readonly progress?: ((progress: FetchProgress) => void) | undefined;
  /** Ends the work between two steps; what has landed is kept. */
  readonly signal?: AbortSignal | undefined;
}

export interface FetchProgress {
  readonly stream: string;
  readonly window: Window;
  /** So far, by this process. */
  readonly totals: FetchTotals;
}

/** One window's fetch: what is asked, by whom, with what. */
export interface WindowJob {
  readonly effects: FetchEffects;
  readonly stream: Stream;
  readonly environment: string;
  readonly window: Window;
  /** Of the lease: the generation that this process lands in. */
  readonly epoch: number;
  readonly credentials: Credentials;
  /** Which ask of the window it is: generations up to this one belong to an earlier, committed one. 0 for the first. */
  readonly ask: number;
  readonly totals: MutableTotals;
}

export function reportProgress({ effects, stream, window, totals }: WindowJob): void {
  effects.progress?.({ stream: stream.name, window, totals: { ...totals } });
}
