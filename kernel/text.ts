import { BACKSLASH } from './characters';
import { Bytes, newBytes, reserve } from './column';

const unescaped: Bytes = newBytes(1 << 10);

/** @returns the UTF-8 bytes of a JSON text, valid until the next call; null where an escape is half of a pair, which no UTF-8 text can hold. */
export function unescape(start: usize, end: usize): Bytes | null {
  // No escape is shorter than what it stands for.
  unescaped.length = 0;
  reserve(unescaped, <i32>(end - start));
  let into = unescaped.start;
  for (let at = start; at < end; ) {
    const byte = load<u8>(at);
    if (byte != BACKSLASH) {
      store<u8>(into++, byte);
      at++;
    } else if (load<u8>(at, 1) != 0x75) {
      store<u8>(into++, letterOf(load<u8>(at, 1)));
      at += 2;
    } else {
      let point = hex(at + 2);
      at += 6;
      if (point >= 0xd800 && point < 0xe000) {
        const low = at + 6 <= end && load<u16>(at) == 0x755c ? hex(at + 2) : 0;
        if (point >= 0xdc00 || low < 0xdc00 || low >= 0xe000) return null;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
      }
      into = putPoint(into, point);
    }
  }
  unescaped.length = <i32>(into - unescaped.start);
  return unescaped;
}

function letterOf(escape: u8): u8 {
  switch (escape) {
    case 0x62:
      return 0x08;
    case 0x66:
      return 0x0c;
    case 0x6e:
      return 0x0a;
    case 0x72:
      return 0x0d;
    case 0x74:
      return 0x09;
    default:
      return escape;
  }
}

function hex(at: usize): u32 {
  let unit: u32 = 0;
  for (let i = 0; i < 4; i++) {
    const byte = load<u8>(at + i);
    unit = unit * 16 + (byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57);
  }
  return unit;
}

/** @returns the address behind the point's bytes. */
function putPoint(at: usize, point: u32): usize {
  if (point < 0x80) {
    store<u8>(at, <u8>point);
    return at + 1;
  }
  if (point < 0x800) {
    store<u8>(at, <u8>(0xc0 | (point >> 6)));
    store<u8>(at, continuation(point), 1);
    return at + 2;
  }
  if (point < 0x10000) {
    store<u8>(at, <u8>(0xe0 | (point >> 12)));
    store<u8>(at, continuation(point >> 6), 1);
    store<u8>(at, continuation(point), 2);
    return at + 3;
  }
  store<u8>(at, <u8>(0xf0 | (point >> 18)));
  store<u8>(at, continuation(point >> 12), 1);
  store<u8>(at, continuation(point >> 6), 2);
  store<u8>(at, continuation(point), 3);
  return at + 4;
}

function continuation(bits: u32): u8 {
  return <u8>(0x80 | (bits & 0x3f));
}
