import { JsonError } from './errors.ts';

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const OPEN_ARRAY = 0x5b;
export const CLOSE_ARRAY = 0x5d;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const EXPONENT = 0x65; // with bit 0x20 set: `e` and `E`

/** Nesting past this is refused: each level costs a stack frame. */
export const NESTING_LIMIT = 512;

/**
 * Walks the tokens of one JSON text (RFC 8259), byte by byte, without making strings or objects. Every method checks the grammar of what
 * it passes, so that a walk that ends has proved the text. The text must be UTF-8 (checked by the caller, natively).
 */
export class Scanner {
  readonly bytes: Buffer;
  /** The next byte to read. */
  at: number;
  readonly end: number;
  /** Whether the last text passed had an escape, and one of a lone surrogate. */
  escaped = false;
  surrogate = false;
  /** Lone surrogate escapes passed so far. */
  surrogates = 0;
  /** Of the last number passed: digits before the point (leading zero not counted), after it, and whether it had a point or exponent. */
  whole = 0;
  fraction = 0;
  pointed = false;
  exponent = false;

  constructor(bytes: Buffer, start = 0) {
    this.bytes = bytes;
    this.at = start;
    this.end = bytes.length;
  }

  fail(message: string): never {
    throw new JsonError(this.at >= this.end ? 'the text breaks off' : message, Math.min(this.at, this.end), this.at >= this.end);
  }

  /** Skips white space. @returns the byte there, or -1 at the end. */
  peek(): number {
    const { bytes, end } = this;
    let at = this.at;
    while (at < end) {
      const byte = bytes[at] as number;
      if (byte > 0x20) break;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
      at++;
    }
    this.at = at;
    return at < end ? (bytes[at] as number) : -1;
  }

  expect(byte: number): void {
    if (this.peek() !== byte) this.fail(`expected ${String.fromCharCode(byte)}`);
    this.at++;
  }

  /** Passes a text; `at` is on its opening quote. */
  text(): void {
    const { bytes, end } = this;
    this.escaped = false;
    this.surrogate = false;
    let at = this.at + 1;
    for (;;) {
      if (at >= end) break;
      const byte = bytes[at] as number;
      if (byte === QUOTE) {
        this.at = at + 1;
        return;
      }
      if (byte === BACKSLASH) at = this.escape(at);
      else if (byte < 0x20) break;
      else at++;
    }
    this.at = at;
    this.fail('a control character in a text');
  }

  /** Passes an escape at `at`. @returns the offset after it. */
  private escape(at: number): number {
    this.escaped = true;
    const letter = this.bytes[at + 1];
    if (letter === 0x75) return this.unicode(at);
    // " / \ b f n r t
    if (letter === 0x22 || letter === 0x2f || letter === 0x5c || letter === 0x62 || letter === 0x66) return at + 2;
    if (letter === 0x6e || letter === 0x72 || letter === 0x74) return at + 2;
    this.at = at + 1;
    return this.fail('an unknown escape');
  }

  private unicode(at: number): number {
    const unit = this.hex(at + 2);
    if (unit < 0xd800 || unit > 0xdfff) return at + 6;
    const pair = unit < 0xdc00 && this.bytes[at + 6] === BACKSLASH && this.bytes[at + 7] === 0x75 ? this.hex(at + 8) : 0;
    if (pair >= 0xdc00 && pair <= 0xdfff) return at + 12;
    this.surrogate = true;
    this.surrogates++;
    return at + 6;
  }

