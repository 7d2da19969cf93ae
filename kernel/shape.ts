import { BACKSLASH, CLOSE_ARRAY, CLOSE_OBJECT, COLON, COMMA, MINUS, OPEN_ARRAY, OPEN_OBJECT, POINT, QUOTE, ZERO } from './characters';
import { Bytes, newBytes, reserve } from './column';

/** What was seen at a path; the numbers are those of src/schema/shape.ts. */
const NULL: i32 = 1;
const BOOLEAN: i32 = 2;
const NUMBER: i32 = 4;
const TEXT: i32 = 8;
const ARRAY: i32 = 16;
const OBJECT: i32 = 32;
const WIDE: i32 = 64;
const DUPLICATE: i32 = 128;
const HOLLOW: i32 = 2048;
const POINTED: i32 = 4096;

/** Objects with more names are left to whoever reads any JSON, as is what is nested deeper. */
const MOST_NAMES: i32 = 64;
const DEPTH_LIMIT: i32 = 12;
/** Significant digits that every double carries. */
const DOUBLE_DIGITS: i32 = 15;
/** So many members that may be missing are passed over before a name is looked up. */
const MISSING: i32 = 4;
const VECTOR: i32 = 16;

/** The shape of what stands at a path. */
@unmanaged
export class Shape {
  seen: i32;
  integerDigits: i32;
  scale: i32;
  element: Shape;
  /** With its quotes and the colon, padded to vectors. */
  name: usize;
  nameLength: i32;
  /** In the order in which they were first seen. */
  children: usize;
  childCount: i32;
  /** Its place among them; -1 while it is wanted, and was not seen. */
  place: i32;
  /** The object in which it was last seen. */
  object: i32;
  /** Its place among the captured fields; -1 where it is not wanted. */
  capture: i32;
}

/** What an address is where something stands that is not read here. */
const ODD: usize = 0;

let objects: i32 = 0;
let isValue: bool = false;
/** Fields whose bytes are wanted: nodes of the root that stand apart until they are seen. */
let wanted: usize = 0;
let wantedCount: i32 = 0;
/** Start and end of each record since the last call, and of its wanted fields. Offsets are from the begin of the body. */
export const spans: Bytes = newBytes(1 << 12);
export const captured: Bytes = newBytes(1 << 12);
let body: usize = 0;
/** Whether the last call ended behind a record, rather than before one. */
export let isBehind: bool = false;

export function newShape(name: usize, nameLength: i32): Shape {
  const shape = changetype<Shape>(heap.alloc(offsetof<Shape>()));
  memory.fill(changetype<usize>(shape), 0, offsetof<Shape>());
  shape.place = -1;
  shape.capture = -1;
  shape.nameLength = nameLength;
  shape.name = heap.alloc(((nameLength + VECTOR - 1) & -VECTOR) + VECTOR);
  memory.copy(shape.name, name, nameLength);
  shape.children = heap.alloc(4 * MOST_NAMES);
  return shape;
}

export function freeShape(shape: Shape): void {
  for (let i = 0; i < shape.childCount; i++) freeShape(childAt(shape, i));
  if (changetype<usize>(shape.element) != 0) freeShape(shape.element);
  heap.free(shape.name);
  heap.free(shape.children);
  heap.free(changetype<usize>(shape));
}

export function childAt(shape: Shape, place: i32): Shape {
  return changetype<Shape>(load<u32>(shape.children + 4 * place));
}

/**
 * Passes records of an array that stands at `start`, from the element at `at` on, and adds to the shape of them all.
 * @param nodes of the wanted fields, in their order.
 * @returns where it ended: before an element that is not read here, or behind one that no comma follows.
 */
export function measure(root: Shape, start: usize, first: usize, nodes: usize, nodeCount: i32): usize {
  body = start;
  wanted = nodes;
  wantedCount = nodeCount;
  spans.length = 0;
  captured.length = 0;
  let at = first;
  while (true) {
    at = blank(at);
    isBehind = false;
    if (load<u8>(at) != OPEN_OBJECT) return at;
    reserve(captured, 8 * wantedCount);
    memory.fill(captured.start + captured.length, 0, 8 * wantedCount);
    const end = object(root, at, 0, captured.start + captured.length);
    if (end == ODD) return at;
    root.seen |= OBJECT;
    reserve(spans, 8);
    store<u32>(spans.start + spans.length, <u32>(at - body));
    store<u32>(spans.start + spans.length, <u32>(end - body), 4);
    spans.length += 8;
    captured.length += 8 * wantedCount;
    isBehind = true;
    at = blank(end);
    if (load<u8>(at) != COMMA) return end;
    at++;
  }
}

