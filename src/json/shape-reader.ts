import { DEPTH_LIMIT, forgetMembers, MEMBER_LIMIT, SEEN, type Shape } from '../schema/shape.ts';
import { decomposeNumber, integerDigits, scale } from './number.ts';
import { CLOSE_ARRAY, CLOSE_OBJECT, COLON, OPEN_ARRAY, OPEN_OBJECT, QUOTE, type Scanner } from './scanner.ts';

/** Significant digits that every double carries. */
const DOUBLE_DIGITS = 15;

/** A shape while it is being taken: members in the order in which they were first seen, so that the next record finds them in step. */
class Node {
  seen = 0;
  integerDigits = 0;
  scale = 0;
  element: Node | null = null;
  readonly children: Node[] = [];
  index: Map<string, Node> | null = null;
  readonly name: string;
  /** The name as it stands in the text, without escapes; empty where only the decoded name may be compared. */
  readonly nameBytes: Buffer;
  /** The object in which the member was last seen: seen again in the same one, it is a duplicate. */
  object = 0;
  /** Place in the captured fields, -1 where it is not wanted. */
  capture = -1;

  constructor(name: string) {
    this.name = name;
    this.nameBytes = Buffer.from(name);
  }

  child(name: string): Node | null {
    this.index ??= new Map(this.children.map((child) => [child.name, child]));
    const known = this.index.get(name);
    if (known) return known;
    if (this.children.length >= MEMBER_LIMIT) {
      this.seen |= SEEN.crowded;
      return null;
    }
    const child = new Node(name);
    this.children.push(child);
    this.index.set(name, child);
    return child;
  }

  shape(): Shape {
    const { seen, integerDigits, scale, element, children } = this;
    const seenChildren = children.filter((child) => child.seen !== 0);
    const members = (seen & SEEN.object) !== 0 ? new Map(seenChildren.map((child) => [child.name, child.shape()])) : null;
    const shape = { seen, integerDigits, scale, element: element?.shape() ?? null, members };
    if (seen & SEEN.crowded) forgetMembers(shape);
    return shape;
  }
}

/** Walks records and takes the union of their shapes. */
export class ShapeReader {
  private readonly scanner: Scanner;
  private readonly root = new Node('');
  private objects = 0;
  /** Counts the values passed: an object during which it did not rise is hollow. */
  private values = 0;

  constructor(scanner: Scanner, capture: readonly string[]) {
    this.scanner = scanner;
    capture.forEach((name, place) => {
      const child = this.root.child(name);
      if (child) child.capture = place;
    });
  }

  shape(): Shape {
    return this.root.shape();
  }

  /** Passes one object; writes the spans of captured fields into `captured` from `offset` on. */
  record(captured: Uint32Array, offset: number): void {
    this.root.seen |= SEEN.object;
    this.object(this.root, 0, captured, offset);
  }

