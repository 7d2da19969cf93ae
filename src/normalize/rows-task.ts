import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { assert } from '../errors.ts';
import { type ExactObject, isObject, parseExact } from '../json/exact.ts';
import { Kernel } from '../kernel.ts';
import { PLACE, Places } from '../page/places.ts';
import { withoutDiscarded } from '../schema/contract.ts';
import { fieldText } from '../schema/known-fields.ts';
import { unfoldBody } from './body.ts';
import { openBody } from './index-task.ts';
import { LastTables } from './last-tables.ts';
import { RecordTable } from './record-table.ts';
import { TableWriter } from './table-writer.ts';
import type { RowsPage, RowsResult, RowsTask } from './tasks.ts';

const tables = new LastTables((layout, batch) => new RecordTable(new Kernel(), layout, batch));

/** Writes the records that go on as row groups in the schema's types, with their lineage. */
export function writeRows(task: RowsTask): RowsResult {
  const rows = new Rows(task);
  try {
    for (const page of task.pages) rows.add(page);
    return rows.end();
  } finally {
    rows.close();
  }
}

class Rows {
  private readonly task: RowsTask;
  private readonly table: RecordTable;
  private readonly writer: TableWriter;
  private readonly file: number;
  private readonly discarded: Record<string, number> = {};
  private exact = 0;

  constructor(task: RowsTask) {
    this.task = task;
    this.table = tables.for(task.layout, task.batch);
    this.file = openSync(task.places, 'r');
    this.writer = new TableWriter(this.table, task.path);
  }

  add(page: RowsPage): void {
    const { table, writer } = this;
    const body = page.isVerified ? unfoldBody(readFileSync(page.path), page.key, page.measured?.span.end) : openBody(page).body;
    const places = this.placesOf(page);
    table.openBody(page.key, body, places);
    const isExact = page.discards || table.readsInputs;
    for (let at = 0; at < places.count; ) {
      if (isExact) {
        if (places.end(at) !== 0) this.addExact(page, body, places, at);
        at++;
        continue;
      }
      const { next, isOdd, bytes } = table.append(at, Math.min(places.count, at + writer.room));
      writer.count(bytes);
      if (isOdd) this.addExact(page, body, places, next);
      at = isOdd ? next + 1 : next;
    }
  }

  private addExact(page: RowsPage, body: Buffer, places: Places, position: number): void {
    const [start, end] = [places.start(position), places.end(position)];
    const record = parseExact(body.toString('utf8', start, end));
    assert(isObject(record), 'a record is an object');
    this.table.appendExact(page.discards ? this.withoutFields(record) : record, position);
    this.exact++;
    this.writer.count(end - start);
  }

  private withoutFields(record: ExactObject): ExactObject {
    const { contract } = this.task;
    assert(contract, 'what is discarded says the contract');
    const { record: kept, discarded } = withoutDiscarded(record, contract);
    for (const field of new Set(discarded.map(fieldText))) this.discarded[field] = (this.discarded[field] ?? 0) + 1;
    return kept;
  }

  /** Those of the page's records that go on; the others' end is 0. */
  private placesOf({ before, records, positions, areKept }: RowsPage): Places {
    const bytes = Buffer.allocUnsafe(records * PLACE);
    assert(readSync(this.file, bytes, 0, bytes.length, before * PLACE) === bytes.length, 'every record has a place');
    const places = new Places(bytes);
    const listed = new Set(positions === '' ? [] : positions.split(',').map(Number));
    if (areKept || listed.size > 0)
      for (let position = 0; position < records; position++) if (listed.has(position) !== areKept) places.leaveOut(position);
    return places;
  }

  end(): RowsResult {
    this.writer.flush();
    return { groups: this.writer.groups, exact: this.exact, discarded: this.discarded };
  }

  close(): void {
    closeSync(this.file);
    this.writer.close();
  }
}
