/** Reading a body four bytes at a time. Offsets are into the body; a word must lie within it whole. */

const ONES = 0x01010101;
const SPACES = 0x20202020;
const QUOTES = 0x22222222;
const BACKSLASHES = 0x5c5c5c5c;
const HIGHS = 0x80808080;
const WORD = 4;

export const wordsOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * @param last the last offset at which a word may be read. @returns the offset of the first byte from `at` on that is a quote, a backslash
 * or a control character; -1 where the words end before there is one.
 *
 * `x - 1` borrows from the high bit of a byte that is 0, and only the lowest byte of interest counts, below which nothing borrows.
 */
export function endOfPlain(words: DataView, at: number, last: number): number {
  for (let offset = at; offset <= last; offset += WORD) {
    const word = words.getInt32(offset, true);
    const found = (((word ^ QUOTES) - ONES) | ((word ^ BACKSLASHES) - ONES) | (word - SPACES)) & ~word & HIGHS;
    if (found !== 0) return offset + ((31 - Math.clz32(found & -found)) >> 3);
  }
  return -1;
}

/** A name as it stands in a text, quotes included, to be compared a word at a time. */
export interface NamePattern {
  readonly words: Int32Array;
  /** Of the last word, which bytes count. */
  readonly mask: number;
  /** Bytes, quotes included. */
  readonly length: number;
}

/** @returns null for a name that only its decoded form may be compared with: it must be escaped, or no UTF-8 text can hold it. */
export function namePattern(name: string): NamePattern | null {
  if (JSON.stringify(name) !== `"${name}"`) return null;
  const quoted = Buffer.from(`"${name}"`);
  const padded = Buffer.concat([quoted], Math.ceil(quoted.length / WORD) * WORD);
  const words = Int32Array.from({ length: padded.length / WORD }, (_, i) => padded.readInt32LE(i * WORD));
  const spare = padded.length - quoted.length;
  return { words, mask: (-1 >>> (8 * spare)) | 0, length: quoted.length };
}

/** Whether the name stands at `at`. */
export function nameStands(words: DataView, at: number, last: number, pattern: NamePattern): boolean {
  const final = pattern.words.length - 1;
  if (at + WORD * final > last) return false;
  for (let i = 0; i < final; i++) if (words.getInt32(at + WORD * i, true) !== pattern.words[i]) return false;
  return (words.getInt32(at + WORD * final, true) & pattern.mask) === pattern.words[final];
}

/** `null`, `true`, and `false` without its first letter. */
export const LITERAL = { null: 0x6c6c756e, true: 0x65757274, alse: 0x65736c61 } as const;
