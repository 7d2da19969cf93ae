import {
  BACKSLASH,
  BLANK,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  FALSE,
  MINUS,
  NULL,
  OPEN_ARRAY,
  OPEN_OBJECT,
  POINT,
  QUOTE,
  ZERO,
} from './characters';
import { appendBoolean, appendLong, appendNull, appendText, appendWide, Column, lower } from './column';
import { stands } from './shape';
import { unescape } from './text';

/** A value that is not read here: an escaped text, a number of many digits, nested JSON. @returns whether it is a value. */
declare function oddValue(field: i32, start: i32, end: i32, repetition: i32): i32;
/** @returns the member of that name, which the object has not had before. */
declare function newMember(field: i32, start: i32, end: i32): usize;
/** @returns microseconds since 1970 of the begin of a day, `2026-11-20`. */
declare function dayBegin(start: i32): i64;

/** How values at a path are read; the numbers are known outside, too. */
const BOOLEAN: i32 = 0;
const NUMBER: i32 = 1;
const NUMBER_TEXT: i32 = 2;
const TEXT: i32 = 3;
const LIST: i32 = 4;
const STRUCT: i32 = 5;
const JSON: i32 = 6;
const HOLLOW: i32 = 7;
const SCALAR: i32 = 8;
const VERSION: i32 = 9;
const TIME: i32 = 10;

@unmanaged
export class Field {
  /** Its number outside. */
  id: i32;
  kind: i32;
  /** Name with its quotes and the colon, padded to vectors; 0 where only the decoded name may be compared. */
  pattern: usize;
  patternLength: i32;
  /** Level of an entry whose value is there; of a list's elements after the first. */
  definition: i32;
  repetition: i32;
  /** Digits after the point. */
  scale: i32;
  column: Column;
  /** All columns at this path and below it. */
  leaves: usize;
  leafCount: i32;
  members: usize;
  memberCount: i32;
  /** Members in the order in which records had them. */
  met: usize;
  metCount: i32;
  metCapacity: i32;
  element: Field;
  /** Another field that the same value goes to. */
  also: Field;
  /** The object in which it was last met, and its place among those that its parent has met. */
  object: i32;
  place: i32;
}

/** What is said of an odd value, besides that it is none. */
const VALUE: i32 = 1;
const ODD_RECORD: i32 = 2;

/** So many members that may be missing are passed over before a name is looked up. */
const MISSING: i32 = 4;
/** Digits that 64 bits surely hold. */
const LONG_DIGITS: i32 = 18;
const PLAIN_INTEGER: i32 = 38;

let objects: i32 = 0;
let repetition: i32 = 0;
let isValue: bool = false;
let isEscaped: bool = false;
let isOdd: bool = false;
/** The day of the last time, as `2026-11` and `-20`, and its begin. */
let day: u64 = 0;
let dayRest: u16 = 0;
let begin: i64 = 0;

/** Appends a record to the columns. @returns whether it is odd: it may stand in some of them by half then. */
export function readRecord(root: Field, start: usize): bool {
  isOdd = false;
  repetition = 0;
  object(root, start);
  return isOdd;
}

/** Appends a value to the columns of its field. @param at null where it has none. @returns whether its record is odd. */
export function readMember(field: Field, at: usize): bool {
  isOdd = false;
  repetition = 0;
  if (at == 0) nulls(field);
  else value(field, at);
  return isOdd;
}

function blank(start: usize): usize {
  let at = start;
  while (load<u8>(at) <= BLANK) at++;
  return at;
}

function nulls(field: Field): void {
  isValue = false;
  const definition = field.definition - 1;
  const end = field.leaves + 4 * field.leafCount;
  for (let leaf = field.leaves; leaf < end; leaf += 4) appendNull(changetype<Column>(load<u32>(leaf)), definition, repetition);
}

