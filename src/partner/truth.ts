import type { Micros } from '../clock.ts';
import { type RecordSource, winnersOf } from './record-source.ts';
import type { Entry } from './timeline.ts';

/** What a correct warehouse holds for one key. */
export interface TruthItem {
  /** Values of the key columns: [environment, event_id] or [vendor_txn_id]. */
  readonly key: string[];
  /** Values of the version columns: [updated_at, event_version] or [updated_at]. */
  readonly version: readonly [updatedAt: string, ...integers: number[]];
  /** The exact text that the API serves for the winning record. */
  readonly body: string;
  /** Other contents with the same full version; the law's content hash decides between them and `body`. Empty without conflicts. */
  readonly rivals: readonly string[];
  /** Why the quality rules refuse the key, or null. Only with `refused: 'include'` is it ever not null. */
  readonly refused: string | null;
}

interface TruthTotals {
  /** Keys with a visible record that the quality rules accept, and keys that they refuse. */
  keys: number;
  refusedKeys: number;
  /** Distinct visible records (every version of every key), accepted and refused. */
  observations: number;
  refusedObservations: number;
}

/** Iterating computes item after item; `totals` are complete once the iteration has ended. Iterate it once. */
export interface Truth extends Iterable<TruthItem> {
  readonly totals: Readonly<TruthTotals>;
}

export interface TruthQuestion {
  /** The partner's clock: what becomes visible later does not count. */
  readonly now: Micros;
  /** Only records with an `updated_at` at or after this. */
  readonly since?: Micros;
  /** Whether keys that the quality rules refuse are items too; they are counted either way. Default 'exclude'. */
  readonly refused?: 'include' | 'exclude';
}

/** Every key of a stream with its greatest visible record, in the order in which the keys began; nothing is held in memory. */
export function truth(source: RecordSource, question: TruthQuestion): Truth {
  const totals: TruthTotals = { keys: 0, refusedKeys: 0, observations: 0, refusedObservations: 0 };
  return { totals, [Symbol.iterator]: () => itemsOf(source, question, totals) };
}

function* itemsOf(source: RecordSource, question: TruthQuestion, totals: TruthTotals): Generator<TruthItem> {
  const { timeline } = source;
  const since = question.since ?? timeline.start;
  const last = Math.min(timeline.buckets - 1, timeline.bucketOf(question.now));
  for (let bucket = Math.max(0, timeline.bucketOf(since) - timeline.reach); bucket <= last; bucket += 1) {
    const count = timeline.eventsIn(bucket);
    for (let index = 0; index < count; index += 1) {
      const entries = timeline.entriesOf(bucket, index).filter((entry) => entry.updatedAt >= since && entry.visibleAt <= question.now);
      yield* itemsOfId(source, question, entries, totals);
    }
  }
}

function* itemsOfId(source: RecordSource, question: TruthQuestion, entries: readonly Entry[], totals: TruthTotals): Generator<TruthItem> {
  for (const environment of [0, 1] as const) {
    const [winner, ...rivals] = winnersOf(entries, environment, question.now);
    if (!winner) continue;
    const refused = source.refusalOf(winner);
    const observations = entries.filter((entry) => entry.environment === environment).length;
    totals[refused === null ? 'keys' : 'refusedKeys'] += 1;
    totals[refused === null ? 'observations' : 'refusedObservations'] += observations;
    if (refused === null || question.refused === 'include') yield itemOf(source, winner, rivals, refused);
  }
}

function itemOf(source: RecordSource, winner: Entry, rivals: readonly Entry[], refused: string | null): TruthItem {
  return {
    key: source.keyOf(winner),
    version: source.versionOf(winner),
    body: source.textOf(winner),
    rivals: rivals.map((rival) => source.textOf(rival)),
    refused,
  };
}
