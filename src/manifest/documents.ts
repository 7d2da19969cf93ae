import type { Micros } from '../clock.ts';
import type { ByteSpan } from '../json/measure.ts';
import type { ShapeJson } from '../schema/shape.ts';
import type { RecordSchema } from '../schema/types.ts';
import type { WindowRef } from '../store/keys.ts';
import type { LatenessCounts, MeasuredLateness } from './lateness.ts';

/** The documents that stages leave for one another. Times are Micros; hashes are hex. All but Head are immutable once written. */

/**
 * push: of times of receipt, not of version times; what was sent to us in that stretch of the clock. lookup: records that were asked for one
 * by one at that time.
 */
export type WindowKind = 'poll' | 'sweep' | 'backfill' | 'push' | 'lookup';

export interface Window extends WindowRef {
  readonly kind: WindowKind;
}

/** One request of a partner that pushes. */
export interface Delivery {
  /** The partner's own id of it, where it names one. */
  readonly id: string | null;
  /** Of its body, as it was signed. */
  readonly sha256: string;
  readonly bytes: number;
  readonly records: number;
  readonly receivedAt: Micros;
}

/** What was measured of one answer at landing. Written after the page, before the cursor moves. */
export interface Receipt {
  readonly format: 1;
  readonly stream: string;
  readonly environment: string;
  readonly window: Window;
  readonly epoch: number;
  /** One-based position in the chain. */
  readonly slot: number;
  /** Key of the bytes. For a duplicate page, of the page that landed before with the same records. */
  readonly page: string;
  readonly verdict: PageVerdict;
  /** SHA-256 over the body as received after content decoding. */
  readonly sha256: string;
  readonly bytes: number;
  readonly storedBytes: number;
  readonly storedSha256?: string | null;
  readonly records: number;
  readonly span: ByteSpan;
  /** The position that was asked for and the one that comes next; null for the first, and where the chain ends, or where the partner did
   *  not say it although there is more. */
  readonly cursorIn: string | null;
  readonly cursorOut: string | null;
  readonly more: boolean;
  readonly pageSize: number;
  /** Of the records' version time; null where no record has one. */
  readonly minTime: Micros | null;
  readonly maxTime: Micros | null;
  /** How far a record's version time lies on the wrong side of one that stands before it; absent where nobody measured it. */
  readonly disorder?: Micros;
  readonly shape: ShapeJson;
  readonly index?: IndexRef | null;
  /** The partner's own id of the request, where it names one. */
  readonly requestId: string | null;
  /** Without secrets. */
  readonly url: string;
  /** Of a lookup, 404 and 410 as well: that a record is not there is an answer, without records. */
  readonly status: number;
  /** Of a lookup: the key that was asked for, null for columns that it leaves open. */
  readonly key?: readonly (string | null)[];
  readonly attempts: number;
  readonly requestedAt: Micros;
  readonly landedAt: Micros;
  /** For a page of pushes: what it is made of, in the order of its records. One alone is the page, byte for byte. */
  readonly deliveries?: readonly Delivery[];
}

/** full: as asked; short: fewer than asked though more is to come; duplicate: the records of an earlier page again; recovered: measured
 *  from the bytes by a later process, because the one that landed them died before it could write the receipt. */
export type PageVerdict = 'full' | 'short' | 'duplicate' | 'recovered';

/** The immutable list of a window's pages. The window is closed once head.json says so. */
export interface Manifest {
  readonly format: 1;
  readonly stream: string;
  readonly environment: string;
  readonly window: Window;
  readonly epoch: number;
  readonly pages: readonly ManifestPage[];
  readonly totals: FetchTotals;
  readonly gaps: readonly Gap[];
  /** Of the stream when the window was asked: what is new and lies before it came late. Absent or null where nobody knows. */
  readonly watermark?: Micros | null;
  /** Union of the pages' shapes. */
  readonly shape: ShapeJson;
  readonly committedAt: Micros;
}

export interface ManifestPage {
  readonly slot: number;
  readonly key: string;
  readonly sha256: string;
  /** Of the object as it is stored; absent or null where another attempt had stored it before. Much less to hash than what it unfolds to. */
  readonly storedSha256?: string | null;
  readonly bytes: number;
  readonly records: number;
  readonly span: ByteSpan;
  readonly shape: ShapeJson;
  readonly index?: IndexRef | null;
  readonly minTime: Micros | null;
  readonly maxTime: Micros | null;
}

