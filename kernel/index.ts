import {
  appendNull as addNull,
  appendBoolean,
  appendInt,
  appendLong,
  appendText,
  appendWide,
  Bytes,
  Column,
  clearColumn,
  entriesOf as entriesIn,
  newBytes,
  newColumn,
  reserve,
  rowsOf as rowsIn,
  truncateColumn,
} from './column';
import { writePage } from './page';
import { Field, meet, readRecord } from './reader';
import { captured, childAt, freeShape, isBehind, measure, newShape, Shape, spans } from './shape';

/** Hex digits of the content hash. */
const HASH_LENGTH: i32 = 32;

/** Columns of a row that its record does not fill. */
@unmanaged
class Table {
  position: Column;
  contentHash: Column;
  constants: usize;
  constantCount: i32;
  nulls: usize;
  nullCount: i32;
}

/** What the hot loops of the normalizer are called by from outside. Addresses are numbers there. */

export function allocate(size: i32): usize {
  return heap.alloc(size);
}

export function release(address: usize): void {
  heap.free(address);
}

export function createBytes(): usize {
  return changetype<usize>(newBytes(1 << 16));
}
export function reserveBytes(bytes: usize, size: i32): usize {
  const into = changetype<Bytes>(bytes);
  into.length = 0;
  reserve(into, size);
  return into.start;
}
export function startOf(bytes: usize): usize {
  return changetype<Bytes>(bytes).start;
}
export function lengthOf(bytes: usize): i32 {
  return changetype<Bytes>(bytes).length;
}

export function createColumn(definition: i32, repetition: i32, width: i32, isFlags: i32): usize {
  const column = newColumn(definition, repetition, width);
  column.isFlags = isFlags;
  return changetype<usize>(column);
}
export function appendNull(column: usize, definition: i32, repetition: i32): void {
  addNull(changetype<Column>(column), definition, repetition);
}
export function appendI64(column: usize, value: i64, repetition: i32): void {
  appendLong(changetype<Column>(column), value, repetition);
}
export function appendI128(column: usize, high: i64, low: i64, repetition: i32): void {
  appendWide(changetype<Column>(column), high, low, repetition);
}
export function appendFlag(column: usize, value: i32, repetition: i32): void {
  appendBoolean(changetype<Column>(column), value, repetition);
}
export function appendBytes(column: usize, text: usize, size: i32, repetition: i32): void {
  appendText(changetype<Column>(column), text, size, repetition);
}
export function clear(column: usize): void {
  clearColumn(changetype<Column>(column));
}
export function truncate(column: usize, rows: i32): void {
  truncateColumn(changetype<Column>(column), rows);
}
export function entriesOf(column: usize): i32 {
  return entriesIn(changetype<Column>(column));
}
export function rowsOf(column: usize): i32 {
  return rowsIn(changetype<Column>(column));
}
export function nullsOf(column: usize): i32 {
  return changetype<Column>(column).nulls;
}
/** @returns the least of a column's values of 64 bits, of which there is one. */
export function leastOf(column: usize): i64 {
  const it = changetype<Column>(column);
  let least = i64.MAX_VALUE;
  for (let at = 0; at < it.values; at++) least = min(least, load<i64>(it.numbers + 8 * at));
  return least;
}
export function greatestOf(column: usize): i64 {
  const it = changetype<Column>(column);
  let greatest = i64.MIN_VALUE;
  for (let at = 0; at < it.values; at++) greatest = max(greatest, load<i64>(it.numbers + 8 * at));
  return greatest;
}
export function codedOf(column: usize): i32 {
  return changetype<Column>(column).entriesCoded;
}
export function dictionaryOf(column: usize): usize {
  return changetype<usize>(changetype<Column>(column).dictionary);
}
export function encode(column: usize, into: usize): i32 {
  return writePage(changetype<Column>(column), changetype<Bytes>(into));
}

