import { decomposeNumber, integerDigits, scale } from '../../src/json/number.ts';
import { OPEN_ARRAY, OPEN_OBJECT, QUOTE, Scanner } from '../../src/json/scanner.ts';
import { DEPTH_LIMIT, emptyShape, FIELD_LIMIT, forgetMembers, MEMBER_LIMIT, SEEN, type Shape } from '../../src/schema/shape.ts';

/** What the product's reader is to find of an array of records, found the plain way: byte by byte, a call for each token. */
export interface PlainReading {
  readonly spans: number[];
  /** Start and end of the first top-level member of that name in each record, the last one counts. */
  readonly captured: number[];
  readonly shape: Shape;
}

/** @throws JsonError where the text is no JSON. */
export function readPlainly(body: Buffer, capture: string): PlainReading {
  const scanner = new Scanner(body);
  const reading: PlainReading = { spans: [], captured: [], shape: emptyShape() };
  if (scanner.peek() !== OPEN_ARRAY) scanner.fail('no array');
  scanner.elements(0, () => {
    const isObject = scanner.peek() === OPEN_OBJECT;
    const start = scanner.at;
    reading.captured.push(0, 0);
    if (isObject) valueOf(scanner, reading.shape, 0, (name, from, to) => name === capture && reading.captured.splice(-2, 2, from, to));
    else scanner.skip(1);
    reading.spans.push(start, scanner.at);
  });
  scanner.finish();
  forgetCrowds(reading.shape);
  return reading;
}

type Member = (name: string, from: number, to: number) => unknown;

/** @returns whether it is a value: not null, and no object without any. */
function valueOf(scanner: Scanner, shape: Shape, depth: number, member: Member = () => undefined): boolean {
  const byte = scanner.peek();
  if (byte === QUOTE) {
    scanner.text();
    shape.seen |= scanner.surrogate ? SEEN.text | SEEN.surrogate : SEEN.text;
    return true;
  }
  if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
    shape.seen |= byte === OPEN_OBJECT ? SEEN.object : SEEN.array;
    if (depth < DEPTH_LIMIT) return byte === OPEN_OBJECT ? objectOf(scanner, shape, depth, member) : arrayOf(scanner, shape, depth);
    shape.seen |= SEEN.deep;
    return skipped(scanner, shape, depth);
  }
  if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) return numberOf(scanner, shape);
  const first = scanner.literal();
  shape.seen |= first === 0x6e ? SEEN.null : SEEN.boolean;
  return first !== 0x6e;
}

function skipped(scanner: Scanner, shape: Shape, depth: number): true {
  const before = scanner.surrogates;
  scanner.skip(depth);
  if (scanner.surrogates > before) shape.seen |= SEEN.surrogate;
  return true;
}

function arrayOf(scanner: Scanner, shape: Shape, depth: number): true {
  const element = (shape.element ??= emptyShape());
  scanner.elements(depth, () => valueOf(scanner, element, depth + 1));
  return true;
}

function objectOf(scanner: Scanner, shape: Shape, depth: number, member: Member): boolean {
  const members = (shape.members ??= new Map());
  const names = new Set<string>();
  let filled = false;
  scanner.members(depth, (_depth, start, end) => {
    const name = JSON.parse(scanner.bytes.toString('utf8', start - 1, end + 1)) as string;
    if (!name.isWellFormed()) shape.seen |= SEEN.surrogate;
    scanner.peek();
    const from = scanner.at;
    if (!members.has(name) && members.size >= (depth === 0 ? FIELD_LIMIT : MEMBER_LIMIT)) {
      shape.seen |= SEEN.crowded;
      skipped(scanner, shape, depth + 1);
      filled = true;
    } else {
      if (names.has(name)) shape.seen |= SEEN.duplicate;
      names.add(name);
      if (!members.has(name)) members.set(name, emptyShape());
      if (valueOf(scanner, members.get(name) as Shape, depth + 1)) filled = true;
    }
    member(name, from, scanner.at);
  });
  if (!filled) shape.seen |= SEEN.hollow;
  return filled;
}

function numberOf(scanner: Scanner, shape: Shape): true {
  const start = scanner.at;
  scanner.number();
  const number = decomposeNumber(scanner.bytes.toString('latin1', start, scanner.at));
  shape.seen |= SEEN.number | (scanner.pointed ? SEEN.pointed : 0) | (scanner.exponent ? SEEN.exponent : 0);
  shape.integerDigits = Math.max(shape.integerDigits, integerDigits(number));
  shape.scale = Math.max(shape.scale, scale(number));
  const digits = scanner.exponent ? integerDigits(number) + scale(number) : scanner.whole + scanner.fraction;
  if (scanner.pointed && digits > 15) shape.seen |= SEEN.wide;
  return true;
}

function forgetCrowds(shape: Shape): void {
  if (shape.element) forgetCrowds(shape.element);
  for (const member of shape.members?.values() ?? []) forgetCrowds(member);
  if (shape.seen & SEEN.crowded) forgetMembers(shape);
}
