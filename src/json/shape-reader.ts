import { DEPTH_LIMIT, FIELD_LIMIT, SEEN, type Shape } from '../schema/shape.ts';
import { decomposeNumber, integerDigits, scale } from './number.ts';
import { CLOSE_ARRAY, CLOSE_OBJECT, COLON, COMMA, OPEN_ARRAY, OPEN_OBJECT, QUOTE, type Scanner } from './scanner.ts';
import { ShapeNode } from './shape-node.ts';
import { endOfPlain, LITERAL, nameStands, wordsOf } from './words.ts';

/** Significant digits that every double carries. */
const DOUBLE_DIGITS = 15;
/** So many members that may be missing are passed over before a name is looked up. */
const MISSING = 4;
const BLANK = 0x20;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const EXPONENT = 0x65; // with bit 0x20 set: `e` and `E`

/**
 * Walks records and takes the union of their shapes. What most records consist of is passed here, several bytes at a time: names in the
 * order of the records before, texts without escapes, numbers without exponents, no blanks. Everything else, and whatever is no JSON, is
 * left to the scanner, token by token.
 *
 * Offsets go from hand to hand instead of standing in the object, which would cost as much as reading the bytes. A value that is none
 * (null, or an object without any value) is told by the complement of the offset behind it.
 */
export class ShapeReader {
  private readonly scanner: Scanner;
  private readonly bytes: Buffer;
  private readonly words: DataView;
  private readonly end: number;
  /** The last offset at which a word may be read. */
  private readonly last: number;
  private readonly root = new ShapeNode('', FIELD_LIMIT);
  private objects = 0;

  /** @param scanner its end is the end of its bytes. */
  constructor(scanner: Scanner, capture: readonly string[]) {
    this.scanner = scanner;
    this.bytes = scanner.bytes;
    this.words = wordsOf(scanner.bytes);
    this.end = scanner.end;
    this.last = scanner.end - 4;
    capture.forEach((name, place) => this.root.want(name, place));
  }

  shape(): Shape {
    return this.root.shape();
  }

  /** Passes one object, at whose brace the scanner is; writes the spans of captured fields into `captured` from `offset` on. */
  record(captured: Uint32Array, offset: number): void {
    this.root.seen |= SEEN.object;
    const at = this.object(this.root, this.scanner.at, 0, captured, offset);
    this.scanner.at = at < 0 ? ~at : at;
  }

  private value(node: ShapeNode, at: number, depth: number): number {
    const byte = this.bytes[at] as number;
    if (byte === QUOTE) return this.text(node, at);
    if (byte === MINUS || (byte >= ZERO && byte <= 0x39)) return this.number(node, at, byte);
    if (byte === OPEN_OBJECT) {
      node.seen |= SEEN.object;
      return depth < DEPTH_LIMIT ? this.object(node, at, depth, null, 0) : this.below(node, at, depth);
    }
    if (byte === OPEN_ARRAY) {
      node.seen |= SEEN.array;
      return depth < DEPTH_LIMIT ? this.array(node, at, depth) : this.below(node, at, depth);
    }
    return this.literal(node, at);
  }

  private object(node: ShapeNode, start: number, depth: number, captured: Uint32Array | null, offset: number): number {
    const { bytes, scanner } = this;
    const serial = ++this.objects;
    let filled = false;
    let at = this.notBlank(start + 1);
    if (bytes[at] === CLOSE_OBJECT) {
      node.seen |= SEEN.hollow;
      return ~(at + 1);
    }
    for (let expected = 0; ; ) {
      let child = this.expectedChild(node, at, expected);
      if (child) at += child.pattern?.length ?? 0;
      else {
        child = this.namedChild(node, at);
        at = scanner.at;
      }
      at = bytes[at] === COLON ? at + 1 : this.colon(at);
      if ((bytes[at] as number) <= BLANK) at = this.notBlank(at);
      const from = at;
      if (child === null) {
        at = this.pass(node, at, depth + 1);
        filled = true;
      } else {
        if (child.object === serial) node.seen |= SEEN.duplicate;
        child.object = serial;
        expected = child.place + 1;
        at = this.value(child, at, depth + 1);
        if (at < 0) at = ~at;
        else filled = true;
        if (captured !== null && child.capture >= 0) {
          captured[offset + 2 * child.capture] = from;
          captured[offset + 2 * child.capture + 1] = at;
        }
      }
      const byte = bytes[at] as number;
      if (byte === COMMA) at++;
      else if (byte === CLOSE_OBJECT || this.closes(at, CLOSE_OBJECT)) {
        at = byte === CLOSE_OBJECT ? at + 1 : scanner.at;
        if (filled) return at;
        node.seen |= SEEN.hollow;
        return ~at;
      } else at = scanner.at;
      if ((bytes[at] as number) <= BLANK) at = this.notBlank(at);
    }
  }

  /** The member whose name stands at `at`, where it is one of the next that the records before had. */
  private expectedChild({ children }: ShapeNode, at: number, expected: number): ShapeNode | null {
    const end = Math.min(expected + MISSING, children.length);
    for (let place = expected; place < end; place++) {
      const child = children[place] as ShapeNode;
      if (child.pattern !== null && nameStands(this.words, at, this.last, child.pattern)) return child;
    }
    return null;
  }