/** @returns the address behind the value at `at`, as all of these do. */
function value(field: Field, at: usize): usize {
  const first = load<u8>(at);
  if (first == QUOTE) {
    const kind = field.kind;
    if (kind == TEXT || kind == SCALAR) {
      const end = endOfText(at);
      isValue = true;
      // Whether an empty one may stand is decided outside.
      if (isEscaped) escapedText(field, at, end);
      else if (kind == SCALAR && end - at == 2) oddScalar(field, at, end);
      else appendText(field.column, at + 1, <i32>(end - at) - 2, repetition);
      return end;
    }
  }
  if (first == NULL) {
    nulls(field);
    return at + 4;
  }
  isValue = true;
  switch (field.kind) {
    case NUMBER:
    case VERSION:
      return number(field, at, first);
    case STRUCT:
      return object(field, at);
    case LIST:
      return list(field, at);
    case BOOLEAN:
      appendBoolean(field.column, i32(first != FALSE), repetition);
      return at + (first == FALSE ? 5 : 4);
    case TIME:
      return time(field, at);
    default:
      return spelled(field, at, first);
  }
}

function escapedText(field: Field, at: usize, end: usize): void {
  const text = unescape(at + 1, end - 1);
  if (text) appendText(field.column, text.start, text.length, repetition);
  else oddScalar(field, at, end);
}

function oddScalar(field: Field, at: usize, end: usize): void {
  if (oddValue(field.id, <i32>at, <i32>end, repetition) == ODD_RECORD) isOdd = true;
}

function spelled(field: Field, at: usize, first: u8): usize {
  const end = pass(at);
  if (field.kind == HOLLOW) {
    nulls(field);
    return end;
  }
  // What is its own canonical text: digits, a text without escapes, a boolean. Of the overflow, the record is odd.
  const isPlain =
    field.kind == JSON && (first == QUOTE ? !isEscaped : first > 0x39 && first != OPEN_OBJECT && first != OPEN_ARRAY)
      ? true
      : (field.kind == JSON || field.kind == NUMBER_TEXT || field.kind == SCALAR) && isPlainInteger(at, end);
  if (isPlain) appendText(field.column, at, <i32>(end - at), repetition);
  else {
    const said = oddValue(field.id, <i32>at, <i32>end, repetition);
    isValue = said == VALUE;
    if (said == ODD_RECORD) isOdd = true;
  }
  return end;
}

function isPlainInteger(start: usize, end: usize): bool {
  if (<i32>(end - start) > PLAIN_INTEGER) return false;
  for (let at = start; at < end; at++) if (load<u8>(at) - ZERO >= 10) return false;
  return true;
}

function object(field: Field, start: usize): usize {
  const serial = ++objects;
  let at = blank(start + 1);
  if (load<u8>(at) == CLOSE_OBJECT) {
    nulls(field);
    return at + 1;
  }
  let isFilled = false;
  let members = 0;
  for (let expected = 0; ; ) {
    let member = expectedMember(field, at, expected);
    if (changetype<usize>(member) != 0) at += member.patternLength;
    else {
      const end = endOfText(at);
      if (isEscaped) {
        isOdd = true;
        return end;
      }
      member = changetype<Field>(memberNamed(field, at, end));
      at = blank(end) + 1;
    }
    if (load<u8>(at) <= BLANK) at = blank(at);
    if (member.object == serial) isOdd = true;
    member.object = serial;
    expected = member.place + 1;
    members += i32(member.leafCount > 0);
    const from = at;
    at = value(member, at);
    isFilled = isFilled || isValue;
    for (let also = member.also; changetype<usize>(also) != 0; also = also.also) value(also, from);
    if (isOdd) return at;
    let byte = load<u8>(at);
    if (byte <= BLANK) {
      at = blank(at);
      byte = load<u8>(at);
    }
    at++;
    if (byte == CLOSE_OBJECT) break;
    if (load<u8>(at) <= BLANK) at = blank(at);
  }
  if (members < field.memberCount) missing(field, serial);
  isValue = isFilled;
  if (!isFilled) hollow(field);
  return at;
}

