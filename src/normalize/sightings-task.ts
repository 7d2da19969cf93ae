import { readFileSync, rmSync } from 'node:fs';
import { IndexReader } from '../page/page-index.ts';
import { HASH_LENGTH } from '../page/record.ts';
import { joinRowGroups } from '../parquet/file.ts';
import { unfold } from '../store/compress.ts';
import { LastTables } from './last-tables.ts';
import type { RecordTable } from './record-table.ts';
import { parquetOf } from './table-layout.ts';
import { TableWriter } from './table-writer.ts';
import type { SightingsResult, SightingsTask } from './tasks.ts';

const RECORD = ',"r":'.length;
const tables = new LastTables();

/** Writes a sighting of every index line, where each of them surely may enter. */
export function writeSightings(task: SightingsTask): SightingsResult {
  const table = tables.for(task.layout, '');
  const rowsPath = `${task.path}.rows`;
  const times: number[] = [];
  let isFull = true;
  const writer = new TableWriter(table, rowsPath, () => {
    times.push(...table.times);
    isFull &&= table.isFull;
  });
  try {
    for (const { text, number } of indexes(task)) if (!sightLines(table, writer, text, number, task.keys)) return { plain: null };
    writer.flush();
    if (!isFull) return { plain: null };
    const rows = joinRowGroups(task.path, parquetOf(task.layout), [{ path: rowsPath, groups: writer.groups }]);
    return { plain: { rows, first: Math.min(...times), last: Math.max(...times) } };
  } finally {
    writer.close();
    rmSync(rowsPath);
  }
}

function* indexes({ numbered, landed }: SightingsTask): Iterable<{ text: Buffer; number: number | null }> {
  for (const path of numbered) yield { text: readFileSync(path), number: null };
  for (const { path, page } of landed) yield { text: unfold(readFileSync(path)), number: page };
}

/** @returns false where one of them is not plain; what is missing shows in the columns. */
function sightLines(table: RecordTable, writer: TableWriter, text: Buffer, number: number | null, keys: readonly string[]): boolean {
  let page = -1;
  for (const reader = new IndexReader(text, number); reader.read(); ) {
    if (reader.page !== page) {
      page = reader.page;
      table.open(text, keys[page] ?? '', text);
    }
    const { position, headStart, headEnd, lineEnd } = reader;
    if (table.append({ position, start: headEnd + RECORD, end: lineEnd, hash: headEnd - 1 - HASH_LENGTH })) return false;
    writer.count(lineEnd - headStart);
  }
  return true;
}
