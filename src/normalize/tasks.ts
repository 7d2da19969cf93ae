import type { ErrorDetails } from '../errors.ts';
import type { ByteSpan } from '../json/measure.ts';
import type { QuarantinedRecord } from '../manifest/documents.ts';
import type { ShapeJson } from '../schema/shape.ts';
import type { RecordSchema } from '../schema/types.ts';

/** What goes between the coordinator and its workers: local files and statements, nothing that a thread could not be handed. */

export interface PageTask {
  /** Number of the page in its batch. */
  readonly page: number;
  /** Store key or URL, for messages and lineage. */
  readonly key: string;
  /** Local file with the stored bytes: plain, gzip or zstd. */
  readonly path: string;
  /** Of the decoded bytes; null for a body that nobody measured before. */
  readonly measured: { readonly sha256: string; readonly span: ByteSpan; readonly shape: ShapeJson } | null;
}

/** Top-level fields of the records that the narrow pass reads. */
export interface ReadFields {
  readonly keys: readonly string[];
  readonly versions: readonly string[];
  readonly ruled: readonly string[];
}

export interface CutTask {
  readonly kind: 'cut';
  readonly pages: readonly PageTask[];
  readonly records: readonly string[];
  readonly fields: ReadFields;
  readonly stream: string;
  /** Names of the rules, by their number in the verdict. */
  readonly rules: readonly { readonly name: string; readonly field: string }[];
  readonly linesPath: string;
  readonly refusedPath: string;
  /** The narrow pass, with `LONGEST_LINE` where the longest line's bytes belong. */
  readonly narrowPass: string;
  readonly narrowTotals: string;
  readonly narrowRefused: string;
  readonly now: number;
}

export interface CutResult {
  readonly pages: readonly CutPage[];
  readonly longest: number;
  readonly accepted: number;
  readonly refused: number;
  /** Version times of accepted records, Micros. */
  readonly first: number | null;
  readonly last: number | null;
}

export interface CutPage {
  readonly page: number;
  readonly sha256: string;
  readonly records: number;
  /** Of the accepted records alone. */
  readonly shape: ShapeJson;
}

/** Lines of `refusedPath`: a quarantined record before its batch has a name. */
export type RefusedRecord = Omit<QuarantinedRecord, 'batch'>;

export interface StatementTask {
  readonly kind: 'statements';
  readonly run: readonly string[];
  /** One row each, by name. */
  readonly ask: Readonly<Record<string, string>>;
  /** Cleans up. */
  readonly after: readonly string[];
}
export type StatementResult = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface WriteTask {
  readonly kind: 'write';
  /** Line files whose pages must be rewritten first, and where to. */
  readonly rewrite: readonly { readonly from: string; readonly to: string; readonly pages: readonly number[] }[];
  readonly schema: RecordSchema;
  readonly fixed: readonly string[];
  /** With `LONGEST_LINE` where the longest line's bytes belong. */
  readonly savePart: string;
  readonly path: string;
  readonly longest: number;
}

export interface WriteResult {
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
  /** Records that took the exact path. */
  readonly exact: number;
}

/** What a thread answers. */
export type Done = { readonly result: CutResult | StatementResult | WriteResult } | { readonly failure: ErrorDetails };

export type Task = CutTask | StatementTask | WriteTask;
/** No quoted name or text can hold it, so that it is found nowhere else in a statement. */
export const LONGEST_LINE = '\0';

export interface WorkerSettings {
  readonly memoryBytes: number;
  readonly tempDirectory: string;
}
