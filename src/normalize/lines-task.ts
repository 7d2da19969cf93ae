import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { assert } from '../errors.ts';
import { type ExactObject, exactJson, isObject, parseExact } from '../json/exact.ts';
import { recordNeedsCare } from '../page/care.ts';
import { LineBuffer } from '../page/line-buffer.ts';
import { IndexReader } from '../page/page-index.ts';
import { onOneLine, readCarefully } from '../page/record.ts';
import { withoutDiscarded } from '../schema/contract.ts';
import { fieldText } from '../schema/known-fields.ts';
import { projectRecord } from '../schema/project.ts';
import { RecordRewriter } from '../schema/rewrite.ts';
import { type ShapeJson, shapeFromJson } from '../schema/shape.ts';
import { unfold } from '../store/compress.ts';
import { openBody } from './index-task.ts';
import { writeLine } from './line.ts';
import type { LinesPage, LinesResult, LinesTask } from './tasks.ts';

/** The thread's one: memory is not touched for the first time in each task. */
const lines = new LineBuffer();

/** Writes the records that go on, a line each, in the form in which DuckDB's reader takes the schema's types from them. */
export function writeLines(task: LinesTask): LinesResult {
  const pages = new Map(task.pages.map((page) => [page.page, page]));
  lines.clear();
  const counts: Counts = { exact: 0, discarded: {} };
  let longest = 0;
  let open: OpenPage | null = null;
  const file = openSync(task.linesPath, 'w');
  try {
    for (const { text, page } of indexes(task)) {
      for (const reader = new IndexReader(text, page); reader.read(); ) {
        if (open?.page.page !== reader.page) {
          longest = Math.max(longest, lines.longest);
          writeFileSync(file, lines.bytes());
          lines.clear();
          open = openPage(pages.get(reader.page), task, counts);
        }
        if (!open || open.leftOut.has(reader.position)) continue;
        writeLine(lines, text, reader, open.body, open.text(reader.start, reader.end));
      }
    }
    writeFileSync(file, lines.bytes());
  } finally {
    closeSync(file);
  }
  return { longest: Math.max(longest, lines.longest), ...counts };
}

/** Index lines, with the number of their page where they do not say it. */
function* indexes({ indexPath, pages }: LinesTask): Iterable<{ text: Buffer; page: number | null }> {
  if (indexPath !== null) yield { text: readFileSync(indexPath), page: null };
  for (const { landedIndex, page } of pages) if (landedIndex !== null) yield { text: unfold(readFileSync(landedIndex)), page };
}

interface Counts {
  exact: number;
  readonly discarded: Record<string, number>;
}

interface OpenPage {
  readonly page: LinesPage;
  /** Without line breaks. */
  readonly body: Buffer;
  readonly leftOut: ReadonlySet<number>;
  /** A record's text; null where it is as it landed. */
  readonly text: (start: number, end: number) => Buffer | null;
}

function openPage(page: LinesPage | undefined, task: LinesTask, counts: Counts): OpenPage | null {
  if (!page) return null;
  const body = onOneLine(openBody(page).body);
  const leftOut = new Set(page.leftOut === '' ? [] : page.leftOut.split(',').map(Number));
  return { page, body, leftOut, text: textWriter(page, body, task, counts) };
}

function textWriter(page: LinesPage, body: Buffer, task: LinesTask, counts: Counts): OpenPage['text'] {
  const whole = wholeWriter(page, task, counts);
  const others = page.exact ? rewriter(page, page.exact, { body, task, whole, counts }) : () => null;
  if (!page.careful) return others;
  return (start, end) => {
    const bytes = body.subarray(start, end);
    return recordNeedsCare(bytes, task.fields) ? whole(carefulRecord(bytes, task)) : others(start, end);
  };
}

/** A record's text, made anew from what was read of it. */
function wholeWriter({ exact, discards }: LinesPage, task: LinesTask, counts: Counts): (record: ExactObject) => Buffer {
  if (!exact) return (record) => Buffer.from(exactJson(record));
  return (record) => {
    counts.exact++;
    const kept = discards ? withoutFields(record, task, counts.discarded) : record;
    return Buffer.from(projectRecord(kept, task.schema, task.fixed, task.inputs));
  };
}

interface Rewriting {
  readonly body: Buffer;
  readonly task: LinesTask;
  readonly whole: (record: ExactObject) => Buffer;
  readonly counts: Counts;
}

/** Most records of a page have nothing that must be rewritten, and most of those that have, in one place. */
function rewriter({ discards }: LinesPage, shape: ShapeJson, { body, task, whole, counts }: Rewriting): OpenPage['text'] {
  const wholeAt = (start: number, end: number): Buffer => whole(exactRecord(body.subarray(start, end)));
  if (discards || task.inputs.length > 0) return wholeAt;
  const records = new RecordRewriter(body, shapeFromJson(shape), task.schema);
  return (start, end) => {
    const rewritten = records.rewrite(start, end);
    if (rewritten === 'as it is') return null;
    if (rewritten === 'whole') return wholeAt(start, end);
    counts.exact++;
    return rewritten;
  };
}

function withoutFields(record: ExactObject, { contract }: LinesTask, counts: Record<string, number>): ExactObject {
  assert(contract, 'what is discarded says the contract');
  const { record: kept, discarded } = withoutDiscarded(record, contract);
  for (const field of new Set(discarded.map(fieldText))) counts[field] = (counts[field] ?? 0) + 1;
  return kept;
}

function carefulRecord(bytes: Buffer, { fields }: LinesTask): ExactObject {
  const read = readCarefully(bytes.toString(), fields);
  assert('record' in read, 'what was refused is no line of the index');
  return read.record;
}

function exactRecord(bytes: Buffer): ExactObject {
  const record = parseExact(bytes.toString());
  assert(isObject(record), 'a record is an object');
  return record;
}
