import type { SchemaChange } from '../schema/diff.ts';

/** What a partner's API did to us, day by day (UTC, of our clock): what one would send to the partner. */
export interface Scorecard {
  readonly stream: string;
  /** Whole days. */
  readonly from: string;
  readonly to: string;
  readonly bounds: { readonly latenessSeconds: number };
  readonly days: readonly ScorecardDay[];
  /** The same over all days. */
  readonly total: Omit<ScorecardDay, 'day' | 'typeChanges'>;
  /** Some of the records behind the counts, to be looked up on the partner's side. */
  readonly examples: { readonly silentChanges: readonly ScorecardExample[]; readonly tooLate: readonly ScorecardExample[] };
  /** Files that could not be read: what they hold is in no count. */
  readonly unreadable: readonly string[];
}

export interface ScorecardExample {
  readonly key: readonly string[];
  readonly version: readonly string[];
  /** When it first landed, and where. */
  readonly landedAt: string;
  readonly page: string;
}

export interface ScorecardDay {
  /** `YYYY-MM-DD`. */
  readonly day: string;
  readonly requests: RequestCounts;
  readonly pushes: number;
  readonly pages: number;
  /** Records that landed, repeated ones included. */
  readonly records: number;
  /** Records in quarantine for the configured rules, a missing key or version. */
  readonly refusedRecords: number;
  /** Records that stood in the answers to one window more than once, beyond pages that were repeated as a whole. */
  readonly repeatedRecords: number;
  /** Contents that came under a version which had another content before. */
  readonly silentChanges: number;
  readonly lateness: LatenessFigures;
  readonly typeChanges: readonly SchemaChange[];
}

export interface RequestCounts {
  readonly asked: number;
  readonly limited: number;
  readonly failed: number;
  /** Broken connections, in the middle of a body as well. */
  readonly reset: number;
  readonly stalled: number;
  /** Answers with a good status that were no page: HTML, empty, broken off, another shape. */
  readonly noPage: number;
  /** Pages with fewer records than asked, though more was to come, and pages that were sent again for another cursor. */
  readonly short: number;
  readonly duplicated: number;
}

/** Of versions that were seen for the first time, by a poll, a sweep or a push; those of the first poll are history, not late. */
export interface LatenessFigures {
  readonly records: number;
  /** Those that an earlier window had asked for, and that were not there then. */
  readonly late: number;
  /** Those that were late beyond the bound that the partner states, for certain. */
  readonly tooLate: number;
  /** Seconds from the version time to the landing; the wait until we asked is in it. Null where there was none. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly most: number | null;
}