/**
 * The index of a page (page/page-index.ts), beside it under `keys.indexKey`. Absent or null where there is none: its records must be looked at
 * one by one. It says nothing that the page does not, so it may be removed at any time.
 */
export interface IndexRef {
  /** Of its decoded bytes. */
  readonly sha256: string;
  /** Names of the record fields that it gives. */
  readonly fields: readonly string[];
  /** Of its bytes as they are stored. Absent where another attempt had stored it before. */
  readonly stored?: { readonly sha256: string };
}

export interface FetchTotals {
  /** Requests sent, lookups included. */
  readonly asked: number;
  /** Requests that were sent again: 429, 5xx, resets, truncated bodies, stalls. */
  readonly retried: number;
  /** Answers 429. */
  readonly limited: number;
  /** Other answers that say that the partner may answer later: 5xx, 408. */
  readonly failed: number;
  /** Connections that were refused or broke; `cut` of them in the middle of a body, which `refused` counts as well. */
  readonly reset: number;
  readonly cut: number;
  /** Requests that had no complete answer in time. */
  readonly stalled: number;
  /** Answers that repeated a page. */
  readonly duplicated: number;
  /** Answers with fewer records than asked though more was to come. */
  readonly short: number;
  /** Answers that were refused as no page: HTML, not JSON, another shape, truncated. */
  readonly refused: number;
  readonly pages: number;
  readonly records: number;
}

/** A stretch of version time that could not be asked whole. Named in dead letter under `deadLetter`. */
export interface Gap {
  readonly from: Micros;
  readonly to: Micros;
  readonly deadLetter: string;
}

/** A request that could not be answered. `dead-letter/<stream>/<id>.json`; its resolution is `<id>.resolved.json` beside it. */
export interface DeadLetter {
  readonly format: 1;
  readonly id: string;
  readonly stream: string;
  readonly window: Window;
  /** The newest generation of an earlier, committed ask of the same window; absent or 0 in the first. */
  readonly ask?: number;
  readonly slot: number;
  readonly cursor: string | null;
  readonly url: string;
  readonly pageSize: number;
  readonly attempts: number;
  /** What the last attempt said, and the bytes that it brought where it brought any (base64, at most 64 KiB). */
  readonly reason: string;
  readonly status: number | null;
  readonly body: string | null;
  /** What may be missing; null where smaller pages brought everything after all. */
  readonly gap: { readonly from: Micros; readonly to: Micros } | null;
  readonly at: Micros;
}

/** `state/<stream>/head.json`: the only mutable document of a stream besides its schema. */
export interface Head {
  readonly format: 1;
  readonly stream: string;
  /** Counts every change. */
  readonly seq: number;
  /** Random, per write: tells the writer whether a write with an unknown outcome was its own. */
  readonly opId: string;
  /** Raised by whoever takes over; fences everything that an earlier holder may still do. */
  readonly epoch: number;
  readonly holder: Holder | null;
  /** Where the first committed poll began: nothing older was ever asked for. Null before the first commit. */
  readonly since: Micros | null;
  /** Every window that ends at or before it is committed. Null before the first commit. */
  readonly watermark: Micros | null;
  /**
   * When the last sweep over the out-of-order bound, and over the lateness bound, was made. A catch-up over as long a stretch counts as one
   * once it is begun: all of it is asked after that time.
   */
  readonly sweptAt: { readonly outOfOrder: Micros | null; readonly lateness: Micros | null };
  /** Windows that were begun and are not committed. */
  readonly open: readonly Window[];
  /** Absent where nobody ever listened. */
  readonly pushes?: PushWindows;
  /** Committed windows whose batches are not all loaded, and polls beyond the watermark: they say what is covered there. */
  readonly pending: readonly PendingWindow[];
  /** How late records were of late. Absent before the first measurement. */
  readonly lateness?: MeasuredLateness;
  /** What the last poll was given: how much the next one will be. */
  readonly volume?: { readonly records: number; readonly length: Micros };
}

export interface PushWindows {
  /** Counts the windows: the generation of the last one that was begun. */
  readonly epoch: number;
  readonly open: readonly OpenPush[];
}

