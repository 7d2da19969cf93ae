import { castSql } from './casts.ts';
import type { Cursor } from './cursor.ts';
import { translateCall } from './functions.ts';
import type { Token } from './lexer.ts';
import { exactName, sqlName, sqlString } from './names.ts';
import type { Bind, Scope } from './scope.ts';
import { subquery } from './select.ts';
import { parseType } from './types.ts';

/** One expression at a time from the service's SQL into DuckDB's, by precedence; whatever is not known here is refused. */

const OR = 1;
const AND = 2;
const NOT = 3;
const COMPARISON = 4;
const SUM = 6;
const PRODUCT = 7;
const UNARY = 8;

const BINARY: Readonly<Record<string, number>> = {
  OR,
  AND,
  '=': COMPARISON,
  '<>': COMPARISON,
  '!=': COMPARISON,
  '<': COMPARISON,
  '>': COMPARISON,
  '<=': COMPARISON,
  '>=': COMPARISON,
  '||': SUM,
  '+': SUM,
  '-': SUM,
  '*': PRODUCT,
  '%': PRODUCT,
};

export function expression(cursor: Cursor, scope: Scope, above = 0): string {
  let left = postfix(cursor, scope, prefix(cursor, scope));
  for (;;) {
    const next = infix(cursor, scope, left, above);
    if (next === null) return left;
    left = next;
  }
}

function infix(cursor: Cursor, scope: Scope, left: string, above: number): string | null {
  const token = cursor.peek();
  if (token.kind !== 'mark' && token.kind !== 'word') return null;
  const precedence = BINARY[token.value];
  if (precedence !== undefined) {
    if (precedence <= above) return null;
    cursor.next();
    return `(${left} ${token.value} ${expression(cursor, scope, precedence)})`;
  }
  return COMPARISON > above ? predicate(cursor, scope, left) : null;
}

function predicate(cursor: Cursor, scope: Scope, left: string): string | null {
  if (cursor.takes('IS')) return isPredicate(cursor, scope, left);
  const not = cursor.sees('NOT') && ['IN', 'LIKE', 'ILIKE', 'BETWEEN', 'RLIKE'].some((word) => cursor.sees('NOT', word)) ? 'NOT ' : '';
  if (not) cursor.next();
  if (cursor.takes('IN')) return `(${left} ${not}IN ${inList(cursor, scope)})`;
  if (cursor.takes('BETWEEN')) {
    const low = expression(cursor, scope, COMPARISON);
    cursor.expect('AND');
    return `(${left} ${not}BETWEEN ${low} AND ${expression(cursor, scope, COMPARISON)})`;
  }
  const like = cursor.takesOneOf('LIKE', 'ILIKE');
  if (like) {
    const pattern = expression(cursor, scope, COMPARISON);
    const escape = cursor.takes('ESCAPE') ? ` ESCAPE ${sqlString(cursor.string())}` : '';
    return `(${left} ${not}${like} ${pattern}${escape})`;
  }
  if (cursor.takes('RLIKE')) return `(${not}regexp_full_match(${left}, ${expression(cursor, scope, COMPARISON)}))`;
  return null;
}

function isPredicate(cursor: Cursor, scope: Scope, left: string): string {
  const not = cursor.takes('NOT') ? 'NOT ' : '';
  if (cursor.takes('DISTINCT', 'FROM')) return `(${left} IS ${not}DISTINCT FROM ${expression(cursor, scope, COMPARISON)})`;
  const value = cursor.takesOneOf('NULL', 'TRUE', 'FALSE');
  if (!value) throw cursor.unexpected();
  return `(${left} IS ${not}${value})`;
}

const inList = (cursor: Cursor, scope: Scope): string =>
  cursor.sees('(', 'SELECT') || cursor.sees('(', 'WITH')
    ? subquery(cursor, scope)
    : `(${cursor.list(() => expression(cursor, scope)).join(', ')})`;

const PREFIXES: Partial<Record<Token['kind'], (cursor: Cursor, scope: Scope) => string>> = {
  string: (cursor) => sqlString(cursor.next().value),
  number: (cursor) => cursor.next().value,
  position,
  name: column,
  mark: marked,
  word: worded,
};

function prefix(cursor: Cursor, scope: Scope): string {
  const read = PREFIXES[cursor.peek().kind];
  if (!read) throw cursor.unexpected();
  return read(cursor, scope);
}

function marked(cursor: Cursor, scope: Scope): string {
  if (cursor.sees('(', 'SELECT') || cursor.sees('(', 'WITH')) return subquery(cursor, scope);
  if (cursor.sees('(')) {
    const items = cursor.list(() => expression(cursor, scope));
    return `(${items.join(', ')})`;
  }
  if (cursor.takes('-')) return `(- ${expression(cursor, scope, UNARY)})`;
  if (cursor.takes('+')) return expression(cursor, scope, UNARY);
  if (cursor.takes('*')) return '*';
  if (cursor.sees('?') || cursor.sees(':')) return bound(cursor, scope);
  throw cursor.unexpected();
}

