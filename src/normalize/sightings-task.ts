import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { IndexReader } from '../page/page-index.ts';
import { HASH_LENGTH } from '../page/record.ts';
import { joinRowGroups } from '../parquet/file.ts';
import { type RowGroup, RowGroupWriter } from '../parquet/row-group.ts';
import { unfold } from '../store/compress.ts';
import { LastTables } from './last-tables.ts';
import type { RecordTable } from './record-table.ts';
import { parquetOf } from './table-layout.ts';
import type { SightingsResult, SightingsTask } from './tasks.ts';

const GROUP_ROWS = 100_000;
const RECORD = ',"r":'.length;
const tables = new LastTables();

/** Writes a sighting of every index line, where each of them surely may enter. */
export function writeSightings(task: SightingsTask): SightingsResult {
  const table = tables.for(task.layout, '');
  const rowsPath = `${task.path}.rows`;
  const file = openSync(rowsPath, 'w');
  const writer = new RowGroupWriter(table.kernel, (bytes) => writeSync(file, bytes));
  const groups: RowGroup[] = [];
  const times: number[] = [];
  const flush = (): void => {
    times.push(...table.times);
    groups.push(writer.flush(table.columns));
  };
  try {
    for (const { text, number } of indexes(task)) {
      if (!sightLines(table, text, number, task.keys)) return { plain: null };
      if (table.rows >= GROUP_ROWS) flush();
    }
    if (table.rows > 0) flush();
    const rows = joinRowGroups(task.path, parquetOf(task.layout), [{ path: rowsPath, groups }]);
    return { plain: { rows, first: Math.min(...times), last: Math.max(...times) } };
  } finally {
    closeSync(file);
    rmSync(rowsPath);
  }
}

function* indexes({ numbered, landed }: SightingsTask): Iterable<{ text: Buffer; number: number | null }> {
  for (const path of numbered) yield { text: readFileSync(path), number: null };
  for (const { path, page } of landed) yield { text: unfold(readFileSync(path)), number: page };
}

/** @returns whether all of them surely may enter. */
function sightLines(table: RecordTable, text: Buffer, number: number | null, keys: readonly string[]): boolean {
  let page = -1;
  for (const reader = new IndexReader(text, number); reader.read(); ) {
    if (reader.page !== page) {
      page = reader.page;
      table.open(text, keys[page] ?? '', text);
    }
    const { position, headEnd, lineEnd } = reader;
    if (table.append({ position, start: headEnd + RECORD, end: lineEnd, hash: headEnd - 1 - HASH_LENGTH })) return false;
  }
  return table.isFull;
}
