import { LINE_FEED, ZERO } from './characters';
import { appendInt, appendNull, appendText, Bytes, Column, reserve } from './column';
import { Field, readMember, readRecord } from './reader';

/** Hex digits of the content hash. */
const HASH_LENGTH: i32 = 32;
/** Bytes of a place (src/page/places.ts): where a record begins and ends in its body, and its content hash. */
const PLACE: i32 = 40;
const VECTOR: i32 = 16;

/** What rows consist of: the record, and columns that it does not fill. */
@unmanaged
export class Table {
  root: Field;
  position: Column;
  contentHash: Column;
  constants: usize;
  constantCount: i32;
  nulls: usize;
  nullCount: i32;
}

export function newTable(root: Field, position: Column, contentHash: Column): Table {
  const table = changetype<Table>(heap.alloc(offsetof<Table>()));
  memory.fill(changetype<usize>(table), 0, offsetof<Table>());
  table.root = root;
  table.position = position;
  table.contentHash = contentHash;
  return table;
}

/** Appends what a row has besides its record. @param contentHash where its digits stand. */
export function lineage(table: Table, position: i32, contentHash: usize): void {
  appendInt(table.position, position, 0);
  appendText(table.contentHash, contentHash, HASH_LENGTH, 0);
  const end = table.constants + 12 * table.constantCount;
  for (let at = table.constants; at < end; at += 12) appendText(changetype<Column>(load<u32>(at)), load<u32>(at, 4), load<i32>(at, 8), 0);
}

/**
 * Appends the records of a page, as far as its body is here. One whose place ends at 0 is left out.
 * @param origin where the body would begin, from which `limit` bytes are here at most.
 * @returns the position of the first that was not appended: it ends beyond the limit, or is odd, and stands in some columns by half.
 */
export function rows(table: Table, origin: usize, limit: u32, places: usize, from: i32, to: i32): i32 {
  const end = table.nulls + 4 * table.nullCount;
  for (let position = from; position < to; position++) {
    const place = places + PLACE * position;
    const last = load<u32>(place, 4);
    if (last == 0) continue;
    if (last > limit || readRecord(table.root, origin + load<u32>(place))) return position;
    for (let at = table.nulls; at < end; at += 4) appendNull(changetype<Column>(load<u32>(at)), 0, 0);
    lineage(table, position, place + 8);
  }
  return to;
}

/**
 * The same of records of which the members are known, 8 bytes of each: where its value begins and ends in the body, 0 and 0 where there is none.
 * @param members in the order of a record's.
 */
export function rowsOfMembers(
  table: Table,
  members: usize,
  memberCount: i32,
  known: usize,
  origin: usize,
  limit: u32,
  places: usize,
  from: i32,
  to: i32,
): i32 {
  let at = known + 8 * memberCount * from;
  for (let position = from; position < to; position++) {
    const place = places + PLACE * position;
    if (load<u32>(place, 4) > limit) return position;
    for (let member = 0; member < memberCount; member++, at += 8) {
      const isThere = load<u32>(at, 4) != 0;
      if (readMember(changetype<Field>(load<u32>(members + 4 * member)), isThere ? origin + load<u32>(at) : 0)) return position;
    }
    lineage(table, position, place + 8);
  }
  return to;
}

/**
 * Takes the place of each record from its line in a page's index (src/page/page-index.ts), and appends its fields.
 * @param table null where places alone are wanted.
 * @returns 0 where every record was appended; 1 where one is odd: the others are not looked at then, and it stands in some columns by half;
 * -1 where the lines are not those of the records in their order.
 */
export function rowsOfLines(table: Table, places: Bytes, start: usize, end: usize): i32 {
  places.length = 0;
  let odd = changetype<usize>(table) == 0;
  let at = start;
  for (let position = 0; at < end; position++) {
    reserve(places, PLACE);
    const place = places.start + places.length;
    // {"i":0,"s":1,"e":2,"h":"…","r":{…}}
    at = number(at + 5);
    if (value != position) return -1;
    at = number(at + 5);
    store<u32>(place, value);
    at = number(at + 5);
    store<u32>(place, value, 4);
    const contentHash = at + 6;
    memory.copy(place + 8, contentHash, HASH_LENGTH);
    places.length += PLACE;
    at = contentHash + HASH_LENGTH + 6;
    if (!odd) {
      odd = readRecord(table.root, at);
      if (!odd) lineage(table, position, contentHash);
    }
    at = endOfLine(at);
  }
  return i32(odd && changetype<usize>(table) != 0);
}

let value: u32 = 0;
function number(start: usize): usize {
  let at = start;
  value = 0;
  for (let digit = load<u8>(at) - ZERO; digit < 10; digit = load<u8>(++at) - ZERO) value = value * 10 + digit;
  return at;
}

/** Behind the line feed; texts have none. */
function endOfLine(start: usize): usize {
  let at = start;
  while (true) {
    const found = i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(<i8>LINE_FEED)));
    if (found != 0) return at + ctz(found) + 1;
    at += VECTOR;
  }
}