  /** Passes one value. @returns whether it is one: not null, and not an object without any value. */
  private value(node: Node, depth: number): boolean {
    const { scanner } = this;
    const byte = scanner.peek();
    if (byte === QUOTE) {
      scanner.text();
      node.seen |= scanner.surrogate ? SEEN.text | SEEN.surrogate : SEEN.text;
    } else if (byte === OPEN_OBJECT) {
      node.seen |= SEEN.object;
      if (depth < DEPTH_LIMIT) return this.object(node, depth, null, 0);
      this.below(node, depth);
    } else if (byte === OPEN_ARRAY) {
      node.seen |= SEEN.array;
      if (depth >= DEPTH_LIMIT) this.below(node, depth);
      else this.array(node, depth);
    } else if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) this.number(node);
    else return this.literal(node);
    return true;
  }

  private literal(node: Node): boolean {
    const isNull = this.scanner.literal() === 0x6e;
    node.seen |= isNull ? SEEN.null : SEEN.boolean;
    return !isNull;
  }

  private below(node: Node, depth: number): void {
    node.seen |= SEEN.deep;
    this.pass(node, depth);
  }

  /** Passes a value whose shape is not taken. */
  private pass(node: Node, depth: number): void {
    const { scanner } = this;
    const before = scanner.surrogates;
    scanner.skip(depth);
    if (scanner.surrogates > before) node.seen |= SEEN.surrogate;
  }

  private number(node: Node): void {
    const { scanner } = this;
    const start = scanner.at;
    scanner.number();
    node.seen |= scanner.pointed ? SEEN.number | SEEN.pointed : SEEN.number;
    if (scanner.exponent) this.power(node, start);
    else {
      if (scanner.whole > node.integerDigits) node.integerDigits = scanner.whole;
      if (scanner.fraction > node.scale) node.scale = this.significantScale(node.scale);
      if (scanner.pointed && scanner.whole + scanner.fraction > DOUBLE_DIGITS) node.seen |= SEEN.wide;
    }
  }

  /** Trailing zeros after the point say nothing: `1.10` has a scale of 1. */
  private significantScale(known: number): number {
    const { scanner } = this;
    let zeros = 0;
    while (zeros < scanner.fraction && scanner.bytes[scanner.at - 1 - zeros] === 0x30) zeros++;
    return Math.max(known, scanner.fraction - zeros);
  }

  private power(node: Node, start: number): void {
    node.seen |= SEEN.exponent;
    const number = decomposeNumber(this.scanner.bytes.toString('latin1', start, this.scanner.at));
    node.integerDigits = Math.max(node.integerDigits, integerDigits(number));
    node.scale = Math.max(node.scale, scale(number));
    if (integerDigits(number) + scale(number) > DOUBLE_DIGITS) node.seen |= SEEN.wide;
  }

  private array(node: Node, depth: number): void {
    const { scanner } = this;
    scanner.at++;
    const element = (node.element ??= new Node(''));
    if (scanner.peek() === CLOSE_ARRAY) {
      scanner.at++;
      return;
    }
    do this.value(element, depth + 1);
    while (!scanner.next(CLOSE_ARRAY));
  }

  private object(node: Node, depth: number, captured: Uint32Array | null, offset: number): boolean {
    const { scanner } = this;
    const serial = ++this.objects;
    const values = this.values;
    scanner.at++;
    if (scanner.peek() === CLOSE_OBJECT) scanner.at++;
    else {
      let expected = 0;
      do expected = this.member(node, expected, serial, depth, captured, offset) + 1;
      while (!scanner.next(CLOSE_OBJECT));
    }
    const hollow = this.values === values;
    if (hollow) node.seen |= SEEN.hollow;
    return !hollow;
  }

  /** Passes one member. @returns its place among the node's children. */
  private member(node: Node, expected: number, serial: number, depth: number, captured: Uint32Array | null, offset: number): number {
    const { scanner } = this;
    if (scanner.peek() !== QUOTE) scanner.fail('expected a name');
    const child = this.childNamed(node, expected);
    scanner.expect(COLON);
    scanner.peek();
    const start = scanner.at;
    if (!child) {
      this.values++;
      this.pass(node, depth + 1);
      return expected;
    }
    if (child.object === serial) node.seen |= SEEN.duplicate;
    child.object = serial;
    if (this.value(child, depth + 1)) this.values++;
    if (captured && child.capture >= 0) {
      captured[offset + 2 * child.capture] = start;
      captured[offset + 2 * child.capture + 1] = scanner.at;
    }
    return node.children[expected] === child ? expected : node.children.indexOf(child);
  }

  /** Passes a name; records mostly name their members in one order, so the expected one is compared byte by byte first. */
  private childNamed(node: Node, expected: number): Node | null {
    const { scanner } = this;
    const start = scanner.at + 1;
    scanner.text();
    const end = scanner.at - 1;
    if (scanner.surrogate) node.seen |= SEEN.surrogate;
    const guess = node.children[expected];
    if (guess && !scanner.escaped && sameBytes(scanner.bytes, start, end, guess.nameBytes)) return guess;
    return node.child(scanner.decode(start, end, scanner.escaped));
  }
}

function sameBytes(bytes: Buffer, start: number, end: number, name: Buffer): boolean {
  const length = name.length;
  if (end - start !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== name[i]) return false;
  return true;
}
