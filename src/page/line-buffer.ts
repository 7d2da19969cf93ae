/** Bytes up to which a loop is faster than a call into Node. */
const SMALL = 48;
const ZERO = 0x30;

/** Lines of text on their way into a file, in one piece of memory that grows and is used again. */
export class LineBuffer {
  private buffer: Buffer;
  private used = 0;
  private begun = 0;
  /** Since it was cleared: lines that were ended, and bytes of the longest. */
  lines = 0;
  longest = 0;

  /** @param expected about so many bytes. */
  constructor(expected = 1 << 20) {
    this.buffer = Buffer.allocUnsafe(expected);
  }

  /** @param text of characters up to U+00FF alone. */
  ascii(text: string): void {
    const { length } = text;
    if (this.used + length > this.buffer.length) this.grow(length);
    const { buffer } = this;
    let at = this.used;
    for (let i = 0; i < length; i++) buffer[at++] = text.charCodeAt(i);
    this.used = at;
  }

  /** A whole number from 0 on, in decimal digits. */
  digits(value: number): void {
    if (this.used + 16 > this.buffer.length) this.grow(16);
    let end = this.used + 1;
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) end++;
    for (let rest = value, at = end - 1; at >= this.used; at--) {
      const tens = Math.floor(rest / 10);
      this.buffer[at] = ZERO + rest - 10 * tens;
      rest = tens;
    }
    this.used = end;
  }

  copy(bytes: Buffer, start = 0, end = bytes.length): void {
    if (this.used + end - start > this.buffer.length) this.grow(end - start);
    const { buffer } = this;
    let at = this.used;
    if (end - start <= SMALL) for (let from = start; from < end; from++) buffer[at++] = bytes[from] as number;
    else bytes.copy(buffer, at, start, end);
    this.used += end - start;
  }

  endLine(): void {
    if (this.used === this.buffer.length) this.grow(1);
    this.buffer[this.used++] = 0x0a;
    if (this.used - this.begun > this.longest) this.longest = this.used - this.begun;
    this.begun = this.used;
    this.lines++;
  }

  /** Valid until the next call. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.used);
  }

  /** Makes room for other lines in the same memory, which is not touched for the first time then. */
  clear(): void {
    this.used = 0;
    this.begun = 0;
    this.lines = 0;
    this.longest = 0;
  }

  private grow(more: number): void {
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.used + more));
    this.buffer.copy(larger, 0, 0, this.used);
    this.buffer = larger;
  }
}
