import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { assert } from '../errors.ts';
import { type ExactObject, isObject, parseExact } from '../json/exact.ts';
import { IndexReader } from '../page/page-index.ts';
import { HASH_LENGTH } from '../page/record.ts';
import { type RowGroup, RowGroupWriter } from '../parquet/row-group.ts';
import { withoutDiscarded } from '../schema/contract.ts';
import { fieldText } from '../schema/known-fields.ts';
import { unfold } from '../store/compress.ts';
import { unfoldBody } from './body.ts';
import { openBody } from './index-task.ts';
import { LastTables } from './last-tables.ts';
import type { RecordTable } from './record-table.ts';
import type { RowsPage, RowsResult, RowsTask } from './tasks.ts';

/** A row group is held in memory while it is filled: records alone would be no limit where they are large. */
const GROUP_BYTES = 64_000_000;
const GROUP_RECORDS = 100_000;
/** So many records are appended before the memory they take is reckoned. */
const RECKON = 1000;

const tables = new LastTables();

/** Writes the records that go on as row groups in the schema's types, with their lineage. */
export function writeRows(task: RowsTask): RowsResult {
  const table = tables.for(task.layout, task.batch);
  const pages = new Map(task.pages.map((page) => [page.page, page]));
  const discarded: Record<string, number> = {};
  const groups: RowGroup[] = [];
  let exact = 0;
  const file = openSync(task.path, 'w');
  const writer = new RowGroupWriter(table.kernel, (bytes) => writeSync(file, bytes));
  try {
    for (const { text, number } of indexes(task)) {
      let open: OpenPage | null = null;
      let at = -1;
      for (const reader = new IndexReader(text, number); reader.read(); ) {
        if (reader.page !== at) {
          at = reader.page;
          open = openPage(pages.get(at), text, table, task, discarded);
        }
        if (!open || open.leftOut.has(reader.position)) continue;
        const place = { position: reader.position, start: reader.start, end: reader.end, hash: reader.headEnd - 1 - HASH_LENGTH };
        if (open.isExact || table.append(place)) {
          table.appendExact(open.record(reader.start, reader.end), place);
          exact++;
        }
        if (table.rows % RECKON === 0 && (table.rows >= GROUP_RECORDS || table.size > GROUP_BYTES))
          groups.push(writer.flush(table.columns));
      }
    }
    if (table.rows > 0) groups.push(writer.flush(table.columns));
  } finally {
    closeSync(file);
  }
  return { groups, exact, discarded };
}

/** Index lines, with the number of their page where they do not say it. */
function* indexes({ indexPath, pages }: RowsTask): Iterable<{ text: Buffer; number: number | null }> {
  if (indexPath !== null) yield { text: readFileSync(indexPath), number: null };
  for (const { landedIndex, page } of pages) if (landedIndex !== null) yield { text: unfold(readFileSync(landedIndex)), number: page };
}

interface OpenPage {
  readonly leftOut: ReadonlySet<number>;
  /** Whether all of its records are read into objects. */
  readonly isExact: boolean;
  readonly record: (start: number, end: number) => ExactObject;
}

function openPage(
  page: RowsPage | undefined,
  index: Buffer,
  table: RecordTable,
  task: RowsTask,
  discarded: Record<string, number>,
): OpenPage | null {
  if (!page) return null;
  const body = page.isVerified ? unfoldBody(readFileSync(page.path), page.key, page.measured?.span.end) : openBody(page).body;
  table.open(body, page.key, index);
  const leftOut = new Set(page.leftOut === '' ? [] : page.leftOut.split(',').map(Number));
  const read = (start: number, end: number): ExactObject => {
    const record = parseExact(body.toString('utf8', start, end));
    assert(isObject(record), 'a record is an object');
    return page.discards ? withoutFields(record, task, discarded) : record;
  };
  return { leftOut, isExact: page.discards || table.readsInputs, record: read };
}

function withoutFields(record: ExactObject, { contract }: RowsTask, counts: Record<string, number>): ExactObject {
  assert(contract, 'what is discarded says the contract');
  const { record: kept, discarded } = withoutDiscarded(record, contract);
  for (const field of new Set(discarded.map(fieldText))) counts[field] = (counts[field] ?? 0) + 1;
  return kept;
}
