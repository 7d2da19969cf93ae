/**
 * The regular expressions of row rules: the part of RE2's syntax that means the same in every engine that runs it. Both forms are
 * written out from one reading, so that neither engine's own idea of `.`, `\s` or an odd escape decides over a record.
 */
export interface Pattern {
  /** As configured, without the slashes. */
  readonly source: string;
  /** For DuckDB and Snowflake. */
  readonly re2: string;
  /** For JavaScript, with the flag `u`. */
  readonly javascript: string;
}

/** Thrown by parsePattern; `offset` counts from the pattern's first character. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** RE2's own limit on counted repetition, nested ones multiplied. */
const REPEAT_LIMIT = 1000;

const CLASSES: Readonly<Record<string, string>> = {
  d: '[0-9]',
  D: '[^0-9]',
  w: '[0-9A-Za-z_]',
  W: '[^0-9A-Za-z_]',
  s: String.raw`[\t\n\f\r ]`,
  S: String.raw`[^\t\n\f\r ]`,
};
const CONTROLS: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f' };
const ALLOWED =
  String.raw`allowed are literals, ., [a-z], [^a-z], \d \w \s \b, ( ), (?: ), |, ^, $ and the repetitions * + ? {n} {n,} {n,m}; ` +
  String.raw`other signs are written with a backslash before them`;

interface Output {
  re2: string;
  javascript: string;
  /** The greatest product of nested counted repetitions inside. */
  repeats: number;
}

/** @throws PatternError where `source` uses what is not part of the common syntax. */
export function parsePattern(source: string): Pattern {
  const reader = new PatternReader(source);
  const { re2, javascript } = reader.alternatives(0);
  reader.expectEnd();
  return { source, re2, javascript };
}

class PatternReader {
  private readonly source: string;
  private readonly signs: readonly string[];
  private at = 0;

  constructor(source: string) {
    this.source = source;
    this.signs = Array.from(source);
  }

  alternatives(depth: number): Output {
    if (depth > 50) throw this.error('groups are nested too deeply');
    const output = this.sequence(depth);
    while (this.take('|')) append(append(output, same('|')), this.sequence(depth));
    return output;
  }

  expectEnd(): void {
    if (this.at < this.signs.length) throw this.error('there is no ( for this )');
    if (this.source === '') throw this.error('the pattern is empty');
  }

  private sequence(depth: number): Output {
    const output = same('');
    while (this.at < this.signs.length && this.peek() !== '|' && this.peek() !== ')') append(output, this.item(depth));
    return output;
  }

  private item(depth: number): Output {
    const anchor = this.anchor();
    return anchor ?? this.repeated(this.atom(depth));
  }

  private anchor(): Output | null {
    if (this.take('^')) return same('^');
    if (this.take('$')) return same('$');
    const boundary = this.peek() === '\\' && (this.signs[this.at + 1] ?? '');
    if (boundary !== 'b' && boundary !== 'B') return null;
    this.at += 2;
    return same(`\\${boundary}`);
  }