/** A window that a listener lands pushes in. Listeners hold no lease: each window is an entry of its own, with a generation of its own. */
export interface OpenPush {
  /** Random, of each beginning. */
  readonly id: string;
  readonly window: Window;
  readonly epoch: number;
  readonly holder: Omit<Holder, 'beat'>;
  /** Somebody has begun to commit it: what its listener lands from now on is not acknowledged. */
  readonly closing: boolean;
}

export interface Holder {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** Counts the renewals of the lease. */
  readonly beat: number;
}

export interface PendingWindow {
  readonly window: Window;
  readonly manifest: string;
  /** Ids of the batches that it was normalized into; null before that. */
  readonly batches: readonly string[] | null;
}

/** `curated/v1/<stream>/batch=<id>/batch.json`: one published batch, each key once. */
export interface Batch {
  readonly format: 1;
  /** Hex, derived from the pages' hashes, the stream's definition and `basis`. */
  readonly id: string;
  readonly stream: string;
  readonly origin: 'live' | 'replay' | 'release';
  /** The window that it belongs to; null for a replay of a prefix. */
  readonly window: Window | null;
  readonly pages: readonly { readonly key: string; readonly sha256: string; readonly records: number }[];
  /** Hash of what the configuration says of keys, versions and rules: what was normalized by another definition suppresses nothing. */
  readonly definition: string;
  /** Version of the transform that made its rows; absent for 0, none. */
  readonly transform?: number;
  /** The schema that its Parquet files were written with. */
  readonly schema: RecordSchema;
  readonly files: readonly BatchFile[];
  readonly sightings: readonly BatchFile[];
  readonly counts: BatchCounts;
  /** Absent where the stream's contract kept nothing out. */
  readonly contract?: ContractCounts;
  /** Of the version time of all accepted observations; null where there are none. */
  readonly minTime: Micros | null;
  readonly maxTime: Micros | null;
  /** Absent or null where it was not to be told which records are new. */
  readonly lateness?: LatenessCounts | null;
  /** Batches of the ledger whose sightings kept observations out of this one. Where one of them has left the ledger, this batch is void. */
  readonly basis: readonly string[];
  readonly createdAt: Micros;
}

/** By field that the schema version of the contract did not know: records in quarantine for it, and rows that are without it. */
export interface ContractCounts {
  readonly frozen: Readonly<Record<string, number>>;
  readonly discarded: Readonly<Record<string, number>>;
}

export interface BatchFile {
  readonly key: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly rows: number;
}

export interface BatchCounts {
  /** Records read, quarantined ones included. */
  readonly observations: number;
  readonly quarantined: number;
  /** Distinct keys among the accepted observations. */
  readonly distinct: number;
  /** Keys left out because a loaded batch holds the same or a greater observation. */
  readonly known: number;
  /** Rows in `files`: distinct − known. */
  readonly rows: number;
  /** Keys seen with one version and different contents. */
  readonly conflicts: number;
  /** Records that took the exact path because the fast one could not hold them. */
  readonly exact: number;
}

/** One record that may not enter. Lines of `quarantine/<stream>/batch=<id>/records.ndjson.zst`. */
export interface QuarantinedRecord {
  /** The content hash: the same record quarantined twice is one entry. */
  readonly id: string;
  readonly stream: string;
  readonly batch: string;
  /** `key`, `version`, `record` (not an object), `text` (lone surrogates), `contract: payload` (a new field
   *  where that is frozen), or the configured rule: `amount: present and >= 0`. */
  readonly rule: string;
  /** What was found, cut to 200 characters. */
  readonly value: string | null;
  readonly reason: string;
  readonly key: readonly (string | null)[];
  readonly page: string;
  readonly position: number;
  readonly span: ByteSpan;
  /** The record's bytes as landed, base64: they need not be text. */
  readonly body: string;
  /** Whether a release could let it in: not where it has no key or no version. */
  readonly releasable: boolean;
  readonly at: Micros;
}

/** `held/<stream>/<batch>.json`. */
export interface HeldBatch {
  readonly format: 1;
  readonly stream: string;
  readonly batch: string;
  readonly window: Window | null;
  readonly reason: string;
  readonly rows: number;
  readonly average: number;
  readonly band: readonly [low: number, high: number];
  readonly at: Micros;
}

/** `….decision.json` of a held batch, `decisions/<id>.json` of a quarantined record. */
export interface Decision {
  readonly format: 1;
  readonly decision: 'release' | 'discard';
  readonly by: string;
  readonly reason: string | null;
  readonly at: Micros;
}
