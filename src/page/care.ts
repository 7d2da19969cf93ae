import { OPEN_ARRAY, OPEN_OBJECT, QUOTE, Scanner } from '../json/scanner.ts';
import { type ReadFields } from './fields.ts';

/**
 * Whether one record of a page that `needsCare` must be looked at by itself; the others of such a page go on as they landed. Where it is
 * not told cheaply, it must.
 */
export function recordNeedsCare(record: Buffer, fields: ReadFields): boolean {
  const scanner = new Scanner(record);
  if (scanner.peek() !== OPEN_OBJECT) return true;
  return new Care(scanner, fields).isNeeded();
}

/** An object of more names is not searched for one that comes twice. */
const MOST_NAMES = 64;
/** As DuckDB writes a double again: with microseconds, in sixteen digits (record.ts). */
const [MOST_DIGITS, MOST_FRACTION] = [16, 6];
const DOUBLE_DIGITS = 15;

class Care {
  private needed = false;
  private readonly scanner: Scanner;
  private readonly fields: ReadFields;

  constructor(scanner: Scanner, fields: ReadFields) {
    this.scanner = scanner;
    this.fields = fields;
  }

  isNeeded(): boolean {
    this.object(0);
    return this.needed || this.scanner.surrogates > 0;
  }

  private value(depth: number): void {
    const { scanner } = this;
    const first = scanner.peek();
    if (first === OPEN_OBJECT) this.object(depth);
    else if (first === OPEN_ARRAY) scanner.elements(depth, (next) => this.value(next));
    else scanner.skip(depth);
  }

  private object(depth: number): void {
    const { scanner } = this;
    const names: number[] = [];
    scanner.members(depth, (next, start, end) => {
      if (scanner.escaped || names.length >= 2 * MOST_NAMES || this.stands(names, start, end)) this.needed = true;
      else names.push(start, end);
      const first = scanner.peek();
      this.value(next);
      if (depth === 0 && !this.needed) this.field(scanner.bytes.toString('utf8', start, end), first);
    });
  }

  private stands(names: readonly number[], start: number, end: number): boolean {
    const { bytes } = this.scanner;
    for (let i = 0; i < names.length; i += 2) {
      const [from, to] = [names[i] as number, names[i + 1] as number];
      if (to - from === end - start && bytes.compare(bytes, start, end, from, to) === 0) return true;
    }
    return false;
  }

  /** @param first byte of the value that the scanner has just passed. */
  private field(name: string, first: number): void {
    const { keys, versions, ruled } = this.fields;
    const { whole, fraction, pointed, exponent } = this.scanner;
    const isNumber = first === MINUS || (first >= ZERO && first <= NINE);
    if (keys.includes(name)) this.needed ||= isNumber ? pointed : first !== QUOTE && first !== NULL;
    if (isNumber && versions.includes(name))
      this.needed ||= exponent || fraction > MOST_FRACTION || (pointed && whole + fraction > MOST_DIGITS);
    if (isNumber && ruled.includes(name)) this.needed ||= pointed && (exponent || whole + fraction > DOUBLE_DIGITS);
  }
}

const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const NULL = 0x6e;
