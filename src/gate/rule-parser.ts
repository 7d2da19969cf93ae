import { TidemarkError } from '../errors.ts';
import { JSON_NUMBER } from './decimal.ts';
import { PatternError, parsePattern } from './pattern.ts';
import { type Literal, OPERATORS, type Operator, type Rule, SCALAR_TYPES } from './rule.ts';
import { RULE_LENGTH_LIMIT, type Token, tokenize } from './rule-tokens.ts';

const TESTS = `present, absent, in, matches, type, length, a comparison (${OPERATORS.join(' ')}), not or (`;
const LENGTH_LIMIT = 1_000_000_000;
const NUMBER_DIGITS_LIMIT = 100;

/**
 * Reads a row rule: `present and >= 0`, `in USD, CAD, MXN`, `matches /^tx_[0-9]+$/ or absent`. `not` binds closer than `and`, `and`
 * closer than `or`.
 * @throws CONFIG with the column and what is allowed there.
 */
export function parseRule(text: string): Rule {
  if (text.length > RULE_LENGTH_LIMIT) throw ruleError(text.slice(0, 40), 0, `a rule has at most ${RULE_LENGTH_LIMIT} characters`);
  const parser = new RuleParser(text);
  const rule = parser.either();
  parser.expectEnd();
  return rule;
}

class RuleParser {
  private readonly text: string;
  private readonly tokens: readonly Token[];
  private readonly end: Token;
  private at = 0;

  constructor(text: string) {
    this.text = text;
    this.tokens = tokenize(text, (offset, problem) => ruleError(text, offset, problem));
    this.end = { kind: 'end', text: '', offset: text.trimEnd().length };
  }

  either(): Rule {
    return this.joined('or', () => this.joined('and', () => this.negated()));
  }

  expectEnd(): void {
    if (this.peek().kind !== 'end') throw this.expected('and, or, or the end of the rule');
  }

  private joined(kind: 'and' | 'or', part: () => Rule): Rule {
    const first = part();
    const rules = [first];
    while (this.take('word', kind)) rules.push(part());
    return rules.length === 1 ? first : { kind, rules };
  }

  private negated(): Rule {
    return this.take('word', 'not') ? { kind: 'not', rule: this.negated() } : this.test();
  }

  private test(): Rule {
    if (this.take('sign', '(')) return this.enclosed();
    const operator = this.operator();
    if (operator) return { kind: 'compare', operator, number: this.number(operator) };
    if (this.take('word', 'present')) return { kind: 'present' };
    if (this.take('word', 'absent')) return { kind: 'absent' };
    if (this.take('word', 'type')) return this.type();
    if (this.take('word', 'length')) return this.length();
    if (this.take('word', 'in')) return this.list();
    if (this.take('word', 'matches')) return this.matches();
    throw this.expected(TESTS);
  }

  private enclosed(): Rule {
    const rule = this.either();
    if (!this.take('sign', ')')) throw this.expected('and, or, or a )');
    return rule;
  }

  private operator(): Operator | null {
    const token = this.peek();
    if (token.kind !== 'operator') return null;
    this.at += 1;
    return OPERATORS.find((operator) => operator === token.text) ?? null;
  }

  private number(operator: Operator): string {
    const token = this.peek();
    const exponent = Number(/[eE]([+-]?\d+)$/.exec(token.text)?.[1] ?? 0);
    const fits = token.text.length <= NUMBER_DIGITS_LIMIT && Math.abs(exponent) <= 1000;
    if (token.kind !== 'word' || !JSON_NUMBER.test(token.text) || !fits)
      throw this.expected(`a number after ${operator}, as 0 or 1000000.00`);
    this.at += 1;
    return token.text;
  }

  private type(): Rule {
    const type = SCALAR_TYPES.find((name) => this.take('word', name));
    if (!type) throw this.expected(`${SCALAR_TYPES.join(', ')} after type`);
    return { kind: 'type', type };
  }

  private length(): Rule {
    const operator = this.operator();
    if (!operator) throw this.expected(`one of ${OPERATORS.join(' ')} after length`);
    const token = this.peek();
    const length = Number(token.text);
    if (token.kind !== 'word' || !/^\d+$/.test(token.text) || length > LENGTH_LIMIT) throw this.expected('a whole number of characters');
    this.at += 1;
    return { kind: 'length', operator, length };
  }

  private list(): Rule {
    const values = [this.literal()];
    while (this.take('sign', ',')) values.push(this.literal());
    return { kind: 'in', values };
  }

  private literal(): Literal {
    const token = this.peek();
    if (token.kind !== 'word' && token.kind !== 'quoted') throw this.expected('a value, as USD, 12.50, true or "two words"');
    if (token.kind === 'word' && KEYWORDS.has(token.text)) throw this.expected(`a value; write "${token.text}" for that word`);
    this.at += 1;
    if (token.kind === 'quoted') return { type: 'text', text: token.text };
    if (token.text === 'true' || token.text === 'false') return { type: 'boolean', value: token.text === 'true' };
    return JSON_NUMBER.test(token.text) ? { type: 'number', number: token.text } : { type: 'text', text: token.text };
  }

  private matches(): Rule {
    const token = this.peek();
    if (token.kind !== 'regex') throw this.expected('a pattern after matches, as /^tx_[0-9]+$/');
    this.at += 1;
    try {
      return { kind: 'matches', pattern: parsePattern(token.text) };
    } catch (error) {
      if (error instanceof PatternError) throw ruleError(this.text, token.offset + 1 + error.offset, error.message);
      throw error;
    }
  }

  private peek(): Token {
    return this.tokens[this.at] ?? this.end;
  }

  private take(kind: Token['kind'], text: string): boolean {
    const token = this.peek();
    if (token.kind !== kind || token.text !== text) return false;
    this.at += 1;
    return true;
  }

  private expected(what: string): TidemarkError {
    const token = this.peek();
    const found = token.kind === 'end' ? 'the rule ends' : `got ${JSON.stringify(token.text)}`;
    return ruleError(this.text, token.offset, `expected ${what}; ${found}`);
  }
}

const KEYWORDS = new Set(['and', 'or', 'not', 'present', 'absent', 'in', 'matches', 'type', 'length']);

function ruleError(text: string, offset: number, problem: string): TidemarkError {
  const column = offset + 1;
  return new TidemarkError({
    code: 'CONFIG',
    message: `rule "${text}", column ${column}: ${problem}`,
    hint: 'Rules are written as `present and >= 0`, `in USD, CAD, MXN`, `matches /^[a-z]+$/ or absent`, `type text and length <= 36`.',
    data: { column },
  });
}
