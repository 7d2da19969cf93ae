import { hash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { assert, messageOf } from '../errors.ts';
import { measureRecords } from '../json/measure.ts';
import { fieldNames } from '../page/fields.ts';
import { LineBuffer } from '../page/line-buffer.ts';
import { isIndexable, numberIndex, type RecordCheck, writeIndex } from '../page/page-index.ts';
import { Places } from '../page/places.ts';
import { mayMeet } from '../schema/contract.ts';
import { type Shape, shapeToJson } from '../schema/shape.ts';
import { unfold } from '../store/compress.ts';
import { damagedIndex, measureForeign, unfoldBody, verifyBody } from './body.ts';
import { frozenCheck, keyOf } from './frozen.ts';
import { SightingsWriter } from './sightings.ts';
import type { IndexResult, IndexTask, MeasuredPage, PageBody, PageIndex, RefusedRecord } from './tasks.ts';

/** The thread's own: memory is not touched for the first time in each task. */
const lines = new LineBuffer();

/** Finds the records of some pages, by the index that landed with them or in their bodies, which are verified, and what may enter of them. */
export function indexPages(task: IndexTask): IndexResult {
  const files = new IndexFiles(task);
  const pages: MeasuredPage[] = [];
  const refused: RefusedRecord[] = [];
  try {
    for (const page of task.pages) {
      if ('indexKey' in page) takeIndex(page, files);
      else pages.push(takeBody(page, task, files, refused));
    }
    return { pages, refused, sightings: files.sightings.end(), lines: files.lines, longest: files.longest };
  } finally {
    files.close();
  }
}

/** Synchronous: the thread has nothing else to do, and the promises of a file handle write in small pieces. */
class IndexFiles {
  readonly sightings: SightingsWriter;
  lines = 0;
  longest = 0;
  private readonly placesFile: number;
  private readonly linesFile: number;

  constructor({ layout, isJudged, files }: IndexTask) {
    this.placesFile = openSync(files.places, 'w');
    this.linesFile = openSync(files.lines, 'w');
    this.sightings = new SightingsWriter(layout, files.sightings, isJudged);
  }

  addPlaces({ bytes }: Places): void {
    writeFileSync(this.placesFile, bytes);
  }

  addLines(more: LineBuffer): void {
    writeFileSync(this.linesFile, more.bytes());
    this.lines += more.lines;
    this.longest = Math.max(this.longest, more.longest);
  }

  close(): void {
    closeSync(this.placesFile);
    closeSync(this.linesFile);
    this.sightings.close();
  }
}

function takeIndex(page: PageIndex, files: IndexFiles): void {
  const index = openIndex(page);
  const { places, isWritten } = files.sightings.takeIndex(page.key, index);
  assert(places.count === page.records, 'an index has a line for each record');
  files.addPlaces(places);
  if (isWritten) return;
  lines.clear();
  numberIndex(lines, index, page.page);
  files.addLines(lines);
}

/** @throws CORRUPT where it is not what was landed. */
function openIndex({ indexKey, path, sha256, storedSha256 }: PageIndex): Buffer {
  const stored = readFileSync(path);
  const index = unfoldIndex(stored, indexKey);
  if (storedSha256 !== null && hash('sha256', stored) === storedSha256) return index;
  const found = hash('sha256', index);
  if (found !== sha256) throw damagedIndex(indexKey, `its SHA-256 is ${found}, the receipt says ${sha256}`);
  return index;
}

function unfoldIndex(stored: Buffer, key: string): Buffer {
  try {
    return unfold(stored);
  } catch (cause) {
    throw damagedIndex(key, `it cannot be decompressed: ${messageOf(cause)}`, cause);
  }
}

function takeBody(page: PageBody, task: IndexTask, files: IndexFiles, refused: RefusedRecord[]): MeasuredPage {
  const { fields } = task;
  const { body, sha256 } = openBody(page);
  const capture = fieldNames(fields);
  const measure = page.measured ? measureRecords(body, page.measured.span, capture) : measureForeign(body, page.key, task.records, capture);
  const places = Places.of(body, measure.spans);
  files.addPlaces(places);
  const check = checkOf(task, measure.shape);
  const mayBeSighted = check === null && isIndexable(measure, fields);
  if (!mayBeSighted || !files.sightings.takeBody(page.key, body, places, capture, measure.captured)) {
    lines.clear();
    for (const { position, refusal, record } of writeIndex(lines, { body, measure }, places, fields, page.page, check)) {
      refused.push({ page: page.page, position, key: record && task.frozen ? keyOf(record, task.frozen.key) : [], said: refusal });
    }
    files.addLines(lines);
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