  /** Passes any name; the scanner is behind it then. @returns null where there are too many names. */
  private namedChild(node: ShapeNode, at: number): ShapeNode | null {
    const { scanner } = this;
    scanner.at = at;
    if (scanner.peek() !== QUOTE) scanner.fail('expected a name');
    const start = scanner.at + 1;
    scanner.text();
    if (scanner.surrogate) node.seen |= SEEN.surrogate;
    return node.child(scanner.decode(start, scanner.at - 1, scanner.escaped));
  }

  private array(node: ShapeNode, start: number, depth: number): number {
    const { bytes, scanner } = this;
    const element = (node.element ??= new ShapeNode(''));
    let at = this.notBlank(start + 1);
    if (bytes[at] === CLOSE_ARRAY) return at + 1;
    for (;;) {
      at = this.value(element, at, depth + 1);
      if (at < 0) at = ~at;
      const byte = bytes[at] as number;
      if (byte === COMMA) at++;
      else if (byte === CLOSE_ARRAY) return at + 1;
      else if (this.closes(at, CLOSE_ARRAY)) return scanner.at;
      else at = scanner.at;
      if ((bytes[at] as number) <= BLANK) at = this.notBlank(at);
    }
  }

  private text(node: ShapeNode, at: number): number {
    const close = endOfPlain(this.words, at + 1, this.last);
    if (close >= 0 && this.bytes[close] === QUOTE) {
      node.seen |= SEEN.text;
      return close + 1;
    }
    const { scanner } = this;
    scanner.at = at;
    scanner.text();
    node.seen |= scanner.surrogate ? SEEN.text | SEEN.surrogate : SEEN.text;
    return scanner.at;
  }

  private number(node: ShapeNode, start: number, first: number): number {
    const { bytes } = this;
    const begin = first === MINUS ? start + 1 : start;
    const point = this.digits(begin);
    const whole = bytes[begin] === ZERO ? 0 : point - begin;
    if (point === begin || (whole === 0 && point > begin + 1)) return this.oddNumber(node, start);
    const pointed = point < this.end && bytes[point] === POINT;
    const at = pointed ? this.digits(point + 1) : point;
    if ((pointed && at === point + 1) || (at < this.end && ((bytes[at] as number) | 0x20) === EXPONENT)) return this.oddNumber(node, start);
    node.seen |= pointed ? SEEN.number | SEEN.pointed : SEEN.number;
    if (whole > node.integerDigits) node.integerDigits = whole;
    if (pointed) this.fraction(node, whole, at - point - 1, at);
    return at;
  }

  private digits(start: number): number {
    const { bytes, end } = this;
    let at = start;
    while (at < end && ((bytes[at] as number) - ZERO) >>> 0 < 10) at++;
    return at;
  }

  /** Trailing zeros after the point say nothing: `1.10` has a scale of 1. */
  private fraction(node: ShapeNode, whole: number, digits: number, end: number): void {
    if (whole + digits > DOUBLE_DIGITS) node.seen |= SEEN.wide;
    let significant = digits;
    while (significant > node.scale && this.bytes[end - 1 - digits + significant] === ZERO) significant--;
    if (significant > node.scale) node.scale = significant;
  }

  /** A number with an exponent, or none at all. */
  private oddNumber(node: ShapeNode, start: number): number {
    const { scanner } = this;
    scanner.at = start;
    scanner.number();
    node.seen |= SEEN.number | SEEN.pointed | SEEN.exponent;
    const number = decomposeNumber(scanner.bytes.toString('latin1', start, scanner.at));
    node.integerDigits = Math.max(node.integerDigits, integerDigits(number));
    node.scale = Math.max(node.scale, scale(number));
    if (integerDigits(number) + scale(number) > DOUBLE_DIGITS) node.seen |= SEEN.wide;
    return scanner.at;
  }

  private literal(node: ShapeNode, at: number): number {
    const { words, last, scanner } = this;
    const word = at < last ? words.getInt32(at, true) : 0;
    if (word === LITERAL.null) {
      node.seen |= SEEN.null;
      return ~(at + 4);
    }
    scanner.at = at;
    const first = scanner.literal();
    node.seen |= first === 0x6e ? SEEN.null : SEEN.boolean;
    return first === 0x6e ? ~scanner.at : scanner.at;
  }

  private below(node: ShapeNode, at: number, depth: number): number {
    node.seen |= SEEN.deep;
    return this.pass(node, at, depth);
  }

  /** Passes a value whose shape is not taken. */
  private pass(node: ShapeNode, at: number, depth: number): number {
    const { scanner } = this;
    const before = scanner.surrogates;
    scanner.at = at;
    scanner.skip(depth);
    if (scanner.surrogates > before) node.seen |= SEEN.surrogate;
    return scanner.at;
  }

  private notBlank(at: number): number {
    this.scanner.at = at;
    this.scanner.peek();
    return this.scanner.at;
  }

  private colon(at: number): number {
    this.scanner.at = at;
    this.scanner.expect(COLON);
    return this.scanner.at;
  }

  /** Whether `close` follows, rather than a comma; the scanner is behind it then. */
  private closes(at: number, close: number): boolean {
    this.scanner.at = at;
    return this.scanner.next(close);
  }
}