function blank(start: usize): usize {
  let at = start;
  while (true) {
    const byte = load<u8>(at);
    if (byte > 0x20 || (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09)) return at;
    at++;
  }
}

/** @returns the address behind the value at `at`, as all of these do; ODD where it is not read here. */
function value(node: Shape, at: usize, depth: i32): usize {
  const byte = load<u8>(at);
  isValue = true;
  if (byte == QUOTE) {
    node.seen |= TEXT;
    return text(at);
  }
  if (byte == MINUS || byte - ZERO < 10) return number(node, at, byte);
  if (byte == OPEN_OBJECT) {
    if (depth >= DEPTH_LIMIT) return ODD;
    node.seen |= OBJECT;
    return object(node, at, depth, 0);
  }
  if (byte == OPEN_ARRAY) return depth < DEPTH_LIMIT ? array(node, at, depth) : ODD;
  return literal(node, at);
}

/** @param into where the spans of wanted fields go; null in objects below the record. */
function object(node: Shape, start: usize, depth: i32, into: usize): usize {
  const serial = ++objects;
  let at = blank(start + 1);
  if (load<u8>(at) == CLOSE_OBJECT) {
    node.seen |= HOLLOW;
    isValue = false;
    return at + 1;
  }
  let isFilled = false;
  for (let expected = 0; ; ) {
    let child = expectedChild(node, at, expected);
    if (changetype<usize>(child) != 0) at += child.nameLength;
    else {
      const end = load<u8>(at) == QUOTE ? plainText(at) : ODD;
      if (end == ODD) return ODD;
      child = changetype<Shape>(namedChild(node, at, end, into != 0));
      if (changetype<usize>(child) == 0) return ODD;
      at = blank(end);
      if (load<u8>(at) != COLON) return ODD;
      at++;
    }
    if (load<u8>(at) <= 0x20) at = blank(at);
    const from = at;
    if (child.object == serial) node.seen |= DUPLICATE;
    child.object = serial;
    expected = child.place + 1;
    at = value(child, at, depth + 1);
    if (at == ODD) return ODD;
    isFilled = isFilled || isValue;
    if (into != 0 && child.capture >= 0) {
      store<u32>(into + 8 * child.capture, <u32>(from - body));
      store<u32>(into + 8 * child.capture, <u32>(at - body), 4);
    }
    if (load<u8>(at) <= 0x20) at = blank(at);
    const byte = load<u8>(at);
    at++;
    if (byte == CLOSE_OBJECT) break;
    if (byte != COMMA) return ODD;
    if (load<u8>(at) <= 0x20) at = blank(at);
  }
  isValue = isFilled;
  if (!isFilled) node.seen |= HOLLOW;
  return at;
}

/** The member whose name and colon stand at `at`, where it is one of the next that the records before had. */
function expectedChild(node: Shape, at: usize, expected: i32): Shape {
  const end = min(expected + MISSING, node.childCount);
  for (let place = expected; place < end; place++) {
    const child = childAt(node, place);
    if (stands(at, child.name, child.nameLength)) return child;
  }
  return changetype<Shape>(0);
}

/** Whether the bytes are the same; both may be read by whole vectors. */
export function stands(at: usize, pattern: usize, length: i32): bool {
  let done = 0;
  while (true) {
    const same = i8x16.bitmask(i8x16.eq(v128.load(at + done), v128.load(pattern + done)));
    const left = length - done;
    if (left <= VECTOR) return (same | ((<i32>-1) << left)) == -1;
    if ((same & 0xffff) != 0xffff) return false;
    done += VECTOR;
  }
}

/** @returns the member of a name that stands between two offsets with its quotes; 0 where there are too many. */
function namedChild(node: Shape, start: usize, end: usize, isRoot: bool): usize {
  const size = <i32>(end - start);
  for (let i = 0; i < node.childCount; i++) {
    const child = childAt(node, i);
    if (isNamed(child, start, size)) return changetype<usize>(child);
  }
  if (node.childCount == MOST_NAMES) return 0;
  for (let i = 0; isRoot && i < wantedCount; i++) {
    const child = changetype<Shape>(load<u32>(wanted + 4 * i));
    if (isNamed(child, start, size)) return add(node, child);
  }
  const child = newShape(start, size + 1);
  store<u8>(child.name + size, COLON);
  return add(node, child);
}

