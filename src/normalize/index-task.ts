import { hash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { measureRecords } from '../json/measure.ts';
import { fieldNames } from '../page/fields.ts';
import { LineBuffer } from '../page/line-buffer.ts';
import { numberIndex, type RecordCheck, writeIndex } from '../page/page-index.ts';
import { mayMeet } from '../schema/contract.ts';
import { type Shape, shapeToJson } from '../schema/shape.ts';
import { unfold } from '../store/compress.ts';
import { damagedIndex, measureForeign, unfoldBody, verifyBody } from './body.ts';
import { frozenCheck, keyOf } from './frozen.ts';
import type { IndexResult, IndexTask, MeasuredPage, PageBody, PageIndex, RefusedRecord } from './tasks.ts';

/** The thread's own: memory is not touched for the first time in each task. */
const lines = new LineBuffer();

/** Writes the index lines of some pages into one file: those that landed with the page, or those of its body, which is verified. */
export function indexPages(task: IndexTask): IndexResult {
  const pages: MeasuredPage[] = [];
  const refused: RefusedRecord[] = [];
  const index = new LineFile(task.indexPath);
  try {
    for (const page of task.pages) {
      lines.clear();
      if ('sha256' in page) takeIndex(page);
      else pages.push(indexBody(page, task, refused));
      index.add(lines);
    }
  } finally {
    index.close();
  }
  return { pages, refused, lines: index.lines, longest: index.longest };
}

/** Synchronous: the thread has nothing else to do, and the promises of a file handle write in small pieces. */
class LineFile {
  lines = 0;
  longest = 0;
  private readonly file: number;

  constructor(path: string) {
    this.file = openSync(path, 'w');
  }

  add(more: LineBuffer): void {
    writeFileSync(this.file, more.bytes());
    this.lines += more.lines;
    this.longest = Math.max(this.longest, more.longest);
  }

  close(): void {
    closeSync(this.file);
  }
}

function takeIndex({ page, key, path, sha256 }: PageIndex): void {
  const index = unfold(readFileSync(path));
  const found = hash('sha256', index);
  if (found !== sha256) throw damagedIndex(key, found, sha256);
  numberIndex(lines, index, page);
}

function indexBody(page: PageBody, task: IndexTask, refused: RefusedRecord[]): MeasuredPage {
  const { fields } = task;
  const { body, sha256 } = openBody(page);
  const capture = fieldNames(fields);
  const measure = page.measured ? measureRecords(body, page.measured.span, capture) : measureForeign(body, page.key, task.records, capture);
  const check = checkOf(task, measure.shape);
  for (const { position, refusal, record } of writeIndex(lines, { body, measure }, fields, page.page, check)) {
    refused.push({ page: page.page, position, key: record && task.frozen ? keyOf(record, task.frozen.key) : [], said: refusal });
  }
  return { page: page.page, sha256, records: measure.records, shape: shapeToJson(measure.shape) };
}

/** Most pages have no field that is new, and then their records need not be looked at. */
function checkOf({ frozen }: IndexTask, shape: Shape): RecordCheck | null {
  return frozen && mayMeet(shape, frozen.contract).freeze ? frozenCheck(frozen) : null;
}

/** @throws CORRUPT where it is not what was landed. */
export function openBody({ path, key, measured }: PageBody): { body: Buffer; sha256: string } {
  const stored = readFileSync(path);
  const body = unfoldBody(stored, key, measured?.span.end);
  // The stored bytes are those that landed, and the frame has a checksum of what it unfolds to: that is hashed only where they are others.
  const isAsLanded = measured?.storedSha256 != null && hash('sha256', stored) === measured.storedSha256;
  return { body, sha256: isAsLanded ? measured.sha256 : verifyBody(body, key, measured?.sha256 ?? null) };
}
