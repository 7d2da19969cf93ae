import { syntaxError } from './errors.ts';

/**
 * word: unquoted, `value` in upper case; name: quoted, exact; string: unescaped; number: as written; position: `$1`; stage: all after `@`;
 * mark: operators and punctuation.
 */
export interface Token {
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'position' | 'stage' | 'mark' | 'end';
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

const MARKS = [
  '<>',
  '!=',
  '<=',
  '>=',
  '||',
  '::',
  '=>',
  '->',
  '(',
  ')',
  ',',
  '.',
  ';',
  ':',
  '=',
  '<',
  '>',
  '+',
  '-',
  '*',
  '/',
  '%',
  '[',
  ']',
  '{',
  '}',
  '?',
];
const SKIPPED = /(?:\s+|--[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y;
const WORD = /[A-Za-z_][A-Za-z0-9_$]*/y;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const NAME = /"((?:[^"]|"")*)"/y;
const STRING = /'((?:[^'\\]|''|\\[\s\S])*)'/y;
const DOLLARS = /\$\$([\s\S]*?)\$\$/y;
const POSITION = /\$(\d+)/y;
const STAGE = /@((?:"(?:[^"]|"")*"|[^\s(),;"])*)/y;

/** @throws a syntax error for anything that is no token. */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < sql.length; ) {
    const skipped = matchAt(SKIPPED, sql, at);
    if (skipped) {
      at += skipped[0].length;
      continue;
    }
    const token = tokenAt(sql, at);
    tokens.push(token);
    at = token.end;
  }
  tokens.push({ kind: 'end', value: '<EOF>', start: sql.length, end: sql.length });
  return tokens;
}

function matchAt(pattern: RegExp, sql: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(sql);
}

const KINDS: readonly [RegExp, Token['kind'], (match: RegExpExecArray) => string][] = [
  [WORD, 'word', (match) => match[0].toUpperCase()],
  [NAME, 'name', (match) => (match[1] ?? '').replaceAll('""', '"')],
  [STRING, 'string', (match) => unescaped(match[1] ?? '')],
  [DOLLARS, 'string', (match) => match[1] ?? ''],
  [POSITION, 'position', (match) => match[1] ?? ''],
  [NUMBER, 'number', (match) => match[0]],
  [STAGE, 'stage', (match) => match[1] ?? ''],
];

function tokenAt(sql: string, start: number): Token {
  for (const [pattern, kind, valueOf] of KINDS) {
    const match = matchAt(pattern, sql, start);
    if (match) return { kind, value: valueOf(match), start, end: start + match[0].length };
  }
  const mark = MARKS.find((candidate) => sql.startsWith(candidate, start));
  if (!mark) throw syntaxError(sql.charAt(start), start, sql);
  return { kind: 'mark', value: mark, start, end: start + mark.length };
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', '0': '\0' };

/** Backslash sequences count in a single-quoted string; a backslash before anything else is dropped. */
function unescaped(text: string): string {
  return text.replaceAll(/''|\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([0-7]{3})|([\s\S]))/g, (whole, hex, unicode, octal, other) => {
    if (whole === "''") return "'";
    if (hex ?? unicode) return String.fromCharCode(Number.parseInt(hex ?? unicode, 16));
    if (octal) return String.fromCharCode(Number.parseInt(octal, 8));
    return ESCAPES[other] ?? other;
  });
}

/** Cut at semicolons that stand outside of quotes, and of the block of a task; empty statements are dropped. */
export function statementsOf(sql: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let words: string[] = [];
  for (const token of tokensOf(sql)) {
    const cuts = token.kind === 'end' || (token.kind === 'mark' && token.value === ';');
    if (!cuts || (token.kind !== 'end' && isInBlock(words))) {
      words.push(token.value);
      continue;
    }
    if (words.length > 0) parts.push(sql.slice(from, token.start).trim());
    from = token.end;
    words = [];
  }
  return parts;
}

/** `CREATE TASK … AS BEGIN …; …; END` */
const isInBlock = (words: readonly string[]): boolean =>
  words[0] === 'CREATE' && words.slice(1, 4).includes('TASK') && words.includes('BEGIN') && words.at(-1) !== 'END';
