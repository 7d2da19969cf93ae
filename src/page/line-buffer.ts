/** Lines of text on their way into a file, in one piece of memory that grows and is used again. */
export class LineBuffer {
  private buffer = Buffer.allocUnsafe(1 << 20);
  private used = 0;
  private begun = 0;
  /** Bytes of the longest line so far. */
  longest = 0;

  /** @param text of characters up to U+00FF alone. */
  ascii(text: string): void {
    this.reserve(text.length);
    this.used += this.buffer.write(text, this.used, 'latin1');
  }

  copy(bytes: Buffer, start = 0, end = bytes.length): void {
    this.reserve(end - start);
    bytes.copy(this.buffer, this.used, start, end);
    this.used += end - start;
  }

  endLine(): void {
    this.reserve(1);
    this.buffer[this.used++] = 0x0a;
    if (this.used - this.begun > this.longest) this.longest = this.used - this.begun;
    this.begun = this.used;
  }

  /** Valid until the next call. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.used);
  }

  /** Makes room for other lines in the same memory, which is not touched for the first time then. */
  clear(): void {
    this.used = 0;
    this.begun = 0;
  }

  private reserve(more: number): void {
    if (this.used + more <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.used + more));
    this.buffer.copy(larger, 0, 0, this.used);
    this.buffer = larger;
  }
}
