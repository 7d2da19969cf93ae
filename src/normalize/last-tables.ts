import type { RecordTable } from './record-table.ts';
import type { TableLayout } from './table-layout.ts';

/** As many batches as are in work at once. */
const KEPT = 2;

/** Keeps a thread's last tables: tasks of a batch follow each other, and columns that have grown once need not grow again. */
export class LastTables<T extends RecordTable> {
  private readonly create: (layout: TableLayout, batch: string) => T;
  /** The last one used comes last. */
  private readonly tables = new Map<string, T>();

  constructor(create: (layout: TableLayout, batch: string) => T) {
    this.create = create;
  }

  /** @returns an empty table of that layout. */
  for(layout: TableLayout, batch: string): T {
    const said = JSON.stringify([layout, batch]);
    const table = this.tables.get(said) ?? this.create(layout, batch);
    this.tables.delete(said);
    this.tables.set(said, table);
    for (const oldest of this.tables.keys()) if (this.tables.size > KEPT) this.tables.delete(oldest);
    table.clear();
    return table;
  }
}