  private hex(at: number): number {
    let unit = 0;
    for (let i = at; i < at + 4; i++) {
      const byte = i < this.end ? (this.bytes[i] as number) : 0;
      const digit = byte >= ZERO && byte <= NINE ? byte - ZERO : (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66 ? (byte | 0x20) - 0x57 : -1;
      if (digit < 0) {
        this.at = i;
        this.fail('an escape without four hexadecimal digits');
      }
      unit = unit * 16 + digit;
    }
    return unit;
  }

  /** Passes a number; `at` is on its first byte. */
  number(): void {
    const { bytes } = this;
    if (bytes[this.at] === MINUS) this.at++;
    const start = this.at;
    const leadingZero = bytes[start] === ZERO;
    this.whole = this.digits();
    if (leadingZero) {
      if (this.whole > 1) this.fail('a number with a leading zero');
      this.whole = 0;
    }
    this.fraction = 0;
    this.pointed = false;
    this.exponent = false;
    if (bytes[this.at] === POINT && this.at < this.end) {
      this.at++;
      this.pointed = true;
      this.fraction = this.digits();
    }
    if (((bytes[this.at] as number) | 0x20) === EXPONENT && this.at < this.end) this.power();
  }

  private power(): void {
    this.at++;
    this.pointed = true;
    this.exponent = true;
    if (this.bytes[this.at] === PLUS || this.bytes[this.at] === MINUS) this.at++;
    this.digits();
  }

  private digits(): number {
    const { bytes, end } = this;
    const start = this.at;
    let at = start;
    while (at < end) {
      const byte = bytes[at] as number;
      if (byte < ZERO || byte > NINE) break;
      at++;
    }
    this.at = at;
    if (at === start) this.fail('expected a digit');
    return at - start;
  }

  /** Passes `true`, `false` or `null`. @returns its first byte. */
  literal(): number {
    const first = this.bytes[this.at] as number;
    const word = first === 0x74 ? 'true' : first === 0x66 ? 'false' : first === 0x6e ? 'null' : '';
    if (word === '') this.fail('expected a value');
    for (let i = 0; i < word.length; i++, this.at++) {
      if (this.at >= this.end || this.bytes[this.at] !== word.charCodeAt(i)) this.fail('expected a value');
    }
    return first;
  }

  /** Passes one value of any kind. */
  skip(depth = 0): void {
    const byte = this.peek();
    if (byte === QUOTE) this.text();
    else if (byte === OPEN_OBJECT) this.members(depth, (next) => this.skip(next));
    else if (byte === OPEN_ARRAY) this.elements(depth, (next) => this.skip(next));
    else if (byte === MINUS || (byte >= ZERO && byte <= NINE)) this.number();
    else this.literal();
  }

  /** Passes an object; calls `value` with `at` before each member's value and the span of its name (quotes excluded). */
  members(depth: number, value: (depth: number, nameStart: number, nameEnd: number) => void): void {
    if (depth >= NESTING_LIMIT) this.fail(`nested deeper than ${NESTING_LIMIT}`);
    this.at++;
    if (this.peek() === CLOSE_OBJECT) {
      this.at++;
      return;
    }
    for (;;) {
      if (this.peek() !== QUOTE) this.fail('expected a name');
      const nameStart = this.at + 1;
      this.text();
      const nameEnd = this.at - 1;
      this.expect(COLON);
      value(depth + 1, nameStart, nameEnd);
      if (this.next(CLOSE_OBJECT)) return;
    }
  }

  /** Passes an array; calls `value` with `at` before each element. */
  elements(depth: number, value: (depth: number) => void): void {
    if (depth >= NESTING_LIMIT) this.fail(`nested deeper than ${NESTING_LIMIT}`);
    this.at++;
    if (this.peek() === CLOSE_ARRAY) {
      this.at++;
      return;
    }
    for (;;) {
      value(depth + 1);
      if (this.next(CLOSE_ARRAY)) return;
    }
  }

  /** Passes a comma or `close`. @returns whether it was `close`. */
  next(close: number): boolean {
    const byte = this.peek();
    if (byte !== COMMA && byte !== close) this.fail(`expected , or ${String.fromCharCode(close)}`);
    this.at++;
    return byte === close;
  }

  /** Passes white space up to the end. */
  finish(): void {
    if (this.peek() !== -1) this.fail('something follows the value');
  }

  /** The text between two offsets that held a text's inner bytes. */
  decode(start: number, end: number, escaped: boolean): string {
    return escaped ? (JSON.parse(this.bytes.toString('utf8', start - 1, end + 1)) as string) : this.bytes.toString('utf8', start, end);
  }
}
