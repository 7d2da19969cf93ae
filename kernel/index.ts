import {
  appendNull as addNull,
  appendBoolean,
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
import { Field, meet } from './reader';
import { captured, childAt, freeShape, isBehind, measure, newShape, Shape, spans } from './shape';
import { lineage, newTable, rows, rowsOfLines, rowsOfMembers, Table } from './table';

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

export function createTable(root: usize, position: usize, contentHash: usize): usize {
  return changetype<usize>(newTable(changetype<Field>(root), changetype<Column>(position), changetype<Column>(contentHash)));
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
export function appendLineage(table: usize, position: i32, contentHash: usize): void {
  lineage(changetype<Table>(table), position, contentHash);
}
export function readRows(table: usize, origin: usize, limit: u32, places: usize, from: i32, to: i32): i32 {
  return rows(changetype<Table>(table), origin, limit, places, from, to);
}
export function readMembers(
  table: usize,
  members: usize,
  memberCount: i32,
  known: usize,
  origin: usize,
  limit: u32,
  places: usize,
  from: i32,
  to: i32,
): i32 {
  return rowsOfMembers(changetype<Table>(table), members, memberCount, known, origin, limit, places, from, to);
}
/** @param table 0 where places alone are wanted. */
export function readLines(table: usize, places: usize, start: usize, end: usize): i32 {
  return rowsOfLines(changetype<Table>(table), changetype<Bytes>(places), start, end);
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
