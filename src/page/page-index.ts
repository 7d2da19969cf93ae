import { type ExactObject, exactJson, memberOf } from '../json/exact.ts';
import type { BodyMeasure } from '../json/measure.ts';
import { recordNeedsCare } from './care.ts';
import { fieldNames, type ReadFields } from './fields.ts';
import { LineBuffer } from './line-buffer.ts';
import { contentHash, HASH_LENGTH, hasLineBreaks, needsCare, onOneLine, type Refusal, readCarefully } from './record.ts';

/**
 * The index of a page: a line for each record that says where it stands, what it holds and what its read fields are, so that only records
 * that go on are ever read. `{"i":position,"s":start,"e":end,"h":"content hash","r":{field: value as landed}}`; with a page number,
 * `{"p":page,"i":…`. Where rules look at numbers that DuckDB would round, `"x":{field:"number as it was written"}` stands before `r`.
 */

/** A body with what was measured of it, the read fields captured first, in the order of `fieldNames`. */
export interface MeasuredBody {
  readonly body: Buffer;
  readonly measure: Pick<BodyMeasure, 'records' | 'spans' | 'captured' | 'shape' | 'notObjects'>;
}

/** A record that can be no line of the index. */
export interface RefusedAt {
  readonly position: number;
  readonly refusal: Refusal;
  /** Null where its key fields could not be read. */
  readonly record: ExactObject | null;
}

/** Looks at a record that is one, once it was read. @returns why it may not enter; null where it may. */
export type RecordCheck = (record: ExactObject, contentHash: string) => Refusal | null;

/** @returns null where records must be looked at one by one: whoever normalizes the page does that. */
export function indexPage(page: MeasuredBody, fields: ReadFields): LineBuffer | null {
  if (page.measure.notObjects.length > 0 || needsCare(page.measure.shape, fields)) return null;
  return indexLines(page, fieldNames(fields));
}

/** More bytes than most lines have. */
const EXPECTED_LINE = 256;

/** @param names of the fields captured, in their order. */
export function indexLines(page: MeasuredBody, names: readonly string[]): LineBuffer {
  const lines = new LineBuffer(page.measure.records * EXPECTED_LINE + 1);
  writeAsLanded(lines, page, names, '{"i":');
  return lines;
}

/**
 * Writes the index of a page whose number in its batch is `number`.
 * @param check of every record, which are then looked at one by one; null where there is none. @returns what can be no line of it.
 */
export function writeIndex(
  lines: LineBuffer,
  page: MeasuredBody,
  fields: ReadFields,
  number: number,
  check: RecordCheck | null = null,
): RefusedAt[] {
  const { measure } = page;
  const careful = measure.notObjects.length > 0 || needsCare(measure.shape, fields);
  const first = `{"p":${number},"i":`;
  if (careful || check) return writeCarefully(lines, page, fields, first, check);
  writeAsLanded(lines, page, fieldNames(fields), first);
  return [];
}

const START = Buffer.from(',"s":');
const END = Buffer.from(',"e":');
const HASH = Buffer.from(',"h":"');
const AFTER_HASH = Buffer.from('",');

/** What a line says before its fields. @param first up to the position. */
function beginLine(lines: LineBuffer, first: Buffer, i: number, start: number, end: number, bytes: Buffer): void {
  lines.copy(first);
  lines.number(i);
  lines.copy(START);
  lines.number(start);
  lines.copy(END);
  lines.number(end);
  lines.copy(HASH);
  lines.ascii(contentHash(bytes));
  lines.copy(AFTER_HASH);
}

function writeAsLanded(lines: LineBuffer, page: MeasuredBody, fields: readonly string[], first: string): void {
  const write = asLanded(lines, page, fields, first);
  for (let i = 0; i < page.measure.records; i++) write(i);
}

/** @returns what writes the line of one record, by its position. */
function asLanded(lines: LineBuffer, { body, measure }: MeasuredBody, fields: readonly string[], first: string): (i: number) => void {
  const begin = Buffer.from(first);
  const firstField = fields.map((name) => Buffer.from(`"r":{${JSON.stringify(name)}:`));
  const nextField = fields.map((name) => Buffer.from(`,${JSON.stringify(name)}:`));
  const width = measure.records === 0 ? 0 : measure.captured.length / measure.records;
  const broken = hasLineBreaks(body);
  return (i) => {
    const [start, end] = [measure.spans[2 * i] as number, measure.spans[2 * i + 1] as number];
    beginLine(lines, begin, i, start, end, body.subarray(start, end));
    let names = firstField;
    for (let column = 0; column < fields.length; column++) {
      const at = i * width + 2 * column;
      const [from, to] = [measure.captured[at] as number, measure.captured[at + 1] as number];
      if (to === 0) continue;
      lines.copy(names[column] as Buffer);
      if (broken) lines.copy(onOneLine(body.subarray(from, to)));
      else lines.copy(body, from, to);
      names = nextField;
    }
    lines.copy(names === firstField ? WITHOUT_FIELDS : AFTER_FIELDS);
    lines.endLine();
  };
}