/** Its members lie as nulls below an object that is there: it is null itself. */
function hollow(field: Field): void {
  const end = field.leaves + 4 * field.leafCount;
  for (let leaf = field.leaves; leaf < end; leaf += 4) lower(changetype<Column>(load<u32>(leaf)), field.definition - 1);
}

function missing(field: Field, serial: i32): void {
  const end = field.members + 4 * field.memberCount;
  for (let at = field.members; at < end; at += 4) {
    const member = changetype<Field>(load<u32>(at));
    if (member.object != serial) nulls(member);
  }
}

/** The member whose name and colon stand at `at`, where it is one of the next that the records before had. */
function expectedMember(field: Field, at: usize, expected: i32): Field {
  const end = min(expected + MISSING, field.metCount);
  for (let place = expected; place < end; place++) {
    const member = changetype<Field>(load<u32>(field.met + 4 * place));
    if (member.pattern != 0 && stands(at, member.pattern, member.patternLength)) return member;
  }
  return changetype<Field>(0);
}

/** A member that was met before, out of order or with blanks before its colon. */
function memberNamed(field: Field, start: usize, end: usize): usize {
  const size = <i32>(end - start);
  const last = field.met + 4 * field.metCount;
  for (let met = field.met; met < last; met += 4) {
    const member = changetype<Field>(load<u32>(met));
    if (member.pattern != 0 && member.patternLength == size + 1 && memory.compare(start, member.pattern, size) == 0) return load<u32>(met);
  }
  return newMember(field.id, <i32>start, <i32>end);
}

export function meet(field: Field, member: Field): void {
  if (field.metCount == field.metCapacity) {
    field.metCapacity = 2 * field.metCapacity;
    field.met = heap.realloc(field.met, 4 * field.metCapacity);
  }
  store<u32>(field.met + 4 * field.metCount, <u32>changetype<usize>(member));
  member.place = field.metCount++;
}

function list(field: Field, start: usize): usize {
  const outer = repetition;
  const element = field.element;
  let at = blank(start + 1);
  if (load<u8>(at) == CLOSE_ARRAY) {
    const end = field.leaves + 4 * field.leafCount;
    for (let leaf = field.leaves; leaf < end; leaf += 4) appendNull(changetype<Column>(load<u32>(leaf)), field.definition, outer);
  }
  while (load<u8>(at) != CLOSE_ARRAY) {
    at = blank(value(element, at));
    if (isOdd) return at;
    repetition = field.repetition;
    if (load<u8>(at) == COMMA) at = blank(at + 1);
  }
  repetition = outer;
  isValue = true;
  return at + 1;
}

function number(field: Field, start: usize, first: u8): usize {
  const isNegative = first == MINUS;
  const from = start + usize(isNegative);
  let at = from;
  let value: i64 = 0;
  let digit = load<u8>(at) - ZERO;
  for (; digit < 10; digit = load<u8>(++at) - ZERO) value = value * 10 + digit;
  let digits = <i32>(at - from);
  let missing = field.scale;
  if (load<u8>(at) == POINT) {
    const point = ++at;
    digit = load<u8>(at) - ZERO;
    for (; digit < 10; digit = load<u8>(++at) - ZERO) value = value * 10 + digit;
    digits += <i32>(at - point);
    missing -= <i32>(at - point);
  }
  // The two last are a value that is no number, and an exponent.
  if (missing < 0 || digits + missing > LONG_DIGITS || digits == 0 || (load<u8>(at) | 0x20) == 0x65) {
    const end = pass(start);
    oddScalar(field, start, end);
    return end;
  }
  for (; missing > 0; missing--) value *= 10;
  if (isNegative) value = -value;
  const column = field.column;
  if (column.width == 8) appendLong(column, value, repetition);
  else appendWide(column, value >> 63, value, repetition);
  return at;
}

