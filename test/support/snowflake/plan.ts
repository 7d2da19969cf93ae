import type { Catalogue, FullName } from './catalogue.ts';
import type { Cursor } from './cursor.ts';
import type { Engine } from './engine.ts';
import type { TableLocks } from './locks.ts';
import type { RowSet } from './rowset.ts';
import type { Scope } from './scope.ts';
import type { Session } from './session.ts';

/** As the wire numbers kinds of statements. */
export const TYPE_ID = {
  select: 0x1000,
  insert: 0x3100,
  update: 0x3200,
  delete: 0x3300,
  merge: 0x3400,
  copy: 0x3600,
  session: 0x4000,
  transaction: 0x5000,
  ddl: 0x6000,
} as const;

export interface Stats {
  readonly numRowsInserted: number;
  readonly numRowsUpdated: number;
  readonly numRowsDeleted: number;
}

export interface Outcome extends RowSet {
  readonly stats?: Stats;
}

/** A statement that was understood: what it needs, and how it is done. */
export interface Plan {
  readonly typeId: number;
  /** The table that it rewrites rows of; it waits for that lock. */
  readonly locks?: FullName;
  /** A DDL: what the session had open is committed before. */
  readonly commits?: boolean;
  readonly needsWarehouse?: boolean;
  run(): Promise<Outcome>;
}

/** What a statement is planned in. */
export interface Context {
  readonly session: Session;
  readonly catalogue: Catalogue;
  readonly engine: Engine;
  readonly locks: TableLocks;
  readonly scope: Scope;
  readonly cursor: Cursor;
  /** @throws that there is no current database or schema. */
  readonly resolve: (parts: readonly string[]) => FullName;
  readonly readStaged: (url: string) => Promise<Buffer | null>;
  /** Writes bytes where DuckDB can read them. @returns the path. */
  readonly keepFile: (bytes: Buffer) => Promise<string>;
}

/** Done at once, or when the session's transaction commits. */
export function onCommit(session: Session, act: () => void): void {
  if (session.transaction) session.transaction.afterCommit.push(act);
  else act();
}
