/** Memory past what is used that a copy of a whole vector may write into. */
const SPARE: i32 = 16;

const ROWS: i32 = 1024;
/** More texts than that would make the codes no shorter than they save. */
const MOST_TEXTS: i32 = 2000;
/** A longer text is seldom one of a few. */
const LONGEST_CODED: i32 = 256;
const SLOTS: i32 = 4096;

/** Bytes that grow. */
@unmanaged
export class Bytes {
  start: usize;
  length: i32;
  capacity: i32;
}

/**
 * A leaf column of a row group while it is filled: values, and the levels of their entries. Outside of lists, levels are written only from
 * one null to the next: what lies between is there.
 */
@unmanaged
export class Column {
  /** Entries that have a value, and those that have none. */
  values: i32;
  nulls: i32;
  /** Records that have begun; counted in lists alone. */
  begun: i32;
  /** Its greatest levels. */
  definition: i32;
  repetition: i32;
  /** Bytes of a value; 0 for a text. */
  width: i32;
  /** Levels that were written. */
  levels: i32;
  levelCapacity: i32;
  definitions: usize;
  /** Null where the column is in no list. */
  repetitions: usize;
  /** Of a text, its number in the dictionary or its length, 4 bytes each; else the value. */
  numbers: usize;
  numberCapacity: i32;
  /** Whether values are numbers of the dictionary, or texts one after the other. */
  isCoded: i32;
  longest: i32;
  /** Whether values are bits, a byte each until they are written. */
  isFlags: i32;
  texts: Bytes;
  /** Different texts, each after its length. */
  entriesCoded: i32;
  dictionary: Bytes;
  /** Of each, where its bytes begin, and of the one that would come next. */
  starts: usize;
  hashes: usize;
  /** Open addressing: a text's number plus one, 0 where there is none. */
  slots: usize;
}

export function newBytes(capacity: i32): Bytes {
  const bytes = changetype<Bytes>(heap.alloc(offsetof<Bytes>()));
  bytes.start = heap.alloc(capacity + SPARE);
  bytes.length = 0;
  bytes.capacity = capacity;
  return bytes;
}

export function reserve(bytes: Bytes, more: i32): void {
  if (bytes.length + more <= bytes.capacity) return;
  const capacity = max(2 * bytes.capacity, bytes.length + more);
  bytes.start = heap.realloc(bytes.start, capacity + SPARE);
  bytes.capacity = capacity;
}

/** @param width bytes of a value; 0 for texts. */
export function newColumn(definition: i32, repetition: i32, width: i32): Column {
  const column = changetype<Column>(heap.alloc(offsetof<Column>()));
  memory.fill(changetype<usize>(column), 0, offsetof<Column>());
  column.definition = definition;
  column.repetition = repetition;
  column.width = width;
  column.levelCapacity = ROWS;
  column.definitions = heap.alloc(ROWS);
  column.repetitions = repetition > 0 ? heap.alloc(ROWS) : 0;
  column.numberCapacity = ROWS;
  column.numbers = heap.alloc(ROWS * (width == 0 ? 4 : width));
  if (width == 0) {
    column.texts = newBytes(ROWS);
    column.dictionary = newBytes(ROWS);
    column.starts = heap.alloc(4 * (MOST_TEXTS + 1));
    column.hashes = heap.alloc(4 * MOST_TEXTS);
    column.slots = heap.alloc(2 * SLOTS);
  }
  clearColumn(column);
  return column;
}

export function clearColumn(column: Column): void {
  column.values = 0;
  column.nulls = 0;
  column.begun = 0;
  column.levels = 0;
  if (column.width > 0) return;
  column.isCoded = 1;
  column.longest = 0;
  column.texts.length = 0;
  column.entriesCoded = 0;
  column.dictionary.length = 0;
  memory.fill(column.slots, 0, 2 * SLOTS);
}

export function entriesOf(column: Column): i32 {
  return column.values + column.nulls;
}

export function rowsOf(column: Column): i32 {
  return column.repetitions == 0 ? entriesOf(column) : column.begun;
}

/** An entry without a value. @param repetition 0 where a record begins with it. */
export function appendNull(column: Column, definition: i32, repetition: i32): void {
  if (column.repetitions != 0) {
    writeLevels(column, definition, repetition);
  } else {
    fillLevels(column);
    store<u8>(column.definitions + column.levels, definition);
    column.levels++;
  }
  column.nulls++;
}

/** Notes that a value comes, which is not counted yet. */
function valueComes(column: Column, repetition: i32): void {
  if (column.repetitions != 0) writeLevels(column, column.definition, repetition);
}

function writeLevels(column: Column, definition: i32, repetition: i32): void {
  const at = column.levels;
  reserveLevels(column, at + 1);
  store<u8>(column.definitions + at, definition);
  store<u8>(column.repetitions + at, repetition);
  column.levels = at + 1;
  column.begun += i32(repetition == 0);
}

/** Writes the levels of the values since the last null, with room for one more. */
export function fillLevels(column: Column): void {
  const entries = entriesOf(column);
  reserveLevels(column, entries + 1);
  memory.fill(column.definitions + column.levels, <u8>column.definition, entries - column.levels);
  column.levels = entries;
}

function reserveLevels(column: Column, count: i32): void {
  if (count <= column.levelCapacity) return;
  const capacity = max(2 * column.levelCapacity, count);
  column.levelCapacity = capacity;
  column.definitions = heap.realloc(column.definitions, capacity);
  if (column.repetitions != 0) column.repetitions = heap.realloc(column.repetitions, capacity);
}

