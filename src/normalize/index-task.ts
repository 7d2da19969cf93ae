import { hash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { measureRecords } from '../json/measure.ts';
import { fieldNames } from '../page/fields.ts';
import { LineBuffer } from '../page/line-buffer.ts';
import { numberIndex, writeIndex } from '../page/page-index.ts';
import { needsCare } from '../page/record.ts';
import { shapeToJson } from '../schema/shape.ts';
import { unfold } from '../store/compress.ts';
import { damagedIndex, measureForeign, readBody, verifyBody } from './body.ts';
import type { IndexResult, IndexTask, MeasuredPage, PageBody, PageIndex, RefusedRecord } from './tasks.ts';

/** The thread's one: memory is not touched for the first time in each task. */
const lines = new LineBuffer();

/** Writes the index lines of some pages into one file: those that landed with the page, or those of its body, which is verified. */
export function indexPages(task: IndexTask): IndexResult {
  const pages: MeasuredPage[] = [];
  const refused: RefusedRecord[] = [];
  let written = 0;
  let longest = 0;
  // Synchronous: the thread has nothing else to do, and the promises of a file handle write in small pieces.
  const file = openSync(task.indexPath, 'w');
  try {
    for (const page of task.pages) {
      lines.clear();
      if ('sha256' in page) takeIndex(page);
      else pages.push(indexBody(page, task, refused));
      writeFileSync(file, lines.bytes());
      written += lines.lines;
      longest = Math.max(longest, lines.longest);
    }
  } finally {
    closeSync(file);
  }
  return { pages, refused, lines: written, longest };
}

function takeIndex({ page, key, path, sha256 }: PageIndex): void {
  const index = unfold(readFileSync(path));
  const found = hash('sha256', index);
  if (found !== sha256) throw damagedIndex(key, found, sha256);
  numberIndex(lines, index, page);
}

function indexBody(page: PageBody, { fields, records }: IndexTask, refused: RefusedRecord[]): MeasuredPage {
  const { body, sha256 } = openBody(page);
  const capture = fieldNames(fields);
  const measure = page.measured ? measureRecords(body, page.measured.span, capture) : measureForeign(body, page.key, records, capture);
  for (const { position, refusal } of writeIndex(lines, { body, measure }, fields, page.page)) {
    refused.push({ page: page.page, position, key: [], said: refusal });
  }
  const careful = measure.notObjects.length > 0 || needsCare(measure.shape, fields);
  return { page: page.page, sha256, records: measure.records, shape: shapeToJson(measure.shape), careful };
}

/** @throws CORRUPT where it is not what was landed. */
export function openBody({ path, key, measured }: PageBody): { body: Buffer; sha256: string } {
  const body = readBody(path, key, measured?.span.end);
  return { body, sha256: verifyBody(body, key, measured?.sha256 ?? null) };
}