/** `?` in the order they stand, `:1` by its number. */
function bound(cursor: Cursor, scope: Scope): string {
  const key = cursor.next().value === '?' ? `?${cursor.position}` : String(cursor.number());
  const bind = scope.binds.get(key);
  if (!bind) throw cursor.unsupported();
  return bindSql(bind);
}

function bindSql({ type, value }: Bind): string {
  if (value === null) return 'NULL';
  if (type === 'FIXED') return `CAST(${sqlString(value)} AS DECIMAL(38,0))`;
  if (type === 'REAL') return `CAST(${sqlString(value)} AS DOUBLE)`;
  if (type === 'BOOLEAN') return `CAST(${sqlString(value)} AS BOOLEAN)`;
  return sqlString(value);
}

function worded(cursor: Cursor, scope: Scope): string {
  if (cursor.takes('NOT')) return `(NOT ${expression(cursor, scope, NOT)})`;
  if (cursor.takes('EXISTS')) return `EXISTS ${subquery(cursor, scope)}`;
  if (cursor.takes('CASE')) return caseOf(cursor, scope);
  const constant = cursor.takesOneOf('NULL', 'TRUE', 'FALSE');
  if (constant) return constant;
  if (cursor.sees('CAST', '(') || cursor.sees('TRY_CAST', '(')) return castCall(cursor, scope);
  const typed = cursor.peek(1).kind === 'string' ? cursor.takesOneOf('DATE', 'TIMESTAMP_LTZ', 'TIMESTAMP_NTZ', 'TIMESTAMP') : null;
  if (typed) return `CAST(${sqlString(cursor.string())} AS ${typed === 'TIMESTAMP_LTZ' ? 'TIMESTAMPTZ' : typed.replace('_NTZ', '')})`;
  return translateCall(cursor, scope) ?? column(cursor, scope);
}

function caseOf(cursor: Cursor, scope: Scope): string {
  const parts = ['CASE'];
  if (!cursor.sees('WHEN')) parts.push(expression(cursor, scope));
  while (cursor.takes('WHEN')) {
    parts.push('WHEN', expression(cursor, scope));
    cursor.expect('THEN');
    parts.push('THEN', expression(cursor, scope));
  }
  if (cursor.takes('ELSE')) parts.push('ELSE', expression(cursor, scope));
  cursor.expect('END');
  return `(${parts.join(' ')} END)`;
}

function castCall(cursor: Cursor, scope: Scope): string {
  const word = cursor.next().value;
  cursor.expect('(');
  const value = expression(cursor, scope);
  cursor.expect('AS');
  const type = parseType(cursor);
  cursor.expect(')');
  return castSql(value, type, scope, word === 'TRY_CAST');
}

/** A name, alone or after its table's; `T.*` as well. */
function column(cursor: Cursor, scope: Scope): string {
  const parts = [sqlName(cursor.identifier())];
  while (cursor.sees('.') && parts.length < 4) {
    cursor.next();
    if (cursor.takes('*')) return `${parts.at(-1)}.*`;
    if (cursor.peek().kind === 'position') return `${parts.at(-1)}.${position(cursor, scope)}`;
    parts.push(sqlName(cursor.identifier()));
  }
  return parts.slice(-2).join('.');
}

/** `$1:"name"` of a staged file is that column; `$1` of anything else is not known. */
function position(cursor: Cursor, scope: Scope): string {
  if (!scope.staged || cursor.peek().value !== '1') throw cursor.unsupported();
  cursor.next();
  cursor.expect(':');
  const name = cursor.member();
  const read = scope.staged.names.has(name) ? exactName(name) : 'NULL';
  return cursor.sees('.') || cursor.sees('[') ? `sf_get(sf_variant(${read}), '$${path(cursor)}')` : read;
}

function postfix(cursor: Cursor, scope: Scope, operand: string): string {
  let value = operand;
  for (;;) {
    if (cursor.takes('::')) value = castSql(value, parseType(cursor), scope, false);
    else if (cursor.sees(':') && cursor.peek(1).kind !== 'number') {
      cursor.next();
      value = `sf_get(${value}, ${sqlString(`$.${exactName(cursor.member())}${path(cursor)}`)})`;
    } else if (cursor.sees('[')) value = `sf_get(${value}, ${sqlString(`$${path(cursor)}`)})`;
    else return value;
  }
}

/** `.a."b"[0]` as a JSON path. */
function path(cursor: Cursor): string {
  let steps = '';
  for (;;) {
    if (cursor.takes('.')) steps += `.${exactName(cursor.member())}`;
    else if (cursor.takes('[')) {
      steps += cursor.peek().kind === 'string' ? `.${exactName(cursor.string())}` : `[${cursor.number()}]`;
      cursor.expect(']');
    } else return steps;
  }
}
