import { Bytes, Column, fillLevels, reserve, spell } from './column';

/** Parquet's encodings (https://parquet.apache.org/docs/file-format/data-pages/encodings/). */
const PLAIN: i32 = 0;
const RLE_DICTIONARY: i32 = 8;
const DELTA_BINARY_PACKED: i32 = 5;
const DELTA_LENGTH_BYTE_ARRAY: i32 = 6;
/** A text of more bytes has no place among deltas of lengths. */
const LONGEST_PACKED: i32 = 1 << 22;

/** Writes levels and values of a data page, in format version 1. @returns the encoding of the values. */
export function writePage(column: Column, into: Bytes): i32 {
  into.length = 0;
  if (column.repetitions == 0) fillLevels(column);
  else writeLevels(into, column.repetitions, column.levels, column.repetition);
  writeLevels(into, column.definitions, column.levels, column.definition);
  if (column.width > 0) {
    if (column.width == 8) writeDeltas<i64>(into, column.numbers, column.values);
    else if (column.width == 4) writeDeltas<i32>(into, column.numbers, column.values);
    else if (column.isFlags) writeFlags(into, column);
    else append(into, column.numbers, column.values * column.width);
    return column.width == 8 || column.width == 4 ? DELTA_BINARY_PACKED : PLAIN;
  }
  // A dictionary that is used once or twice is no gain.
  if (column.isCoded && column.entriesCoded > column.values / 2) spell(column);
  if (column.isCoded) {
    const width = bitWidth(max(0, column.entriesCoded - 1));
    putByte(into, <u8>width);
    writeHybrid(into, column.numbers, 4, column.values, width);
    return RLE_DICTIONARY;
  }
  if (column.longest > LONGEST_PACKED) {
    writePlain(into, column);
    return PLAIN;
  }
  writeDeltas<i32>(into, column.numbers, column.values);
  append(into, column.texts.start, column.texts.length);
  return DELTA_LENGTH_BYTE_ARRAY;
}

function append(into: Bytes, start: usize, size: i32): void {
  reserve(into, size);
  memory.copy(into.start + into.length, start, size);
  into.length += size;
}

function putByte(into: Bytes, byte: u8): void {
  reserve(into, 1);
  store<u8>(into.start + into.length, byte);
  into.length++;
}

/** Seven bits a byte, the lowest first (ULEB128). */
function putVarint(into: Bytes, value: u64): void {
  let rest = value;
  for (; rest >= 0x80; rest >>= 7) putByte(into, <u8>(rest & 0x7f) | 0x80);
  putByte(into, <u8>rest);
}

/** Bits that the numbers up to `most` take, at least one: readers differ about none. */
function bitWidth(most: i32): i32 {
  return max(1, 32 - clz(most));
}

function writeLevels(into: Bytes, levels: usize, count: i32, most: i32): void {
  const at = into.length;
  append(into, levels, 4);
  writeHybrid(into, levels, 1, count, bitWidth(most));
  store<i32>(into.start + at, into.length - at - 4);
}

function numberAt(values: usize, size: i32, at: i32): u32 {
  return size == 1 ? load<u8>(values + at) : load<u32>(values + 4 * at);
}

/** The hybrid of runs and packed bits, as one run of either: finding runs is left to what compresses the page. @param size bytes of a value. */
function writeHybrid(into: Bytes, values: usize, size: i32, count: i32, width: i32): void {
  if (count == 0) return;
  if (memory.compare(values, values + size, (count - 1) * size) == 0) {
    putVarint(into, (<u64>count) << 1);
    let rest = numberAt(values, size, 0);
    for (let bits = 0; bits < width; bits += 8, rest >>= 8) putByte(into, <u8>rest);
    return;
  }
  const groups = (count + 7) >>> 3;
  putVarint(into, ((<u64>groups) << 1) | 1);
  if (size == 1) packBits<u8>(into, values, count, width, groups * 8);
  else packBits<u32>(into, values, count, width, groups * 8);
}

