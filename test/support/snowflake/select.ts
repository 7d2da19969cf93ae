import type { Cursor } from './cursor.ts';
import { shownName, sqlName } from './names.ts';
import type { Scope } from './scope.ts';

/** Queries: WITH, SELECT, joins, set operations, VALUES. */

/** A query in brackets. */
export function subquery(cursor: Cursor, scope: Scope): string {
  cursor.expect('(');
  const sql = query(cursor, scope);
  cursor.expect(')');
  return `(${sql})`;
}

export function query(cursor: Cursor, scope: Scope): string {
  if (cursor.takes('WITH')) return withQuery(cursor, scope);
  let sql = operand(cursor, scope);
  for (;;) {
    const operation = cursor.takesOneOf('UNION', 'EXCEPT', 'MINUS', 'INTERSECT');
    if (!operation) break;
    const all = cursor.takes('ALL') ? ' ALL' : '';
    sql += ` ${operation === 'MINUS' ? 'EXCEPT' : operation}${all} ${operand(cursor, scope)}`;
  }
  if (cursor.sees('ORDER', 'BY')) sql += orderBy(cursor, scope);
  return sql + limit(cursor, scope);
}

function withQuery(cursor: Cursor, scope: Scope): string {
  const names = new Map<string, string>();
  const inner: Scope = { ...scope, table: (parts) => (parts.length === 1 && names.get(parts[0] ?? '')) || scope.table(parts) };
  const parts: string[] = [];
  do {
    const name = cursor.identifier();
    const columns = cursor.sees('(') ? ` (${cursor.list(() => sqlName(cursor.identifier())).join(', ')})` : '';
    cursor.expect('AS');
    parts.push(`${sqlName(name)}${columns} AS ${subquery(cursor, inner)}`);
    names.set(name, sqlName(name));
  } while (cursor.takes(','));
  return `WITH ${parts.join(', ')} ${query(cursor, inner)}`;
}

function operand(cursor: Cursor, scope: Scope): string {
  if (cursor.sees('(')) return subquery(cursor, scope);
  if (cursor.takes('VALUES')) return values(cursor, scope);
  return select(cursor, scope);
}

function select(cursor: Cursor, scope: Scope): string {
  cursor.expect('SELECT');
  const parts = [cursor.takes('DISTINCT') ? 'SELECT DISTINCT' : 'SELECT'];
  const items: string[] = [];
  do items.push(selectItem(cursor, scope));
  while (cursor.takes(','));
  parts.push(items.join(', '));
  if (cursor.takes('FROM')) parts.push(`FROM ${from(cursor, scope)}`);
  if (cursor.takes('WHERE')) parts.push(`WHERE ${scope.expression(cursor, scope)}`);
  if (cursor.takes('GROUP', 'BY')) parts.push(`GROUP BY ${cursor.takes('ALL') ? 'ALL' : expressions(cursor, scope)}`);
  if (cursor.takes('HAVING')) parts.push(`HAVING ${scope.expression(cursor, scope)}`);
  if (cursor.takes('QUALIFY')) parts.push(`QUALIFY ${scope.expression(cursor, scope)}`);
  return parts.join(' ');
}

const expressions = (cursor: Cursor, scope: Scope): string => {
  const items: string[] = [];
  do items.push(scope.expression(cursor, scope));
  while (cursor.takes(','));
  return items.join(', ');
};

const ENDS_ITEM = [
  'FROM',
  'WHERE',
  'GROUP',
  'HAVING',
  'QUALIFY',
  'ORDER',
  'LIMIT',
  'UNION',
  'EXCEPT',
  'MINUS',
  'INTERSECT',
  'WINDOW',
  'FETCH',
];

/** Every column gets the name that the service would give it: its alias, its own, or its text. */
function selectItem(cursor: Cursor, scope: Scope): string {
  const start = cursor.position;
  const sql = scope.expression(cursor, scope);
  if (sql === '*' || sql.endsWith('.*')) {
    const excluded = cursor.takes('EXCLUDE') ? (cursor.sees('(') ? cursor.list(() => cursor.identifier()) : [cursor.identifier()]) : [];
    return excluded.length > 0 ? `${sql} EXCLUDE (${excluded.map(sqlName).join(', ')})` : sql;
  }
  const text = cursor.textFrom(start);
  if (cursor.takes('AS')) return `${sql} AS ${sqlName(cursor.identifier())}`;
  const next = cursor.peek();
  if (next.kind === 'name' || (next.kind === 'word' && !ENDS_ITEM.includes(next.value))) return `${sql} AS ${sqlName(cursor.identifier())}`;
  return COLUMN.test(sql) ? sql : `${sql} AS ${sqlName(text.toUpperCase())}`;
}