function pair(at: usize): i32 {
  const tens = <u32>load<u8>(at) - 0x30;
  const ones = <u32>load<u8>(at, 1) - 0x30;
  return tens < 10 && ones < 10 ? <i32>(10 * tens + ones) : 1000;
}

/** The form that most times have, `"2026-11-20T10:00:00.123456Z"`; others are read outside. */
function time(field: Field, start: usize): usize {
  const end = pass(start);
  const size = <i32>(end - start);
  const last = end - 2;
  const isForm =
    size >= 22 &&
    size <= 35 &&
    load<u8>(start) == QUOTE &&
    load<u8>(last) == 0x5a &&
    load<u8>(start, 5) == MINUS &&
    load<u8>(start, 8) == MINUS &&
    load<u8>(start, 11) == 0x54 &&
    load<u8>(start, 14) == COLON &&
    load<u8>(start, 17) == COLON &&
    (size == 22 || (size > 23 && load<u8>(start, 20) == POINT));
  if (isForm) {
    const hour = pair(start + 12);
    const minute = pair(start + 15);
    const second = pair(start + 18);
    let micros: i64 = 0;
    let isDigits = hour < 24 && minute < 60 && second < 60;
    let places = 0;
    for (let at = start + 21; at < last; at++, places++) {
      const digit = load<u8>(at) - ZERO;
      isDigits = isDigits && digit < 10;
      if (places < 6) micros = micros * 10 + digit;
    }
    for (; places < 6; places++) micros *= 10;
    if (isDigits) {
      const named = load<u64>(start, 1);
      const namedRest = load<u16>(start, 9);
      if (named != day || namedRest != dayRest) {
        begin = dayBegin(<i32>start + 1);
        day = named;
        dayRest = namedRest;
      }
      if (begin != i64.MIN_VALUE) {
        appendLong(field.column, begin + <i64>((hour * 60 + minute) * 60 + second) * 1000000 + micros, repetition);
        return end;
      }
    }
  }
  oddScalar(field, start, end);
  return end;
}

/** Passes a value of any kind. */
function pass(start: usize): usize {
  let depth = 0;
  let at = start;
  do {
    const byte = load<u8>(at);
    if (byte == QUOTE) at = endOfText(at);
    else {
      if (byte == OPEN_OBJECT || byte == OPEN_ARRAY) depth++;
      else if (byte == CLOSE_OBJECT || byte == CLOSE_ARRAY) depth--;
      at++;
      if (depth == 0 && byte != CLOSE_OBJECT && byte != CLOSE_ARRAY) return endOfToken(at);
    }
  } while (depth > 0);
  return at;
}

/** Behind a number or a literal. */
function endOfToken(start: usize): usize {
  let at = start;
  while (true) {
    const byte = load<u8>(at);
    if (byte <= BLANK || byte == COMMA || byte == CLOSE_OBJECT || byte == CLOSE_ARRAY) return at;
    at++;
  }
}

function endOfText(start: usize): usize {
  let at = start + 1;
  const bytes = v128.load(at);
  const found = i8x16.bitmask(v128.or(i8x16.eq(bytes, i8x16.splat(<i8>QUOTE)), i8x16.eq(bytes, i8x16.splat(<i8>BACKSLASH))));
  if (found != 0) {
    at += ctz(found);
    if (load<u8>(at) == QUOTE) {
      isEscaped = false;
      return at + 1;
    }
  }
  return endOfLongText(start);
}

function endOfLongText(start: usize): usize {
  let at = start + 1;
  isEscaped = false;
  while (true) {
    const bytes = v128.load(at);
    const found = i8x16.bitmask(v128.or(i8x16.eq(bytes, i8x16.splat(<i8>QUOTE)), i8x16.eq(bytes, i8x16.splat(<i8>BACKSLASH))));
    if (found == 0) {
      at += 16;
      continue;
    }
    at += ctz(found);
    if (load<u8>(at) == QUOTE) return at + 1;
    isEscaped = true;
    at += 2;
  }
}
