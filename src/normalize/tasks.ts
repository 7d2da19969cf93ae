import type { ErrorDetails } from '../errors.ts';
import type { ManifestPage, QuarantinedRecord } from '../manifest/documents.ts';
import type { ReadFields } from '../page/fields.ts';
import type { Refusal } from '../page/record.ts';
import type { WrittenGroups } from '../parquet/file.ts';
import type { RowGroup } from '../parquet/row-group.ts';
import type { Contract } from '../schema/contract.ts';
import type { ShapeJson } from '../schema/shape.ts';
import type { KeyColumn } from '../stream.ts';
import type { TableLayout } from './table-layout.ts';

/** What goes between the coordinator and its workers: local files and statements, nothing that a thread could not be handed. */

/** A page's body as a local file. */
export interface PageBody {
  /** Number of the page in its batch. */
  readonly page: number;
  /** Store key or URL, for messages and lineage. */
  readonly key: string;
  /** The stored bytes: plain, gzip or zstd. */
  readonly path: string;
  /** Of the decoded bytes; null for a body that nobody measured before. */
  readonly measured: Pick<ManifestPage, 'sha256' | 'storedSha256' | 'span' | 'shape'> | null;
}

/** The index of a page, as it landed. */
export interface PageIndex {
  readonly page: number;
  /** Store keys of the page and of its index. */
  readonly key: string;
  readonly indexKey: string;
  /** The stored bytes. */
  readonly path: string;
  /** Of its decoded bytes. */
  readonly sha256: string;
  /** Null where it is not known. */
  readonly storedSha256: string | null;
  readonly records: number;
}

/** First pass over some pages: where their records stand, and sightings of them, or index lines for DuckDB to judge. */
export interface IndexTask {
  readonly kind: 'index';
  readonly pages: readonly (PageBody | PageIndex)[];
  /** Path of the record array in a body. */
  readonly records: readonly string[];
  readonly fields: ReadFields;
  /** Null where every field may come in. */
  readonly frozen: FrozenCheck | null;
  /** Of sightings. */
  readonly layout: TableLayout;
  /** Whether DuckDB judges all records, and none is sighted: rules are written in SQL. */
  readonly isJudged: boolean;
  readonly files: IndexFiles;
}

/** Local files of a first pass. */
export interface IndexFiles {
  /** Of each page, in their order: the place of each of its records (page/places.ts). */
  readonly places: string;
  /** Row groups of sightings. */
  readonly sightings: string;
  /** Index lines, with their page's number. */
  readonly lines: string;
}

/** What keeps records with fields out that their contract has frozen. */
export interface FrozenCheck {
  readonly contract: Contract;
  /** Content hashes that may enter all the same. */
  readonly released: readonly string[];
  readonly key: readonly KeyColumn[];
}

export interface IndexResult {
  /** Those of which a body was given. */
  readonly pages: readonly MeasuredPage[];
  /** Records that are neither sighted nor a line. */
  readonly refused: readonly RefusedRecord[];
  readonly sightings: Sightings;
  /** Index lines, and bytes of the longest. */
  readonly lines: number;
  readonly longest: number;
}

/** Sightings of pages of which every record surely may enter. */
export interface Sightings {
  readonly groups: readonly RowGroup[];
  readonly rows: number;
  /** Version times, Micros; null where there is none. */
  readonly first: number | null;
  readonly last: number | null;
}

export interface MeasuredPage {
  readonly page: number;
  readonly sha256: string;
  readonly records: number;
  readonly shape: ShapeJson;
}

/** A record that may not enter, and why: what was found of it, or a verdict of the narrow pass (`key`, `version`, a rule's number). */
export interface RefusedRecord {
  readonly page: number;
  readonly position: number;
  readonly key: readonly (string | null)[];
  readonly said: Refusal | { readonly verdict: string };
}

/** Writes the refused records of one page down, with their bytes. */
export interface RefuseTask {
  readonly kind: 'refuse';
  readonly page: PageBody;
  readonly records: readonly string[];
  readonly refused: readonly RefusedRecord[];
  readonly stream: string;
  /** Names of the rules, by their number in the verdict. */
  readonly rules: readonly { readonly name: string; readonly field: string }[];
  readonly path: string;
  readonly now: number;
}

export interface RefuseResult {
  /** Of the page's other records: one bad amount must not turn the column into JSON. */
  readonly shape: ShapeJson;
}

/** Lines of a RefuseTask's file: a quarantined record before its batch has a name. */
export type QuarantineLine = Omit<QuarantinedRecord, 'batch'>;

/** Second pass over some pages: the records that go on, as row groups. */
export interface RowsTask {
  readonly kind: 'rows';
  /** Local file of places. */
  readonly places: string;
  /** Pages of which anything goes on. */
  readonly pages: readonly RowsPage[];
  readonly layout: TableLayout;
  readonly batch: string;
  /** Null where it discards nothing. */
  readonly contract: Contract | null;
  readonly path: string;
}

export interface RowsPage extends PageBody {
  /** So many records of the file of places stand before its own, and are its own. */
  readonly before: number;
  readonly records: number;
  /** Whether an earlier task has read the same local file, and verified it. */
  readonly isVerified: boolean;
  /** Whether its records may have fields that their contract discards; they are looked at one by one then. */
  readonly discards: boolean;
  /** Positions of the records that go on, or of those that don't, joined by commas. */
  readonly positions: string;
  readonly areKept: boolean;
}

export interface RowsResult {
  readonly groups: readonly RowGroup[];
  /** Records that were read into objects first. */
  readonly exact: number;
  /** By field that the contract discards: how many records had it. */
  readonly discarded: Readonly<Record<string, number>>;
}

/** What was written of one group of pages. */
export interface WrittenRows extends RowsResult {
  readonly path: string;
}

/** Row groups of several tasks as one file; they are removed. */
export interface JoinTask {
  readonly kind: 'join';
  readonly layout: TableLayout;
  readonly parts: readonly WrittenGroups[];
  readonly path: string;
}

export interface JoinResult {
  readonly rows: number;
}

export interface StatementTask {
  readonly kind: 'statements';
  readonly run: readonly string[];
  /** One row each, by name. */
  readonly ask: Readonly<Record<string, string>>;
  /** Cleans up. */
  readonly after: readonly string[];
}
export type StatementResult = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export type Task = IndexTask | RefuseTask | RowsTask | JoinTask | StatementTask;
export type TaskResult = IndexResult | RefuseResult | RowsResult | JoinResult | StatementResult;

/** What a thread answers. */
export type Done = { readonly result: TaskResult } | { readonly failure: ErrorDetails };

export interface WorkerSettings {
  readonly memoryBytes: number;
  readonly tempDirectory: string;
}
