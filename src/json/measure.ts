import { isUtf8 } from 'node:buffer';
import type { Shape } from '../schema/shape.ts';
import { EnvelopeReader } from './envelope.ts';
import { JsonError, LayoutError } from './errors.ts';
import { RecordReader } from './records.ts';
import { OPEN_ARRAY, Scanner } from './scanner.ts';

/** What to look for in a body. Paths are member names from the root. */
export interface BodyLayout {
  /** Path of the record array; empty where the body is the array itself. 'lines' is NDJSON: one record a line. */
  readonly records: readonly string[] | 'lines';
  /** Paths whose values the caller wants from the envelope: the cursor, `has_more`. */
  readonly envelope: readonly (readonly string[])[];
  /** Top-level fields of each record whose bytes the caller wants. */
  readonly capture: readonly string[];
}

/** What was measured of a body: everything that later stages need to know without parsing it again. */
export interface BodyMeasure {
  /** Byte span of the record array, brackets included (of the whole body for NDJSON). */
  readonly span: ByteSpan;
  readonly records: number;
  /** 2 × records: start and end (exclusive) of each record's bytes. */
  readonly spans: Uint32Array;
  /** 2 × records × capture: start and end of each captured field's value in each record, 0 and 0 where it is absent. */
  readonly captured: Uint32Array;
  /** Union over all records; members of the root are the records' top-level fields. */
  readonly shape: Shape;
  /** Positions of elements that are not objects. Their shape is not part of `shape`. */
  readonly notObjects: readonly number[];
  /** Parsed values of the envelope paths, undefined where absent. */
  readonly envelope: readonly unknown[];
}

export interface ByteSpan {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a body once: checks that it is JSON, finds the records, takes their shape.
 * @param quickFrom bytes of a record array from which on the kernel reads what it can of it. @throws JsonError where it is not JSON, LayoutError where the record array is not at its path.
 */
export function measureBody(body: Buffer, layout: BodyLayout, quickFrom?: number): BodyMeasure {
  if (!isUtf8(body)) throw new JsonError('the text is not UTF-8', 0, false);
  const start = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
  const scanner = new Scanner(body, start);
  const records = new RecordReader(scanner, layout.capture, quickFrom);
  if (layout.records === 'lines') return measureLines(scanner, records);
  return measureDocument(scanner, records, layout.records, layout.envelope);
}

/**
 * Reads the records of a body again that was measured before.
 * @param span as it was found then. @param capture top-level fields whose bytes the caller wants.
 */
export function measureRecords(body: Buffer, span: ByteSpan, capture: readonly string[]): Omit<BodyMeasure, 'envelope'> {
  const scanner = new Scanner(body.subarray(0, span.end), span.start);
  const records = new RecordReader(scanner, capture);
  if (scanner.peek() === OPEN_ARRAY) records.array();
  else while (scanner.peek() !== -1) records.record();
  return { ...records.result(), span };
}

function measureLines(scanner: Scanner, records: RecordReader): BodyMeasure {
  const start = scanner.at;
  while (scanner.peek() !== -1) records.record();
  return { ...records.result(), span: { start, end: scanner.end }, envelope: [] };
}

function measureDocument(scanner: Scanner, records: RecordReader, path: readonly string[], wanted: BodyLayout['envelope']): BodyMeasure {
  const envelope = new EnvelopeReader(scanner, path, wanted, () => records.array());
  if (scanner.peek() === -1) scanner.fail('an empty text');
  envelope.read();
  scanner.finish();
  if (!envelope.span) throw new LayoutError(`there is no array at ${formatPath(path)}`);
  return { ...records.result(), span: envelope.span, envelope: envelope.values };
}

/** `$`, `$.data`, `$.page["odd name"]`. */
export function formatPath(path: readonly string[]): string {
  return `$${path.map((name) => (/^[A-Za-z_]\w*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`)).join('')}`;
}