function isNamed(child: Shape, start: usize, size: i32): bool {
  return child.nameLength == size + 1 && memory.compare(child.name, start, size) == 0;
}

function add(node: Shape, child: Shape): usize {
  child.place = node.childCount++;
  store<u32>(node.children + 4 * child.place, <u32>changetype<usize>(child));
  return changetype<usize>(child);
}

function array(node: Shape, start: usize, depth: i32): usize {
  node.seen |= ARRAY;
  if (changetype<usize>(node.element) == 0) node.element = newShape(0, 0);
  let at = blank(start + 1);
  if (load<u8>(at) == CLOSE_ARRAY) return at + 1;
  while (true) {
    at = value(node.element, at, depth + 1);
    if (at == ODD) return ODD;
    at = blank(at);
    const byte = load<u8>(at);
    at++;
    if (byte == CLOSE_ARRAY) {
      isValue = true;
      return at;
    }
    if (byte != COMMA) return ODD;
    at = blank(at);
  }
}

/** The bits of the next bytes that are a quote, a backslash or a control character. */
function stops(at: usize): i32 {
  const bytes = v128.load(at);
  const marks = v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c)));
  return i8x16.bitmask(v128.or(marks, i8x16.lt_u(bytes, i8x16.splat(0x20))));
}

/** A text without escapes. */
function plainText(start: usize): usize {
  let at = start + 1;
  let found = stops(at);
  for (; found == 0; found = stops(at)) at += VECTOR;
  at += ctz(found);
  return load<u8>(at) == QUOTE ? at + 1 : ODD;
}

function text(start: usize): usize {
  let at = start + 1;
  while (true) {
    const found = stops(at);
    if (found == 0) {
      at += VECTOR;
      continue;
    }
    at += ctz(found);
    const byte = load<u8>(at);
    if (byte == QUOTE) return at + 1;
    if (byte != BACKSLASH || !isShortEscape(load<u8>(at, 1))) return ODD;
    at += 2;
  }
}

function isShortEscape(letter: u8): bool {
  return (
    letter == 0x22 ||
    letter == 0x5c ||
    letter == 0x2f ||
    letter == 0x62 ||
    letter == 0x66 ||
    letter == 0x6e ||
    letter == 0x72 ||
    letter == 0x74
  );
}

function digits(start: usize): usize {
  let at = start;
  while (load<u8>(at) - ZERO < 10) at++;
  return at;
}

function number(node: Shape, start: usize, first: u8): usize {
  const from = first == MINUS ? start + 1 : start;
  const point = digits(from);
  const whole = load<u8>(from) == ZERO ? 0 : <i32>(point - from);
  if (point == from || (whole == 0 && point > from + 1)) return ODD;
  const isPointed = load<u8>(point) == POINT;
  const at = isPointed ? digits(point + 1) : point;
  if ((isPointed && at == point + 1) || (load<u8>(at) | 0x20) == 0x65) return ODD;
  node.seen |= isPointed ? NUMBER | POINTED : NUMBER;
  node.integerDigits = max(node.integerDigits, whole);
  if (isPointed) fraction(node, whole, point + 1, at);
  return at;
}

/** Trailing zeros after the point say nothing: `1.10` has a scale of 1. */
function fraction(node: Shape, whole: i32, start: usize, end: usize): void {
  let significant = <i32>(end - start);
  if (whole + significant > DOUBLE_DIGITS) node.seen |= WIDE;
  while (significant > node.scale && load<u8>(start + significant - 1) == ZERO) significant--;
  node.scale = max(node.scale, significant);
}

function literal(node: Shape, at: usize): usize {
  const word = load<u32>(at);
  if (word == 0x6c6c756e) {
    node.seen |= NULL;
    isValue = false;
    return at + 4;
  }
  const length: usize = word == 0x65757274 ? 4 : word == 0x736c6166 && load<u8>(at, 4) == 0x65 ? 5 : 0;
  if (length == 0) return ODD;
  node.seen |= BOOLEAN;
  return at + length;
}
