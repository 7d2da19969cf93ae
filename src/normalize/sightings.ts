import { Kernel } from '../kernel.ts';
import type { Places } from '../page/places.ts';
import { LastTables } from './last-tables.ts';
import { SightingTable } from './sighting-table.ts';
import type { TableLayout } from './table-layout.ts';
import { TableWriter } from './table-writer.ts';
import type { Sightings } from './tasks.ts';

const tables = new LastTables((layout) => new SightingTable(new Kernel(), layout));

/** Writes sightings into a local file, as row groups: of pages of which every record surely may enter, without DuckDB. */
export class SightingsWriter {
  private readonly table: SightingTable;
  private readonly writer: TableWriter;
  private readonly isJudged: boolean;
  private rows = 0;
  private first = Number.POSITIVE_INFINITY;
  private last = Number.NEGATIVE_INFINITY;

  /** @param isJudged whether DuckDB judges all records: none is written then. */
  constructor(layout: TableLayout, path: string, isJudged: boolean) {
    this.isJudged = isJudged;
    this.table = tables.for(layout, '');
    this.writer = new TableWriter(this.table, path, () => {
      const [first, last] = this.table.times;
      this.first = Math.min(this.first, first);
      this.last = Math.max(this.last, last);
      this.rows += this.table.rows;
    });
  }

  /** Takes a page by its body. @param captured spans of fields by record, as `names` has them. @returns whether all of it was written, or nothing. */
  takeBody(key: string, body: Buffer, places: Places, names: readonly string[], captured: Uint32Array): boolean {
    if (this.isJudged) return false;
    const before = this.table.rows;
    return this.keep(before, this.table.appendMembers(key, body, places, names, captured));
  }

  /** The same by its index as it landed. */
  takeIndex(key: string, index: Buffer): { readonly places: Places; readonly isWritten: boolean } {
    const before = this.table.rows;
    const { places, areAppended } = this.table.appendLines(key, index, !this.isJudged);
    return { places, isWritten: this.keep(before, areAppended) };
  }

  private keep(before: number, areAppended: boolean): boolean {
    if (areAppended && this.table.isFull) {
      this.writer.count(0);
      return true;
    }
    this.table.truncate(before);
    return false;
  }

  /** What was written. Nothing more is. */
  end(): Sightings {
    this.writer.flush();
    const { rows, first, last } = this;
    return { groups: this.writer.groups, rows, first: rows === 0 ? null : first, last: rows === 0 ? null : last };
  }

  close(): void {
    this.writer.close();
  }
}
