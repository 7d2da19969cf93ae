import { syntaxError, unsupported } from './errors.ts';
import { type Token, tokensOf } from './lexer.ts';

const END: Token = { kind: 'end', value: '<EOF>', start: 0, end: 0 };

/** Reads one statement's tokens from left to right. */
export class Cursor {
  readonly sql: string;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(sql: string) {
    this.sql = sql;
    this.#tokens = tokensOf(sql);
  }

  get position(): number {
    return this.#at;
  }

  set position(at: number) {
    this.#at = at;
  }

  peek(ahead = 0): Token {
    return this.#tokens[this.#at + ahead] ?? this.#tokens.at(-1) ?? END;
  }

  next(): Token {
    const token = this.peek();
    this.#at += 1;
    return token;
  }

  /** The statement's text from the token at `from` up to where the reading stands. */
  textFrom(from: number): string {
    const first = this.#tokens[from] ?? END;
    const last = this.#tokens[Math.max(this.#at - 1, from)] ?? END;
    return this.sql.slice(first.start, last.end);
  }

  /** Whether these words (or marks) come next. */
  sees(...values: readonly string[]): boolean {
    return values.every((value, index) => isPlain(this.peek(index), value));
  }

  /** Reads these words if all of them come next. */
  takes(...values: readonly string[]): boolean {
    if (!this.sees(...values)) return false;
    this.#at += values.length;
    return true;
  }

  takesOneOf(...values: readonly string[]): string | null {
    return values.find((value) => this.takes(value)) ?? null;
  }

  expect(...values: readonly string[]): void {
    for (const value of values) if (!this.takes(value)) throw this.unexpected();
  }

  /** A word or quoted name, as a name. */
  identifier(): string {
    const token = this.next();
    if (token.kind !== 'word' && token.kind !== 'name') throw this.#syntaxError(token);
    return token.value;
  }

  /** A member of a VARIANT: unlike a column, case counts without quotes as well. */
  member(): string {
    const token = this.peek();
    const name = this.identifier();
    return token.kind === 'word' ? this.sql.slice(token.start, token.end) : name;
  }

  /** One to three names with dots between. */
  qualifiedName(): string[] {
    const parts = [this.identifier()];
    while (parts.length < 4 && this.takes('.')) parts.push(this.identifier());
    return parts;
  }

  string(): string {
    const token = this.next();
    if (token.kind !== 'string') throw this.#syntaxError(token);
    return token.value;
  }

  number(): number {
    const token = this.next();
    if (token.kind !== 'number') throw this.#syntaxError(token);
    return Number(token.value);
  }

  get isAtEnd(): boolean {
    return this.peek().kind === 'end';
  }

  expectEnd(): void {
    if (!this.isAtEnd) throw this.unexpected();
  }

  /** Passes over whatever is left. */
  rest(): void {
    this.#at = Math.max(this.#at, this.#tokens.length - 1);
  }

  /** `(item, item, …)` */
  list<T>(item: () => T): T[] {
    this.expect('(');
    const items: T[] = [];
    if (this.takes(')')) return items;
    do items.push(item());
    while (this.takes(','));
    this.expect(')');
    return items;
  }

  unexpected(): Error {
    return this.#syntaxError(this.peek());
  }

  unsupported(): Error {
    return unsupported(this.sql);
  }

  #syntaxError(token: Token): Error {
    return syntaxError(token.value, token.start, this.sql);
  }
}

const isPlain = (token: Token, value: string): boolean => (token.kind === 'word' || token.kind === 'mark') && token.value === value;
