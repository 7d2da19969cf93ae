/** What `why` answers: the line from a curated row back to the bytes. Times are ISO 8601. */
export interface WhyReport {
  readonly stream: string;
  readonly asked: readonly string[];
  /** Keys that the question fits, in ascending order; at most KEY_LIMIT of them. */
  readonly keys: readonly WhyKey[];
  /** Whether there are more keys than are listed. */
  readonly more: boolean;
  /** Batches whose sightings were searched, and what of them could not be read. */
  readonly searched: { readonly batches: number; readonly sightings: number; readonly unreadable: readonly string[] };
  /** Windows that are landed and not normalized: the key may be in them, too. */
  readonly pending: readonly { readonly window: WhyWindow; readonly manifest: string }[];
}

export interface WhyKey {
  /** By name, in the order of the key's columns. */
  readonly key: Readonly<Record<string, string>>;
  /** A sentence: is the curated row what the law says, and why. */
  readonly verdict: string;
  /** Whether the curated table holds exactly the greatest loaded observation. */
  readonly agrees: boolean;
  /** What the curated table holds: one row, or none; more would be an error. */
  readonly curated: readonly WhyCurated[];
  /** The greatest first; each landed copy once. At most OBSERVATION_LIMIT. */
  readonly observations: readonly WhyObservation[];
  /** Of all observations, listed or not. */
  readonly observationCount: number;
  readonly quarantined: readonly WhyQuarantined[];
  /** The winner's bytes as text, cut to BYTES_LIMIT; null where they cannot be had. */
  readonly bytes: { readonly text: string; readonly length: number; readonly cut: boolean } | null;
}

export interface WhyCurated {
  readonly version: Readonly<Record<string, string>>;
  readonly contentHash: string;
  readonly page: string;
  readonly position: number;
  readonly batch: string;
  readonly loadedAt: string;
  /** All columns, as one JSON object. */
  readonly row: string;
}

export type BatchState = 'loaded' | 'held' | 'discarded' | 'not loaded';

export interface WhyObservation {
  /** The greatest of what is loaded, at the place that the curated row names. */
  readonly won: boolean;
  /** Why it won or lost, in a few words. */
  readonly reason: string;
  readonly version: Readonly<Record<string, string>>;
  readonly contentHash: string;
  readonly page: string;
  readonly position: number;
  /** Of the record in the decoded page; null where the page cannot be read. */
  readonly span: { readonly start: number; readonly end: number } | null;
  readonly state: BatchState;
  readonly proof: WhyProof;
  readonly landing: WhyLanding | null;
  /** Every batch that saw it, oldest first. */
  readonly batches: readonly WhyBatch[];
}

export interface WhyProof {
  /** The decoded page hashes to what its receipt says. */
  readonly page: 'verified' | 'differs' | 'missing' | 'unreadable' | 'no receipt';
  /** The record's bytes hash to the content hash. */
  readonly record: 'verified' | 'differs' | 'unknown';
  readonly sha256: string | null;
  readonly receiptSha256: string | null;
  /** What is wrong, where something is. */
  readonly problem: string | null;
}

/** How the page came to be here; from its receipt. */
export interface WhyLanding {
  readonly window: WhyWindow;
  readonly slot: number;
  readonly url: string;
  readonly requestId: string | null;
  readonly status: number;
  readonly attempts: number;
  readonly requestedAt: string;
  readonly landedAt: string;
}

export interface WhyBatch {
  readonly batch: string;
  readonly origin: 'live' | 'replay' | 'release';
  /** Version of the transform that made its rows; 0 for none. */
  readonly transform: number;
  readonly window: WhyWindow | null;
  readonly state: BatchState;
  readonly loadedAt: string | null;
  readonly queryId: string | null;
}

export interface WhyWindow {
  readonly kind: string;
  readonly start: string;
  readonly end: string;
}

export interface WhyQuarantined {
  /** For `tidemark quarantine show|release|discard`. */
  readonly id: string;
  readonly state: 'open' | 'released' | 'discarded';
  readonly rule: string;
  readonly value: string | null;
  readonly reason: string;
  readonly page: string;
  readonly position: number;
  readonly batch: string;
  readonly at: string;
}

export const KEY_LIMIT = 10;
export const OBSERVATION_LIMIT = 100;
/** Bytes of the winner that are shown. */
export const BYTES_LIMIT = 64 * 1024;