export function createField(id: i32, kind: i32, definition: i32, repetition: i32, scale: i32, column: usize): usize {
  const field = changetype<Field>(heap.alloc(offsetof<Field>()));
  memory.fill(changetype<usize>(field), 0, offsetof<Field>());
  field.id = id;
  field.kind = kind;
  field.definition = definition;
  field.repetition = repetition;
  field.scale = scale;
  field.column = changetype<Column>(column);
  field.place = -1;
  field.metCapacity = 8;
  field.met = heap.alloc(4 * 8);
  return changetype<usize>(field);
}
export function setPattern(field: usize, pattern: usize, length: i32): void {
  changetype<Field>(field).pattern = pattern;
  changetype<Field>(field).patternLength = length;
}
export function setLeaves(field: usize, leaves: usize, count: i32): void {
  changetype<Field>(field).leaves = leaves;
  changetype<Field>(field).leafCount = count;
}
export function setMembers(field: usize, members: usize, count: i32): void {
  changetype<Field>(field).members = members;
  changetype<Field>(field).memberCount = count;
}
export function setElement(field: usize, element: usize): void {
  changetype<Field>(field).element = changetype<Field>(element);
}
export function setAlso(field: usize, also: usize): void {
  changetype<Field>(field).also = changetype<Field>(also);
}
export function meetMember(field: usize, member: usize): void {
  meet(changetype<Field>(field), changetype<Field>(member));
}

/** @returns 1 where the record is odd. */
export function read(root: usize, start: usize): i32 {
  return i32(readRecord(changetype<Field>(root), start));
}

export function createTable(position: usize, contentHash: usize): usize {
  const table = changetype<Table>(heap.alloc(offsetof<Table>()));
  memory.fill(changetype<usize>(table), 0, offsetof<Table>());
  table.position = changetype<Column>(position);
  table.contentHash = changetype<Column>(contentHash);
  return changetype<usize>(table);
}
/** @param constants of 12 bytes each: column, address of a text, its length. */
export function setConstants(table: usize, constants: usize, count: i32): void {
  changetype<Table>(table).constants = constants;
  changetype<Table>(table).constantCount = count;
}
/** Columns that are null in every record that is not odd. */
export function setNulls(table: usize, columns: usize, count: i32): void {
  changetype<Table>(table).nulls = columns;
  changetype<Table>(table).nullCount = count;
}

/** Appends what a row has besides its record. */
export function appendLineage(table: usize, position: i32, contentHash: usize): void {
  const it = changetype<Table>(table);
  appendInt(it.position, position, 0);
  appendText(it.contentHash, contentHash, HASH_LENGTH, 0);
  const end = it.constants + 12 * it.constantCount;
  for (let at = it.constants; at < end; at += 12) appendText(changetype<Column>(load<u32>(at)), load<u32>(at, 4), load<i32>(at, 8), 0);
}

/** Appends a row. @returns 1 where its record is odd: nothing of the lineage was appended then. */
export function readRow(table: usize, root: usize, start: usize, position: i32, contentHash: usize): i32 {
  if (readRecord(changetype<Field>(root), start)) return 1;
  const it = changetype<Table>(table);
  const end = it.nulls + 4 * it.nullCount;
  for (let at = it.nulls; at < end; at += 4) addNull(changetype<Column>(load<u32>(at)), 0, 0);
  appendLineage(table, position, contentHash);
  return 0;
}

/** @param name with its quotes and the colon; empty for the records themselves. @param capture place among the wanted fields, or -1. */
export function createShape(name: usize, nameLength: i32, capture: i32): usize {
  const shape = newShape(name, nameLength);
  shape.capture = capture;
  return changetype<usize>(shape);
}
export function releaseShape(shape: usize): void {
  freeShape(changetype<Shape>(shape));
}
export function measureRecords(root: usize, body: usize, at: usize, wanted: usize, wantedCount: i32): usize {
  return measure(changetype<Shape>(root), body, at, wanted, wantedCount);
}
/** Whether it ended behind a record. */
export function endedBehind(): i32 {
  return i32(isBehind);
}
export function spansOf(): usize {
  return changetype<usize>(spans);
}
export function capturedOf(): usize {
  return changetype<usize>(captured);
}
export function seenOf(shape: usize): i32 {
  return changetype<Shape>(shape).seen;
}
export function integerDigitsOf(shape: usize): i32 {
  return changetype<Shape>(shape).integerDigits;
}
export function scaleOf(shape: usize): i32 {
  return changetype<Shape>(shape).scale;
}
export function elementOf(shape: usize): usize {
  return changetype<usize>(changetype<Shape>(shape).element);
}
export function placeOf(shape: usize): i32 {
  return changetype<Shape>(shape).place;
}
export function nameOf(shape: usize): usize {
  return changetype<Shape>(shape).name;
}
export function nameLengthOf(shape: usize): i32 {
  return changetype<Shape>(shape).nameLength;
}
export function childCountOf(shape: usize): i32 {
  return changetype<Shape>(shape).childCount;
}
export function childOf(shape: usize, place: i32): usize {
  return changetype<usize>(childAt(changetype<Shape>(shape), place));
}