  private atom(depth: number): Output {
    if (this.take('(')) return this.group(depth);
    if (this.take('[')) return this.set();
    if (this.take('.')) return same(String.raw`[^\n]`);
    if (this.peek() === '\\') return this.escape();
    if (/[*+?{}\]]/.test(this.peek())) throw this.error(`unexpected ${this.peek()}`);
    return literal(this.next());
  }

  private group(depth: number): Output {
    if (this.take('?') && !this.take(':')) throw this.error('only plain groups ( ) and (?: ) are allowed');
    const inner = this.alternatives(depth + 1);
    if (!this.take(')')) throw this.error('a ) is missing');
    return { re2: `(?:${inner.re2})`, javascript: `(?:${inner.javascript})`, repeats: inner.repeats };
  }

  private escape(): Output {
    this.at += 1;
    const sign = this.next();
    const set = CLASSES[sign];
    if (set !== undefined) return same(set);
    return literal(this.escaped(sign));
  }

  private escaped(sign: string): string {
    if (sign === '') throw this.error('a backslash ends the pattern');
    if (!/[0-9A-Za-z]/.test(sign)) return sign;
    const control = CONTROLS[sign];
    if (control === undefined) throw this.error(`\\${sign} is not allowed`, this.at - 2);
    return control;
  }

  private set(): Output {
    const output = same(this.take('^') ? '[^' : '[');
    if (this.peek() === ']') throw this.error('the set is empty');
    while (!this.take(']')) append(output, this.range());
    return append(output, same(']'));
  }

  private range(): Output {
    const low = this.member();
    if (typeof low !== 'string' || this.peek() !== '-' || this.signs[this.at + 1] === ']')
      return typeof low === 'string' ? literal(low) : low;
    this.at += 1;
    const high = this.member();
    if (typeof high !== 'string' || codePoint(high) < codePoint(low)) throw this.error('the range is upside down or has no end');
    return append(append(literal(low), same('-')), literal(high));
  }

  /** One member of a set: a sign, or a class such as \d, whose brackets are dropped. */
  private member(): string | Output {
    const sign = this.next();
    if (sign === '') throw this.error('a ] is missing');
    if (sign === '[') throw this.error(String.raw`write \[ for a bracket in a set`, this.at - 1);
    if (sign !== '\\') return sign;
    const name = this.next();
    const set = /[dws]/.test(name) ? CLASSES[name] : undefined;
    return set === undefined ? this.escaped(name) : same(set.slice(1, -1));
  }

  private repeated(atom: Output): Output {
    const repetition = this.repetition();
    if (!repetition) return atom;
    append(atom, same(repetition.text));
    if (this.take('?')) append(atom, same('?'));
    atom.repeats *= Math.max(1, repetition.count);
    if (atom.repeats > REPEAT_LIMIT) throw this.error(`repetitions may count to ${REPEAT_LIMIT}, nested ones multiplied`);
    if (/[*+?{]/.test(this.peek())) throw this.error('a repetition of a repetition needs a group');
    return atom;
  }

  private repetition(): { readonly text: string; readonly count: number } | null {
    const sign = this.peek();
    if (sign === '*' || sign === '+' || sign === '?') return { text: this.next(), count: 1 };
    if (sign !== '{') return null;
    const match = /^\{(\d{1,4})(?:,(\d{0,4}))?\}/.exec(this.signs.slice(this.at).join(''));
    if (!match) throw this.error('expected {n}, {n,} or {n,m}');
    const [text, low = '0', high] = match;
    if (high && Number(high) < Number(low)) throw this.error('the repetition is upside down');
    this.at += text.length;
    return { text, count: Number(high || low) };
  }

  private peek(): string {
    return this.signs[this.at] ?? '';
  }

  private next(): string {
    const sign = this.peek();
    this.at += 1;
    return sign;
  }

  private take(sign: string): boolean {
    if (this.peek() !== sign) return false;
    this.at += 1;
    return true;
  }

  private error(what: string, at = this.at): PatternError {
    const offset = this.signs.slice(0, at).join('').length;
    return new PatternError(`${what}; ${ALLOWED}`, offset);
  }
}

function append(output: Output, more: Output): Output {
  output.re2 += more.re2;
  output.javascript += more.javascript;
  output.repeats = Math.max(output.repeats, more.repeats);
  return output;
}

const same = (text: string): Output => ({ re2: text, javascript: text, repeats: 1 });

const codePoint = (sign: string): number => sign.codePointAt(0) ?? 0;

/** Letters, digits and _ stand for themselves; everything else is named by its code point. */
function literal(sign: string): Output {
  if (/[0-9A-Za-z_]/.test(sign)) return same(sign);
  const code = codePoint(sign).toString(16);
  return { re2: `\\x{${code}}`, javascript: `\\u{${code}}`, repeats: 1 };
}
