import type { Micros } from '../clock.ts';
import type { Batch, WindowKind } from '../manifest/documents.ts';
import type { RecordSchema } from '../schema/types.ts';
import type { Stream } from '../stream.ts';

/**
 * What Tidemark asks of a warehouse. The curated row of a key is the greatest of its observations by (version, content hash); `load`
 * keeps it so in whatever order batches come, however often, and whoever else is loading.
 *
 * A warehouse is held only as long as an operation needs it: another process may be waiting (WAREHOUSE_BUSY is transient).
 */
export interface Warehouse {
  readonly url: string;

  /** Whether it reads the batches' files from the store itself, by their keys: then none are brought to this machine for `load`. */
  readonly readsStore: boolean;

  /**
   * Creates what a stream needs and evolves its curated table to hold `schema`; both idempotent. Fields are added in place; a widened
   * one keeps every value (schema/convert.ts). A table that is already wider stays as it is.
   * @throws WAREHOUSE_VERSION where the tables were made by a version that this one does not know.
   */
  migrate(stream: Stream, schema: RecordSchema): Promise<void>;

  /** Batches that the curated table holds, oldest first. Empty where the warehouse is new. */
  ledger(stream: string): Promise<readonly LedgerEntry[]>;

  /**
   * Loads one batch, exactly once in effect: merge, ledger, audit and watermark in one transaction, guarded by the fence. A batch that
   * the ledger holds is left alone (`outcome: 'already'`), but the watermark still moves.
   * @param files local paths of `batch.files`, in that order; none where it reads the store itself.
   * @param watermark the stream's watermark once this batch is in, or null to leave it; it never moves back.
   * @throws FENCED where another loader took the fence; CORRUPT where a file's rows are not what the batch says; then nothing changed.
   */
  load(stream: Stream, batch: Batch, files: readonly string[], watermark: Micros | null): Promise<LoadOutcome>;

  /**
   * What `migrate` and `load` of that batch would change; changes nothing.
   * @param files local paths of `batch.files`, in that order.
   */
  preview(stream: Stream, batch: Batch, files: readonly string[]): Promise<LoadPreview>;

  /** Moves the watermark where no batch is to be loaded with it (a window without new rows); it never moves back. */
  advance(stream: string, watermark: Micros): Promise<void>;

  watermark(stream: string): Promise<Micros | null>;

  /** The curated row of each key that is `key`, with every column as JSON text; partial keys (leading columns left out as null) find several. */
  find(stream: Stream, key: readonly (string | null)[]): Promise<readonly CuratedRow[]>;

  /** Rows, distinct keys, greatest version time, of the curated table. */
  summary(stream: Stream): Promise<TableSummary>;

  /** Every (key, version, content hash) in ascending order of key, streamed. For `verify`, which compares with the sightings. */
  rows(stream: Stream): AsyncIterable<CuratedIdentity>;

  /**
   * Rows whose version time is in [from, to), by the money that the stream's configuration names: rows of one amount and
   * currency are counted together, so that nothing is added up before it is exact. A stream without money has one entry for all rows, or none.
   */
  tally(stream: Stream, from: Micros, to: Micros): AsyncIterable<MoneyTally>;

  /** Every curated row with all its columns, in ascending order of key, streamed. */
  contents(stream: Stream): AsyncIterable<CuratedRow>;

  /** Runs one read-only statement; for `tidemark query`-like conveniences, the demo and tests. */
  query(sql: string): Promise<readonly Record<string, unknown>[]>;

  close(): Promise<void>;
}

/** Where a record stands that may not enter, and why: nothing of what it says. */
export interface QuarantinedPlace {
  readonly page: string;
  readonly position: number;
  readonly rule: string;
  readonly contentHash: string;
}

export interface LedgerEntry {
  readonly batch: string;
  readonly origin: Batch['origin'];
  readonly windowKind: WindowKind | null;
  readonly windowStart: Micros | null;
  readonly windowEnd: Micros | null;
  readonly rows: number;
  /** Of them, those of keys that the table did not have, and those that were greater than what it had. */
  readonly inserted: number;
  readonly updated: number;
  readonly distinct: number;
  readonly minTime: Micros | null;
  readonly maxTime: Micros | null;
  readonly loadedAt: Micros;
}

export interface LoadOutcome {
  readonly outcome: 'loaded' | 'already';
  readonly inserted: number;
  readonly updated: number;
  /** Rows that lost against what the table held. */
  readonly unchanged: number;
  /** Id of the statement or transaction in the warehouse, for the audit. */
  readonly queryId: string;
}

/** reread: the same observation, of which a greater transform makes another row. */
export type PreviewKind = (typeof PREVIEW_KINDS)[number];
export const PREVIEW_KINDS = ['inserted', 'updated', 'reread'] as const;

export interface LoadPreview {
  /** What would be done to the table first; empty where it stays, or would be created. */
  readonly statements: readonly string[];
  /** Rows that would change nothing. */
  readonly same: number;
  /** By day of the version time. */
  readonly days: readonly { readonly day: string; readonly kind: PreviewKind; readonly rows: number }[];
  /** How many rows that are there would have another value in each field. */
  readonly fields: readonly { readonly name: string; readonly rows: number }[];
  readonly money: readonly PreviewMoney[];
  readonly samples: readonly PreviewSample[];
}

/** Rows that would change, of one amount and currency before and one after. */
export interface PreviewMoney {
  readonly day: string;
  /** Empty for the money that the configuration names, else the derived column. */
  readonly label: string;
  readonly rows: number;
  readonly before: Omit<MoneyTally, 'rows'>;
  readonly after: Omit<MoneyTally, 'rows'>;
}

export interface PreviewSample {
  readonly kind: PreviewKind;
  readonly key: readonly string[];
  /** Those that differ, as canonical JSON; none for a row that is inserted. */
  readonly fields: readonly { readonly name: string; readonly before: string | null; readonly after: string | null }[];
}

export interface CuratedRow {
  readonly key: readonly string[];
  readonly version: readonly number[];
  readonly contentHash: string;
  readonly page: string;
  readonly position: number;
  readonly batch: string;
  readonly loadedAt: Micros;
  /** All columns, as one JSON object. */
  readonly row: string;
}

export interface CuratedIdentity {
  readonly key: readonly string[];
  /** As text: microseconds for the time, digits for the rest. */
  readonly version: readonly string[];
  readonly contentHash: string;
}

export interface MoneyTally {
  /** Canonical JSON; null where the row has none. */
  readonly amount: string | null;
  readonly currency: string | null;
  readonly rows: number;
}

export interface TableSummary {
  readonly rows: number;
  readonly distinct: number;
  readonly latest: Micros | null;
}
