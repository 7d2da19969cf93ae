import type { Micros } from '../../../src/clock.ts';
import type { Cursor } from './cursor.ts';

/** A value given beside the statement, as the wire has it. */
export interface Bind {
  readonly type: string;
  readonly value: string | null;
}

/** What the `$1` of a COPY's SELECT reads: the columns of the files, by their exact names. */
export interface StagedColumns {
  readonly names: ReadonlySet<string>;
  readonly fileColumn: string;
}

/** What a statement's names, functions and binds stand for: the session and the moment it runs in. */
export interface Scope {
  /** The grammar goes in circles (an expression holds queries, a query expressions): this is the way back. */
  expression(cursor: Cursor, scope: Scope, above?: number): string;
  /** DuckDB's SQL for a table, view or INFORMATION_SCHEMA view that is named. @throws that it does not exist. */
  table(parts: readonly string[]): string;
  /** The same, without what policies hold back: for what is kept. */
  plainTable(parts: readonly string[]): string;
  hasRole(role: string): boolean;
  /** Of the column that a masking policy looks at. */
  readonly columnTags?: ReadonlyMap<string, string>;
  now(): Micros;
  readonly binds: ReadonlyMap<string, Bind>;
  /** Facts such as CURRENT_ROLE, CURRENT_SESSION, by the function's name. */
  fact(name: string): string | null | undefined;
  parameter(name: string): string;
  /** Arguments as DuckDB's SQL; named ones as `NAME=value`. @throws for one that is not known. */
  tableFunction(name: string, args: readonly string[]): string;
  readonly staged?: StagedColumns;
}
