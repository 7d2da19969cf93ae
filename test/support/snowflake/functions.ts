import type { Cursor } from './cursor.ts';
import { unknownFunction } from './errors.ts';
import { anyNull, FUNCTIONS, textOrNull } from './function-table.ts';
import type { Scope } from './scope.ts';
import { orderBy } from './select.ts';

/** Calls: of functions, aggregates, windows. */

/** Written without brackets. */
const BARE = new Set(['CURRENT_TIMESTAMP', 'CURRENT_DATE', 'LOCALTIMESTAMP', 'CURRENT_USER']);

/** @returns null where what comes next is no call. @throws that there is no such function. */
export function translateCall(cursor: Cursor, scope: Scope): string | null {
  const name = cursor.peek().value;
  if (!(cursor.peek(1).kind === 'mark' && cursor.peek(1).value === '(')) {
    if (!BARE.has(name)) return null;
    cursor.next();
    return FUNCTIONS[name]?.([], scope) ?? factSql(name, scope);
  }
  if (name === 'COUNT' || name === 'LISTAGG') return aggregate(cursor, scope);
  if (name === 'DATE_PART' || name === 'DATEADD' || name === 'DATEDIFF' || name === 'EXTRACT') return dated(cursor, scope);
  const translation = FUNCTIONS[name];
  const fact = scope.fact(name);
  if (!translation && fact === undefined) throw unknownFunction(name);
  cursor.next();
  cursor.expect('(');
  const distinct = cursor.takes('DISTINCT') ? 'DISTINCT ' : '';
  const args: string[] = [];
  if (!cursor.takes(')')) {
    do args.push(scope.expression(cursor, scope));
    while (cursor.takes(','));
    cursor.expect(')');
  }
  if (!translation) return factSql(name, scope);
  const first = `${distinct}${args[0] ?? ''}`;
  return over(cursor, scope, translation(distinct ? [first, ...args.slice(1)] : args, scope));
}

const factSql = (name: string, scope: Scope): string => textOrNull(scope.fact(name) ?? null);

/** The unit is a bare word there. */
function dated(cursor: Cursor, scope: Scope): string {
  const name = cursor.next().value;
  cursor.expect('(');
  const unit = cursor.next().value.toLowerCase();
  if (name === 'EXTRACT') cursor.expect('FROM');
  else cursor.expect(',');
  const args = [unit];
  do args.push(scope.expression(cursor, scope));
  while (cursor.takes(','));
  cursor.expect(')');
  return FUNCTIONS[name === 'EXTRACT' ? 'DATE_PART' : name]?.(args, scope) ?? '';
}

/** COUNT(DISTINCT a, b) leaves rows out in which one is NULL. */
function aggregate(cursor: Cursor, scope: Scope): string {
  const name = cursor.next().value;
  cursor.expect('(');
  const isDistinct = cursor.takes('DISTINCT');
  const args: string[] = [];
  do args.push(scope.expression(cursor, scope));
  while (cursor.takes(','));
  cursor.expect(')');
  const distinct = isDistinct ? 'DISTINCT ' : '';
  if (name === 'LISTAGG') {
    const order = cursor.takes('WITHIN', 'GROUP', '(') ? orderBy(cursor, scope) : '';
    if (order) cursor.expect(')');
    return `coalesce(string_agg(${distinct}${args[0]}, ${args[1] ?? "''"}${order}), '')`;
  }
  if (args.length === 1) return over(cursor, scope, `count(${distinct}${args[0]})`);
  return over(cursor, scope, `count(${distinct}CASE WHEN ${anyNull(args)} THEN NULL ELSE (${args.join(', ')}) END)`);
}

function over(cursor: Cursor, scope: Scope, call: string): string {
  if (!cursor.takes('OVER')) return call;
  cursor.expect('(');
  const parts: string[] = [];
  if (cursor.takes('PARTITION', 'BY')) {
    const keys: string[] = [];
    do keys.push(scope.expression(cursor, scope));
    while (cursor.takes(','));
    parts.push(`PARTITION BY ${keys.join(', ')}`);
  }
  if (cursor.sees('ORDER')) parts.push(orderBy(cursor, scope).trim());
  const from = cursor.position;
  while (!cursor.sees(')')) cursor.next();
  if (cursor.position > from) parts.push(cursor.textFrom(from));
  cursor.expect(')');
  return `${call} OVER (${parts.join(' ')})`;
}
