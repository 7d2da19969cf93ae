import { closeSync, openSync, writeFileSync } from 'node:fs';
import { type RowGroup, RowGroupWriter } from '../parquet/row-group.ts';
import type { RecordTable } from './record-table.ts';

/** A row group is held in memory while it is filled: records alone would be no limit where they are large. */
const GROUP_BYTES = 64_000_000;
const GROUP_ROWS = 100_000;

/** Writes a table's rows into a local file, a row group after the other. */
export class TableWriter {
  readonly groups: RowGroup[] = [];
  private readonly table: RecordTable;
  private readonly file: number;
  private readonly writer: RowGroupWriter;
  private readonly beforeGroup: () => void;
  private bytes = 0;

  /** @param beforeGroup sees the rows of each row group, before the table is emptied. */
  constructor(table: RecordTable, path: string, beforeGroup: () => void = () => undefined) {
    this.table = table;
    this.beforeGroup = beforeGroup;
    this.file = openSync(path, 'w');
    this.writer = new RowGroupWriter(table.kernel, (bytes) => writeFileSync(this.file, bytes));
  }

  /** So many rows fit the row group; at least one. */
  get room(): number {
    return GROUP_ROWS - this.table.rows;
  }

  /** Rows were appended to the table, from records of so many bytes. */
  count(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes >= GROUP_BYTES || this.table.rows >= GROUP_ROWS) this.flush();
  }

  flush(): void {
    this.bytes = 0;
    if (this.table.rows === 0) return;
    this.beforeGroup();
    this.groups.push(this.writer.flush(this.table.columns));
  }

  close(): void {
    closeSync(this.file);
  }
}