/** @param places so many values are written: those past the last are 0. */
function packBits<T>(into: Bytes, values: usize, count: i32, width: i32, places: i32): void {
  reserve(into, ((places * width) >>> 3) + 8);
  let at = into.start + into.length;
  const end = at + ((places * width) >>> 3);
  let held: u64 = 0;
  let bits = 0;
  for (let i = 0; i < count; i++) {
    held |= (<u64>load<T>(values + i * sizeof<T>())) << bits;
    bits += width;
    if (bits >= 32) {
      store<u32>(at, <u32>held);
      at += 4;
      held >>= 32;
      bits -= 32;
    }
  }
  for (; at < end; at++, held >>= 8) store<u8>(at, <u8>held);
  into.length = <i32>(end - into.start);
}

function writeFlags(into: Bytes, column: Column): void {
  const values = column.values;
  packBits<u8>(into, column.numbers, values, 1, (values + 7) & ~7);
}

function writePlain(into: Bytes, column: Column): void {
  let text = column.texts.start;
  for (let value = 0; value < column.values; value++) {
    const at = column.numbers + 4 * value;
    const size = load<i32>(at);
    append(into, at, 4);
    append(into, text, size);
    text += size;
  }
}

const BLOCK: i32 = 128;
const MINIBLOCKS: i32 = 4;
const MINIBLOCK: i32 = 32;
const deltas: usize = memory.data(8 * 128);

function zigzag(value: i64): u64 {
  return <u64>((value << 1) ^ (value >> 63));
}

/** DELTA_BINARY_PACKED: whole numbers by how they differ from the one before, modulo 2^64. */
function writeDeltas<T>(into: Bytes, values: usize, count: i32): void {
  putVarint(into, BLOCK);
  putVarint(into, MINIBLOCKS);
  putVarint(into, count);
  putVarint(into, zigzag(count == 0 ? 0 : <i64>load<T>(values)));
  for (let first = 1; first < count; first += BLOCK) {
    const size = min(BLOCK, count - first);
    let least = i64.MAX_VALUE;
    for (let i = 0; i < size; i++) {
      const at = values + (first + i) * sizeof<T>();
      const delta = <i64>load<T>(at) - <i64>load<T>(at - sizeof<T>());
      store<i64>(deltas + 8 * i, delta);
      least = min(least, delta);
    }
    for (let i = 0; i < size; i++) store<i64>(deltas + 8 * i, load<i64>(deltas + 8 * i) - least);
    putVarint(into, zigzag(least));
    for (let at = 0; at < BLOCK; at += MINIBLOCK) putByte(into, <u8>miniblockWidth(at, size));
    // A miniblock is written whole, however few values it has; one that has none is not written.
    for (let at = 0; at < size; at += MINIBLOCK) packDeltas(into, at, min(size - at, MINIBLOCK), miniblockWidth(at, size));
  }
}

function miniblockWidth(from: i32, size: i32): i32 {
  let all: i64 = 0;
  for (let i = from; i < min(size, from + MINIBLOCK); i++) all |= load<i64>(deltas + 8 * i);
  return 64 - <i32>clz(all);
}

/** A whole miniblock, which ends on a word whatever its width. */
function packDeltas(into: Bytes, from: i32, count: i32, width: i32): void {
  reserve(into, 4 * width + 8);
  const end = into.start + into.length + 4 * width;
  let at = into.start + into.length;
  let held: u64 = 0;
  let bits = 0;
  for (let i = 0; i < MINIBLOCK && width > 0; i++) {
    const delta: u64 = i < count ? load<u64>(deltas + 8 * (from + i)) : 0;
    held |= delta << bits;
    bits += width;
    if (bits < 64) continue;
    store<u64>(at, held);
    at += 8;
    bits -= 64;
    // What did not fit of the value; a shift by 64 would be one by none.
    held = bits == 0 ? 0 : delta >> (width - bits);
  }
  if (at < end) store<u32>(at, <u32>held);
  into.length += 4 * width;
}
