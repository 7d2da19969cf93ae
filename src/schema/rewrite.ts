import { parseExact } from '../json/exact.ts';
import { canonicalNumber } from '../json/number.ts';
import { CLOSE_ARRAY, CLOSE_OBJECT, COMMA, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from '../json/scanner.ts';
import { endOfPlain, type NamePattern, namePattern, nameStands, wordsOf } from '../json/words.ts';
import { LineBuffer } from '../page/line-buffer.ts';
import { DOUBLE_DIGITS, needsProjection, project } from './project.ts';
import { SEEN, type Shape } from './shape.ts';
import { type ColumnType, DERIVED, OVERFLOW, type RecordSchema } from './types.ts';

/** How values at one path are written where DuckDB's reader would not keep them. */
type Plan =
  | { readonly kind: 'value'; readonly type: ColumnType }
  | { readonly kind: 'number'; readonly type: Extract<ColumnType, { kind: 'integer' | 'decimal' | 'number-text' }> }
  /** Never a value in any record, whatever stands there. */
  | { readonly kind: 'hollow' }
  /** Where it is, all of the record must be projected. */
  | { readonly kind: 'record' }
  | MembersPlan;

interface MembersPlan {
  readonly kind: 'members';
  /** Of the members that are more than copied. */
  readonly byName: ReadonlyMap<string, Plan>;
  /** The same, where they are few, and their names can be told from their bytes. */
  readonly inOrder: readonly { readonly pattern: NamePattern; readonly plan: Plan }[] | null;
  /** Some object here has no value in it, and is the same as null. */
  readonly mayBeHollow: boolean;
}

/** More names than this are looked up. */
const FEW = 12;

/** What becomes of a record: it stays as it is, it has another text, or it must be read and projected as a whole. */
export type Rewritten = 'as it is' | 'whole' | Buffer;

/**
 * Gives DuckDB's reader records of one page whose shape it would not keep exactly: only the values that it would lose are written anew, in
 * the form of `projectRecord`; what stands around them is copied. So one odd value in a page costs no other record much. Bytes are passed
 * without checking their grammar: the body was measured before.
 */
export class RecordRewriter {
  private readonly plan: MembersPlan;
  private readonly bytes: Buffer;
  private readonly words: DataView;
  /** The last offset at which a word may be read. */
  private readonly last: number;
  private readonly written = new LineBuffer(1 << 12);
  /** Up to here the record is in `written`. */
  private copied = 0;
  private isWhole = false;
  /** Whether the text that was passed last has an escape. */
  private isEscaped = false;
  /** Whether the value that was passed last is one: what is hollow is none. */
  private isValue = false;

  /** @param shape of all records of the body. Those that name a member twice must not come here. */
  constructor(body: Buffer, shape: Shape, schema: RecordSchema) {
    const odd = [...schema.overflow, OVERFLOW, DERIVED].filter((name) => shape.members?.has(name));
    const plans = planned(
      shape,
      schema.fields.filter(({ name }) => name !== DERIVED),
    );
    for (const name of odd) plans.set(name, { kind: 'record' });
    this.plan = membersPlan(plans, false);
    this.bytes = body;
    this.words = wordsOf(body);
    this.last = body.length - WORD;
  }

  /** @param start of the record in the body. @returns a text that is valid until the next call. */
  rewrite(start: number, end: number): Rewritten {
    this.copied = start;
    this.isWhole = false;
    this.written.clear();
    this.members(this.plan, start);
    if (this.isWhole) return 'whole';
    if (this.copied === start) return 'as it is';
    this.written.copy(this.bytes, this.copied, end);
    return this.written.bytes();
  }

  /** @returns the offset behind the value at `at`, as all of these do. */
  private value(plan: Plan, at: number): number {
    const first = this.bytes[at] as number;
    if (first === OPEN_OBJECT && plan.kind === 'members') return this.members(plan, at);
    const end = this.pass(at);
    this.isValue = first !== NULL && plan.kind !== 'hollow';
    if (plan.kind === 'record') this.isWhole = true;
    if (!this.isValue) return end;
    if (plan.kind === 'value') this.replace(at, end, project(parseExact(this.bytes.toString('utf8', at, end)), plan.type));
    if (plan.kind === 'number' && !isKept(this.bytes, at, end, plan.type))
      this.replace(at, end, `"${canonicalNumber(this.bytes.toString('latin1', at, end))}"`);
    return end;
  }

  private members(plan: MembersPlan, start: number): number {
    const { bytes, copied } = this;
    const { length } = this.written;
    let isFilled = false;
    let at = this.notBlank(start + 1);
    while (bytes[at] !== CLOSE_OBJECT) {
      const name = at;
      const nameEnd = this.text(at);
      const member = this.memberAt(plan, name, nameEnd);
      at = this.notBlank(this.notBlank(nameEnd) + 1);
      if (member) at = this.value(member, at);
      else {
        // An object that may be hollow has a plan.
        this.isValue = bytes[at] !== NULL;
        at = this.pass(at);
      }
      isFilled ||= this.isValue;
      at = this.notBlank(at);
      if (bytes[at] === COMMA) at = this.notBlank(at + 1);
    }
    at++;
    this.isValue = isFilled || !plan.mayBeHollow;
    if (this.isValue) return at;
    // What was written of its members goes again.
    this.written.truncate(length);
    this.copied = copied;
    this.replace(start, at, 'null');
    return at;
  }

  private memberAt({ byName, inOrder }: MembersPlan, at: number, end: number): Plan | undefined {
    if (this.isEscaped || inOrder === null) return byName.get(JSON.parse(this.bytes.toString('utf8', at, end)) as string);
    for (const { pattern, plan } of inOrder) if (nameStands(this.words, at, this.last, pattern)) return plan;
    return undefined;
  }

  /** Passes a value of any kind. */
  private pass(start: number): number {
    const { bytes } = this;
    let depth = 0;
    let at = start;
    do {
      const byte = bytes[at] as number;
      if (byte === QUOTE) at = this.text(at);
      else {
        if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
        else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth--;
        at++;
        if (depth === 0 && byte !== CLOSE_OBJECT && byte !== CLOSE_ARRAY) return this.endOfToken(at);
      }
    } while (depth > 0);
    return at;
  }

  /** Behind a number or a literal. */
  private endOfToken(start: number): number {
    const { bytes } = this;
    let at = start;
    for (let byte = bytes[at] as number; byte > BLANK && byte !== COMMA && byte !== CLOSE_OBJECT && byte !== CLOSE_ARRAY; )
      byte = bytes[++at] as number;
    return at;
  }

  private text(start: number): number {
    const { bytes, words, last } = this;
    this.isEscaped = false;
    let at = start + 1;
    for (;;) {
      const found = endOfPlain(words, at, last);
      at = found >= 0 ? found : Math.max(at, last);
      while (bytes[at] !== QUOTE && bytes[at] !== BACKSLASH) at++;
      if (bytes[at] === QUOTE) return at + 1;
      this.isEscaped = true;
      at += 2;
    }
  }

  private notBlank(start: number): number {
    let at = start;
    while ((this.bytes[at] as number) <= BLANK) at++;
    return at;
  }

  /** Writes what stands between two offsets in another way. */
  private replace(start: number, end: number, text: string): void {
    this.written.copy(this.bytes, this.copied, start);
    this.written.copy(Buffer.from(text));
    this.copied = end;
    this.isValue = text !== 'null';
  }
}

const WORD = 4;
const BLANK = 0x20;
const BACKSLASH = 0x5c;
const NULL = 0x6e;
const POINT = 0x2e;
const ZERO = 0x30;
const EXPONENT = 0x65; // with bit 0x20 set: `e` and `E`

/** Whether DuckDB's reader keeps the number between two offsets as it stands. */
function isKept(bytes: Buffer, start: number, end: number, type: Extract<Plan, { kind: 'number' }>['type']): boolean {
  if (type.kind === 'number-text') return false;
  let [digits, fraction, isPointed] = [0, 0, false];
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if ((byte | 0x20) === EXPONENT) return false;
    if (byte === POINT) isPointed = true;
    if ((byte - ZERO) >>> 0 >= 10) continue;
    digits++;
    if (isPointed) fraction++;
  }
  if (type.kind === 'integer') return !isPointed;
  return digits - fraction + Math.max(fraction, type.scale) <= DOUBLE_DIGITS;
}