const COLUMN = /^(?:"(?:[^"]|"")*"\.)?"(?:[^"]|"")*"$/;

export function from(cursor: Cursor, scope: Scope): string {
  let sql = tableItem(cursor, scope);
  for (;;) {
    if (cursor.takes(',')) sql += `, ${tableItem(cursor, scope)}`;
    else if (cursor.takes('CROSS', 'JOIN')) sql += ` CROSS JOIN ${tableItem(cursor, scope)}`;
    else {
      const join = joinWords(cursor);
      if (!join) return sql;
      sql += ` ${join} ${tableItem(cursor, scope)}`;
      if (cursor.takes('USING')) sql += ` USING (${cursor.list(() => sqlName(cursor.identifier())).join(', ')})`;
      else {
        cursor.expect('ON');
        sql += ` ON ${scope.expression(cursor, scope)}`;
      }
    }
  }
}

function joinWords(cursor: Cursor): string | null {
  if (cursor.takes('JOIN') || cursor.takes('INNER', 'JOIN')) return 'JOIN';
  const side = (['LEFT', 'RIGHT', 'FULL'] as const).find((word) => cursor.sees(word, 'JOIN') || cursor.sees(word, 'OUTER', 'JOIN'));
  if (!side) return null;
  cursor.next();
  cursor.takes('OUTER');
  cursor.expect('JOIN');
  return `${side} JOIN`;
}

const ENDS_TABLE = [
  ...ENDS_ITEM,
  'ON',
  'USING',
  'JOIN',
  'INNER',
  'LEFT',
  'RIGHT',
  'FULL',
  'CROSS',
  'SET',
  'WHEN',
  'NATURAL',
  'VALUES',
  'SELECT',
];

function tableItem(cursor: Cursor, scope: Scope): string {
  if (cursor.sees('(', 'VALUES')) return valuesItem(cursor, scope);
  if (cursor.sees('(')) return `${subquery(cursor, scope)}${alias(cursor)}`;
  if (cursor.takes('VALUES')) return `(${values(cursor, scope)})${alias(cursor)}`;
  if (cursor.sees('TABLE', '(')) return tableFunction(cursor, scope);
  const parts = cursor.qualifiedName();
  return `${scope.table(parts)}${alias(cursor, parts.at(-1))}`;
}

/** `(VALUES (…), (…)) AS V (A, B)` */
function valuesItem(cursor: Cursor, scope: Scope): string {
  cursor.expect('(', 'VALUES');
  const sql = values(cursor, scope);
  cursor.expect(')');
  return `(${sql})${alias(cursor)}`;
}

function tableFunction(cursor: Cursor, scope: Scope): string {
  cursor.expect('TABLE', '(');
  const name = cursor.qualifiedName().join('.');
  const args = cursor.list(() => {
    const named = cursor.peek(1).value === '=>' ? cursor.identifier() : '';
    if (named) cursor.expect('=>');
    const value = scope.expression(cursor, scope);
    return named ? `${named}=${value}` : value;
  });
  cursor.expect(')');
  return `${scope.tableFunction(name, args)}${alias(cursor)}`;
}

function alias(cursor: Cursor, otherwise?: string): string {
  const next = cursor.peek();
  const isNamed = cursor.takes('AS') || next.kind === 'name' || (next.kind === 'word' && !ENDS_TABLE.includes(next.value));
  if (!isNamed) return otherwise === undefined ? '' : ` AS ${sqlName(otherwise)}`;
  const name = sqlName(cursor.identifier());
  const columns = cursor.sees('(') ? ` (${cursor.list(() => sqlName(cursor.identifier())).join(', ')})` : '';
  return ` AS ${name}${columns}`;
}

/** The columns are named COLUMN1, COLUMN2, … */
export function values(cursor: Cursor, scope: Scope): string {
  const rows: string[][] = [];
  do rows.push(cursor.list(() => scope.expression(cursor, scope)));
  while (cursor.takes(','));
  const names = (rows[0] ?? []).map((_, index) => shownName(`COLUMN${index + 1}`));
  return `SELECT * FROM (VALUES ${rows.map((row) => `(${row.join(', ')})`).join(', ')}) AS V (${names.join(', ')})`;
}

/** NULL is the greatest value: last where it ascends, first where it descends. */
export function orderBy(cursor: Cursor, scope: Scope): string {
  cursor.expect('ORDER', 'BY');
  const keys: string[] = [];
  do {
    const key = scope.expression(cursor, scope);
    const direction = cursor.takesOneOf('ASC', 'DESC') ?? 'ASC';
    const nulls = cursor.takes('NULLS') ? cursor.identifier() : direction === 'ASC' ? 'LAST' : 'FIRST';
    keys.push(`${key} ${direction} NULLS ${nulls}`);
  } while (cursor.takes(','));
  return ` ORDER BY ${keys.join(', ')}`;
}

function limit(cursor: Cursor, scope: Scope): string {
  const rows = cursor.takes('LIMIT') ? ` LIMIT ${scope.expression(cursor, scope)}` : '';
  return cursor.takes('OFFSET') ? `${rows} OFFSET ${scope.expression(cursor, scope)}` : rows;
}