const WITHOUT_FIELDS = Buffer.from('"r":{}}');
const AFTER_FIELDS = Buffer.from('}}');

function writeCarefully(lines: LineBuffer, page: MeasuredBody, fields: ReadFields, first: string, check: RecordCheck | null): RefusedAt[] {
  const { body, measure } = page;
  const write = asLanded(lines, page, fieldNames(fields), first);
  const names = fieldNames(fields);
  const begin = Buffer.from(first);
  const refused: RefusedAt[] = [];
  for (let position = 0; position < measure.records; position++) {
    const [start, end] = [measure.spans[2 * position] as number, measure.spans[2 * position + 1] as number];
    const bytes = body.subarray(start, end);
    if (!check && !recordNeedsCare(bytes, fields)) {
      write(position);
      continue;
    }
    const read = readCarefully(bytes.toString(), fields);
    if ('rule' in read) {
      refused.push({ position, refusal: read, record: null });
      continue;
    }
    const refusal = check?.(read.record, contentHash(bytes)) ?? null;
    if (refusal) refused.push({ position, refusal, record: read.record });
    else {
      beginLine(lines, begin, position, start, end, bytes);
      lines.copy(Buffer.from(`${read.exact === null ? '' : `"x":${read.exact},`}"r":${exactJson(only(read.record, names))}}`));
      lines.endLine();
    }
  }
  return refused;
}

const only = (record: ExactObject, names: readonly string[]): ExactObject =>
  Object.fromEntries(names.filter((name) => Object.hasOwn(record, name)).map((name) => [name, memberOf(record, name)]));

/** Takes up an index that was made at landing: its lines get the page's number. */
export function numberIndex(lines: LineBuffer, index: Buffer, number: number): void {
  const first = Buffer.from(`{"p":${number},`);
  for (let start = 0; start < index.length; ) {
    const end = index.indexOf(LINE_FEED, start);
    lines.copy(first);
    lines.copy(index, start + 1, end);
    lines.endLine();
    start = end + 1;
  }
}

const LINE_FEED = 0x0a;
const ZERO = 0x30;
const NINE = 0x39;

/** Goes through index lines, without making objects of them. */
export class IndexReader {
  page = 0;
  position = 0;
  /** Of the record's bytes in the body. */
  start = 0;
  end = 0;
  /** Of what stands before the record's fields: `{"p":1,"i":2,"s":3,"e":4,"h":"…"`, or the same without `"p":1,`. */
  headStart = 0;
  headEnd = 0;
  /** Of the line, its line feed excluded. */
  lineEnd = 0;
  private readonly isNumbered: boolean;
  private readonly text: Buffer;
  private at = 0;
  private next = 0;

  /** @param landedWith the number of the page whose lines these are, where they are as they landed; null where they are numbered. */
  constructor(text: Buffer, landedWith: number | null = null) {
    this.text = text;
    this.page = landedWith ?? 0;
    this.isNumbered = landedWith === null;
  }

  /** Moves to the next line. @returns false where there is none. */
  read(): boolean {
    if (this.next >= this.text.length) return false;
    this.headStart = this.next;
    this.at = this.next;
    if (this.isNumbered) this.page = this.number('{"p":'.length);
    this.position = this.number(',"i":'.length);
    this.start = this.number(',"s":'.length);
    this.end = this.number(',"e":'.length);
    this.headEnd = this.at + ',"h":""'.length + HASH_LENGTH;
    this.lineEnd = this.text.indexOf(LINE_FEED, this.headEnd);
    this.next = this.lineEnd + 1;
    return true;
  }

  private number(after: number): number {
    let value = 0;
    this.at += after;
    for (let byte = this.text[this.at] as number; byte >= ZERO && byte <= NINE; byte = this.text[++this.at] as number) {
      value = value * 10 + byte - ZERO;
    }
    return value;
  }
}