/** Of those among `fields` that need more than copying. */
function planned(shape: Shape, fields: readonly { readonly name: string; readonly type: ColumnType }[]): Map<string, Plan> {
  const plans = new Map<string, Plan>();
  for (const { name, type } of fields) {
    const member = shape.members?.get(name);
    if (member && needsProjection(member, type)) plans.set(name, planOf(member, type));
  }
  return plans;
}

function planOf(shape: Shape, type: ColumnType): Plan {
  if (type.kind === 'struct') return structPlan(shape, type.members);
  if (type.kind === 'integer' || type.kind === 'decimal' || type.kind === 'number-text') return { kind: 'number', type };
  return { kind: 'value', type };
}

function structPlan(shape: Shape, members: Extract<ColumnType, { kind: 'struct' }>['members']): MembersPlan {
  const mayBeHollow = (shape.seen & SEEN.hollow) !== 0;
  const plans = planned(shape, members);
  const known = new Set(members.map(({ name }) => name));
  if (mayBeHollow) for (const name of shape.members?.keys() ?? []) if (!known.has(name)) plans.set(name, { kind: 'hollow' });
  return membersPlan(plans, mayBeHollow);
}

function membersPlan(byName: ReadonlyMap<string, Plan>, mayBeHollow: boolean): MembersPlan {
  const patterns = [...byName].flatMap(([name, plan]) => {
    const pattern = namePattern(name);
    return pattern ? [{ pattern, plan }] : [];
  });
  return { kind: 'members', byName, inOrder: byName.size > FEW || patterns.length < byName.size ? null : patterns, mayBeHollow };
}