/** @returns where the next value goes, which is counted. */
function nextNumber(column: Column, width: i32): usize {
  const at = column.values;
  if (at == column.numberCapacity) growNumbers(column, width);
  column.values = at + 1;
  return column.numbers + at * width;
}

function growNumbers(column: Column, width: i32): void {
  column.numberCapacity *= 2;
  column.numbers = heap.realloc(column.numbers, column.numberCapacity * width);
}

export function appendLong(column: Column, value: i64, repetition: i32): void {
  valueComes(column, repetition);
  store<i64>(nextNumber(column, 8), value);
}

/** Of 128 bits, the highest byte first. */
export function appendWide(column: Column, high: i64, low: i64, repetition: i32): void {
  valueComes(column, repetition);
  const at = nextNumber(column, 16);
  store<i64>(at, bswap(high));
  store<i64>(at, bswap(low), 8);
}

export function appendInt(column: Column, value: i32, repetition: i32): void {
  valueComes(column, repetition);
  store<i32>(nextNumber(column, 4), value);
}

export function appendBoolean(column: Column, value: i32, repetition: i32): void {
  valueComes(column, repetition);
  store<u8>(nextNumber(column, 1), value);
}

export function appendText(column: Column, text: usize, size: i32, repetition: i32): void {
  valueComes(column, repetition);
  if (column.isCoded) {
    const code = codeOf(column, text, size);
    if (code >= 0) {
      store<i32>(nextNumber(column, 4), code);
      return;
    }
    spell(column);
  }
  putText(column, text, size);
}

function putText(column: Column, text: usize, size: i32): void {
  const texts = column.texts;
  reserve(texts, size);
  const into = texts.start + texts.length;
  if (size <= 64) for (let at = 0; at < size; at += 16) v128.store(into + at, v128.load(text + at));
  else memory.copy(into, text, size);
  texts.length += size;
  store<i32>(nextNumber(column, 4), size);
  column.longest = max(column.longest, size);
}

/** Writes out what were numbers of the dictionary so far. */
export function spell(column: Column): void {
  column.isCoded = 0;
  const values = column.values;
  column.values = 0;
  for (let value = 0; value < values; value++) {
    const code = load<i32>(column.numbers + 4 * value);
    const start = load<i32>(column.starts + 4 * code);
    putText(column, column.dictionary.start + start, load<i32>(column.starts + 4 * code, 4) - 4 - start);
  }
}

function rest(bytes: i32): u64 {
  return <u64>-1 >> (64 - 8 * bytes);
}

/** @returns the text's number, -1 where there is no room for one more. */
function codeOf(column: Column, text: usize, size: i32): i32 {
  if (size > LONGEST_CODED) return -1;
  let hash: u64 = size;
  let at = 0;
  for (; at + 8 <= size; at += 8) hash = (rotl(hash, 23) ^ load<u64>(text + at)) * 0x9e3779b97f4a7c15;
  const left = size - at;
  if (left > 0) hash = (rotl(hash, 23) ^ (load<u64>(text + at) & rest(left))) * 0x9e3779b97f4a7c15;
  const short = <i32>(hash >> 32);
  let slot = short & (SLOTS - 1);
  while (true) {
    const known = <i32>load<u16>(column.slots + 2 * slot);
    if (known == 0) return addText(column, short, slot, text, size);
    if (load<i32>(column.hashes + 4 * (known - 1)) == short && stands(column, known - 1, text, size)) return known - 1;
    slot = (slot + 1) & (SLOTS - 1);
  }
}

function stands(column: Column, code: i32, text: usize, size: i32): bool {
  const start = load<i32>(column.starts + 4 * code);
  if (load<i32>(column.starts + 4 * code, 4) - 4 - start != size) return false;
  const own = column.dictionary.start + start;
  let at = 0;
  for (; at + 8 <= size; at += 8) if (load<u64>(own + at) != load<u64>(text + at)) return false;
  return at == size || ((load<u64>(own + at) ^ load<u64>(text + at)) & rest(size - at)) == 0;
}

function addText(column: Column, hash: i32, slot: i32, text: usize, size: i32): i32 {
  const code = column.entriesCoded;
  if (code == MOST_TEXTS) return -1;
  const dictionary = column.dictionary;
  reserve(dictionary, size + 4);
  store<i32>(dictionary.start + dictionary.length, size);
  const start = dictionary.length + 4;
  memory.copy(dictionary.start + start, text, size);
  dictionary.length = start + size;
  store<i32>(column.starts + 4 * code, start);
  // The next text begins behind its length.
  store<i32>(column.starts + 4 * code, start + size + 4, 4);
  store<i32>(column.hashes + 4 * code, hash);
  store<u16>(column.slots + 2 * slot, code + 1);
  column.entriesCoded = code + 1;
  return code;
}

/** What was the last null of the column becomes null at a level further up, where it lay below. */
export function lower(column: Column, definition: i32): void {
  const last = column.definitions + column.levels - 1;
  if (<i32>load<u8>(last) > definition) store<u8>(last, definition);
}

/** Takes back what came after so many records. */
export function truncateColumn(column: Column, rows: i32): void {
  if (rowsOf(column) <= rows) return;
  fillLevels(column);
  while (rowsOf(column) > rows) {
    const last = --column.levels;
    if (<i32>load<u8>(column.definitions + last) == column.definition) dropValue(column);
    else column.nulls--;
    if (column.repetitions != 0 && load<u8>(column.repetitions + last) == 0) column.begun--;
  }
}

function dropValue(column: Column): void {
  column.values--;
  if (column.width == 0 && !column.isCoded) column.texts.length -= load<i32>(column.numbers + 4 * column.values);
}
