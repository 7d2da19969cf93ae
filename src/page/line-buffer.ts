const LINE_FEED = 0x0a;
const ZERO = 0x30;
/** Up to so many bytes are copied faster one by one than by a call out of JavaScript. */
const SHORT = 48;
/** No number below 2^32 has more digits. */
const DIGITS = 10;

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
    this.reserve(text.length);
    const { buffer } = this;
    let { used } = this;
    if (text.length > SHORT) used += buffer.write(text, used, 'latin1');
    else for (let at = 0; at < text.length; at++) buffer[used++] = text.charCodeAt(at);
    this.used = used;
  }

  copy(bytes: Buffer, start = 0, end = bytes.length): void {
    this.reserve(end - start);
    const { buffer } = this;
    let { used } = this;
    if (end - start > SHORT) used += bytes.copy(buffer, used, start, end);
    else for (let at = start; at < end; at++) buffer[used++] = bytes[at] as number;
    this.used = used;
  }

  /** A whole number below 2^32, in decimal digits. */
  number(value: number): void {
    this.reserve(DIGITS);
    let end = this.used + 1;
    for (let rest = value; rest >= 10; rest = (rest / 10) >>> 0) end++;
    this.used = end;
    for (let rest = value; ; ) {
      const next = (rest / 10) >>> 0;
      this.buffer[--end] = ZERO + rest - 10 * next;
      if ((rest = next) === 0) return;
    }
  }

  endLine(): void {
    this.reserve(1);
    this.buffer[this.used++] = LINE_FEED;
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

  private reserve(more: number): void {
    if (this.used + more <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.used + more));
    this.buffer.copy(larger, 0, 0, this.used);
    this.buffer = larger;
  }
}
