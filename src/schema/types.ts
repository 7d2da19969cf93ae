/**
 * Types of curated columns. They only ever widen, and every widening keeps each value exactly:
 *
 *   unknown → anything    integer → decimal → number-text    anything that conflicts → json
 */
export type ColumnType =
  /** Only nulls so far. A member of this type has no column yet; an element of this type is stored as a null text. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'boolean' }
  /** 64 bits; at most 18 digits. */
  | { readonly kind: 'integer' }
  | { readonly kind: 'decimal'; readonly precision: 18 | 38; readonly scale: number }
  /** A number that no decimal holds, in canonical digits (json/canonical.ts). */
  | { readonly kind: 'number-text' }
  | { readonly kind: 'text' }
  | { readonly kind: 'list'; readonly element: ColumnType }
  /** Members in ascending order of name (UTF-16 code units). */
  | { readonly kind: 'struct'; readonly members: readonly Member[] }
  /** Canonical JSON text (json/canonical.ts): the same value is the same text, whichever way it came. */
  | { readonly kind: 'json' };

export interface Member {
  readonly name: string;
  readonly type: ColumnType;
}

/** What a stream's curated table holds, besides its fixed columns: one column a top-level field of the records. */
export interface RecordSchema {
  /** Counts up by one with every change. */
  readonly version: number;
  /** In ascending order of name. Key and version columns, overflow fields and unknown ones are not among them. */
  readonly fields: readonly Member[];
  /** Top-level fields that no column can hold (names that differ by case alone, empty ones, ours): kept in `_overflow`. */
  readonly overflow: readonly string[];
}

/** Columns that every curated table ends with. Fields of records that bear these names go to `_overflow`. */
export const LINEAGE = {
  /** Store key of the page, or the URL of a foreign body. */
  page: '_page',
  /** Zero-based position of the record in the page's record array. */
  position: '_position',
  /** First 128 bits of SHA-256 over the record's bytes as landed, in hex. */
  contentHash: '_content_hash',
  /** Batch that brought the row. */
  batch: '_batch',
  /** When the row was loaded. In the warehouse only. */
  loadedAt: '_loaded_at',
} as const;

/** MAP(VARCHAR, VARCHAR): name → canonical JSON text, in ascending order of name; null where the record has no such field. */
export const OVERFLOW = '_overflow';

/** A struct of the columns that the stream's transform makes; there where it makes any. */
export const DERIVED = '_derived';
