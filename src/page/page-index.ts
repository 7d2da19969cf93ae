import { type ExactObject, exactJson, memberOf } from '../json/exact.ts';
import type { BodyMeasure } from '../json/measure.ts';
import { recordNeedsCare } from './care.ts';
import { fieldNames, type ReadFields } from './fields.ts';
import { LineBuffer } from './line-buffer.ts';
import { HASH_AT, PLACE, Places } from './places.ts';
import { hasLineBreaks, needsCare, onOneLine, type Refusal, readCarefully } from './record.ts';

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
  return isIndexable(page.measure, fields) ? indexLines(page, fieldNames(fields)) : null;
}

/** Whether every record is a line as it is; else they must be looked at one by one. */
export const isIndexable = ({ notObjects, shape }: Pick<BodyMeasure, 'notObjects' | 'shape'>, fields: ReadFields): boolean =>
  notObjects.length === 0 && !needsCare(shape, fields);

/** More bytes than most lines have. */
const EXPECTED_LINE = 256;

/** @param names of the fields captured, in their order. */
export function indexLines(page: MeasuredBody, names: readonly string[]): LineBuffer {
  const lines = new LineBuffer(page.measure.records * EXPECTED_LINE + 1);
  writeAsLanded(lines, page, Places.of(page.body, page.measure.spans), names, '{"i":');
  return lines;
}

/**
 * Writes the index of a page whose number in its batch is `number`.
 * @param check of every record, which are then looked at one by one; null where there is none. @returns what can be no line of it.
 */
export function writeIndex(
  lines: LineBuffer,
  page: MeasuredBody,
  places: Places,
  fields: ReadFields,
  number: number,
  check: RecordCheck | null = null,
): RefusedAt[] {
  const first = `{"p":${number},"i":`;
  if (check || !isIndexable(page.measure, fields)) return writeCarefully(lines, page, places, fields, first, check);
  writeAsLanded(lines, page, places, fieldNames(fields), first);
  return [];
}

const START = Buffer.from(',"s":');
const END = Buffer.from(',"e":');
const HASH = Buffer.from(',"h":"');
const AFTER_HASH = Buffer.from('",');

/** What a line says before its fields. @param first up to the position. */
function beginLine(lines: LineBuffer, first: Buffer, places: Places, position: number): void {
  lines.copy(first);
  lines.number(position);
  lines.copy(START);
  lines.number(places.start(position));
  lines.copy(END);
  lines.number(places.end(position));
  lines.copy(HASH);
  lines.copy(places.bytes, position * PLACE + HASH_AT, (position + 1) * PLACE);
  lines.copy(AFTER_HASH);
}

function writeAsLanded(lines: LineBuffer, page: MeasuredBody, places: Places, fields: readonly string[], first: string): void {
  const write = asLanded(lines, page, places, fields, first);
  for (let i = 0; i < places.count; i++) write(i);
}

/** @returns what writes the line of one record, by its position. */
function asLanded(
  lines: LineBuffer,
  { body, measure }: MeasuredBody,
  places: Places,
  fields: readonly string[],
  first: string,
): (i: number) => void {
  const begin = Buffer.from(first);
  const firstField = fields.map((name) => Buffer.from(`"r":{${JSON.stringify(name)}:`));
  const nextField = fields.map((name) => Buffer.from(`,${JSON.stringify(name)}:`));
  const width = measure.records === 0 ? 0 : measure.captured.length / measure.records;
  const broken = hasLineBreaks(body);
  return (i) => {
    beginLine(lines, begin, places, i);
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

function writeCarefully(
  lines: LineBuffer,
  page: MeasuredBody,
  places: Places,
  fields: ReadFields,
  first: string,
  check: RecordCheck | null,
): RefusedAt[] {
  const write = asLanded(lines, page, places, fieldNames(fields), first);
  const names = fieldNames(fields);
  const begin = Buffer.from(first);
  const refused: RefusedAt[] = [];
  for (let position = 0; position < places.count; position++) {
    const bytes = page.body.subarray(places.start(position), places.end(position));
    if (!check && !recordNeedsCare(bytes, fields)) {
      write(position);
      continue;
    }
    const read = readCarefully(bytes.toString(), fields);
    if ('rule' in read) {
      refused.push({ position, refusal: read, record: null });
      continue;
    }
    const refusal = check?.(read.record, places.hash(position)) ?? null;
    if (refusal) refused.push({ position, refusal, record: read.record });
    else {
      beginLine(lines, begin, places, position);
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
