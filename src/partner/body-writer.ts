/** More than the mean of either stream, so that the buffer seldom has to grow. */
const BYTES_A_RECORD = 1280;
/** UTF-8 takes at most three bytes for a unit of UTF-16. */
const BYTES_A_UNIT = 3;

/**
 * Encodes text piece by piece. A record's text is a rope of a hundred strings; written at once, it dies young, while joining the ropes
 * of a whole page makes the garbage collector copy them all and takes four times as long.
 */
export class BodyWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(records: number) {
    this.#buffer = Buffer.allocUnsafe((records + 1) * BYTES_A_RECORD);
  }

  write(text: string): void {
    const needed = this.#length + text.length * BYTES_A_UNIT;
    if (needed > this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer], needed * 2);
    this.#length += this.#buffer.write(text, this.#length);
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}
