import { readFileSync } from 'node:fs';
import { assert } from '../errors.ts';
import { type ExactObject, isObject, parseExact } from '../json/exact.ts';
import { IndexReader } from '../page/page-index.ts';
import { HASH_LENGTH } from '../page/record.ts';
import { withoutDiscarded } from '../schema/contract.ts';
import { fieldText } from '../schema/known-fields.ts';
import { unfold } from '../store/compress.ts';
import { unfoldBody } from './body.ts';
import { openBody } from './index-task.ts';
import { LastTables } from './last-tables.ts';
import type { RecordPlace, RecordTable } from './record-table.ts';
import { TableWriter } from './table-writer.ts';
import type { RowsPage, RowsResult, RowsTask } from './tasks.ts';

const tables = new LastTables();

/** Writes the records that go on as row groups in the schema's types, with their lineage. */
export function writeRows(task: RowsTask): RowsResult {
  const table = tables.for(task.layout, task.batch);
  const writer = new TableWriter(table, task.path);
  const discarded: Record<string, number> = {};
  let exact = 0;
  try {
    for (const { open, place } of goingOn(task, table, discarded)) {
      if (open.isExact || table.append(place)) {
        table.appendExact(open.record(place), place);
        exact++;
      }
      writer.count(place.end - place.start);
    }
    writer.flush();
  } finally {
    writer.close();
  }
  return { groups: writer.groups, exact, discarded };
}

/** Records that go on, their page being open in the table. */
function* goingOn(task: RowsTask, table: RecordTable, discarded: Record<string, number>): Iterable<{ open: OpenPage; place: RecordPlace }> {
  const pages = new Map(task.pages.map((page) => [page.page, page]));
  for (const { text, number } of indexes(task)) {
    let open: OpenPage | null = null;
    let at = -1;
    for (const reader = new IndexReader(text, number); reader.read(); ) {
      if (reader.page !== at) {
        at = reader.page;
        open = openPage(pages.get(at), text, table, task, discarded);
      }
      if (open && !open.leftOut.has(reader.position)) yield { open, place: placeOf(reader) };
    }
  }
}

const placeOf = ({ position, start, end, headEnd }: IndexReader): RecordPlace => ({
  position,
  start,
  end,
  hash: headEnd - 1 - HASH_LENGTH,
});

/** Index lines, with the number of their page where they do not say it. */
function* indexes({ indexPath, pages }: RowsTask): Iterable<{ text: Buffer; number: number | null }> {
  if (indexPath !== null) yield { text: readFileSync(indexPath), number: null };
  for (const { landedIndex, page } of pages) if (landedIndex !== null) yield { text: unfold(readFileSync(landedIndex)), number: page };
}

interface OpenPage {
  readonly leftOut: ReadonlySet<number>;
  /** Whether all of its records are read into objects. */
  readonly isExact: boolean;
  readonly record: (place: RecordPlace) => ExactObject;
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
  const read = ({ start, end }: RecordPlace): ExactObject => {
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
