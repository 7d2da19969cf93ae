import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { assert } from '../errors.ts';
import { type ExactObject, exactJson, isObject, parseExact } from '../json/exact.ts';
import { LineBuffer } from '../page/line-buffer.ts';
import { IndexReader } from '../page/page-index.ts';
import { hasLineBreaks, onOneLine, readCarefully } from '../page/record.ts';
import { withoutDiscarded } from '../schema/contract.ts';
import { fieldText } from '../schema/known-fields.ts';
import { projectRecord } from '../schema/project.ts';
import { openBody } from './index-task.ts';
import { writeLine } from './line.ts';
import type { LinesPage, LinesResult, LinesTask } from './tasks.ts';

/** The thread's one: memory is not touched for the first time in each task. */
const lines = new LineBuffer();

/** Writes the records that go on, a line each, in the form in which DuckDB's reader takes the schema's types from them. */
export function writeLines(task: LinesTask): LinesResult {
  const pages = new Map(task.pages.map((page) => [page.page, page]));
  const index = readFileSync(task.indexPath);
  const reader = new IndexReader(index);
  lines.clear();
  let longest = 0;
  let open: OpenPage | null = null;
  let exact = 0;
  const discarded: Record<string, number> = {};
  const file = openSync(task.linesPath, 'w');
  try {
    while (reader.read()) {
      if (open?.page.page !== reader.page) {
        longest = Math.max(longest, lines.longest);
        writeFileSync(file, lines.bytes());
        lines.clear();
        open = openPage(pages.get(reader.page), task, discarded);
      }
      if (!open || open.leftOut.has(reader.position)) continue;
      writeLine(lines, index, reader, open.body, open.line);
      if (open.page.exact) exact++;
    }
    writeFileSync(file, lines.bytes());
  } finally {
    closeSync(file);
  }
  return { longest: Math.max(longest, lines.longest), exact, discarded };
}

interface OpenPage {
  readonly page: LinesPage;
  readonly body: Buffer;
  readonly leftOut: ReadonlySet<number>;
  /** A record's bytes as they go into its line; null where they do as they are. */
  readonly line: ((record: Buffer) => Buffer) | null;
}

function openPage(page: LinesPage | undefined, task: LinesTask, discarded: Record<string, number>): OpenPage | null {
  if (!page) return null;
  const { body } = openBody(page);
  const leftOut = new Set(page.leftOut === '' ? [] : page.leftOut.split(',').map(Number));
  return { page, body, leftOut, line: lineWriter(page, body, task, discarded) };
}

function lineWriter(
  { careful, exact, discards }: LinesPage,
  body: Buffer,
  task: LinesTask,
  discarded: Record<string, number>,
): OpenPage['line'] {
  const kept = (record: ExactObject): ExactObject => (discards ? withoutFields(record, task, discarded) : record);
  const asText = exact
    ? (record: ExactObject): string => projectRecord(kept(record), task.schema, task.fixed, task.inputs)
    : (record: ExactObject): string => exactJson(record);
  if (careful) return (bytes) => Buffer.from(asText(carefulRecord(bytes, task)));
  if (exact) return (bytes) => Buffer.from(asText(exactRecord(bytes)));
  return hasLineBreaks(body) ? onOneLine : null;
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
