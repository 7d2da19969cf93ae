import type { FullName } from './catalogue.ts';
import { SnowflakeError } from './errors.ts';
import { expression } from './expressions.ts';
import { sqlName } from './names.ts';
import { type Context, type Outcome, type Plan, type Stats, TYPE_ID } from './plan.ts';
import { countColumn } from './rowset.ts';
import { from, query } from './select.ts';

const NOTHING: Stats = { numRowsInserted: 0, numRowsUpdated: 0, numRowsDeleted: 0 };

export const tableSql = (name: FullName): string => name.map(sqlName).join('.');

export const counted = (names: readonly string[], counts: readonly number[], stats: Partial<Stats>): Outcome => ({
  columns: names.map(countColumn),
  rows: [counts.map(String)],
  stats: { ...NOTHING, ...stats },
});

/** What a VALUES clause may not hold on the service, where it is a SELECT that can. */
const NOT_IN_VALUES = new Set(['PARSE_JSON', 'TRY_PARSE_JSON', 'OBJECT_CONSTRUCT', 'ARRAY_CONSTRUCT', 'TO_VARIANT', 'OBJECT_INSERT']);

export function planInsert(context: Context): Plan {
  const { cursor, scope, catalogue, engine, session } = context;
  cursor.expect('INSERT', 'INTO');
  const name = context.resolve(cursor.qualifiedName());
  const table = catalogue.table(name);
  const columns =
    cursor.sees('(') && !cursor.sees('(', 'SELECT') ? cursor.list(() => catalogue.column(name, cursor.identifier()).name) : null;
  const source = cursor.takes('VALUES') ? valuesClause(context) : query(cursor, scope);
  cursor.expectEnd();
  const into = (columns ?? table.columns.map((column) => column.name)).map(sqlName).join(', ');
  const run = async (): Promise<Outcome> => {
    const { rowsChanged } = await engine.write(session, ({ change }) => change(`INSERT INTO ${tableSql(name)} (${into}) ${source}`));
    return counted(['number of rows inserted'], [rowsChanged], { numRowsInserted: rowsChanged });
  };
  return { typeId: TYPE_ID.insert, needsWarehouse: true, run };
}

function valuesClause({ cursor, scope }: Context): string {
  const rows: string[] = [];
  do rows.push(`(${cursor.list(() => constant(() => expression(cursor, scope), cursor)).join(', ')})`);
  while (cursor.takes(','));
  return `VALUES ${rows.join(', ')}`;
}

function constant(read: () => string, cursor: Context['cursor']): string {
  const start = cursor.position;
  const first = cursor.peek().value;
  const sql = read();
  if (NOT_IN_VALUES.has(first) || sql.startsWith('(SELECT')) {
    throw new SnowflakeError('002014', '22000', `SQL compilation error:\nInvalid expression [${cursor.textFrom(start)}] in VALUES clause`);
  }
  return sql;
}

export function planUpdate(context: Context): Plan {
  const { cursor, scope, catalogue, engine, session } = context;
  cursor.expect('UPDATE');
  const name = context.resolve(cursor.qualifiedName());
  catalogue.table(name);
  const alias = sqlName(cursor.sees('SET') ? name[2] : (cursor.takes('AS'), cursor.identifier()));
  cursor.expect('SET');
  const sets = assignments(context, name);
  const joined = cursor.takes('FROM') ? ` FROM ${from(cursor, scope)}` : '';
  const where = cursor.takes('WHERE') ? ` WHERE ${expression(cursor, scope)}` : '';
  cursor.expectEnd();
  const run = async (): Promise<Outcome> => {
    const sql = `UPDATE ${tableSql(name)} AS ${alias} SET ${sets}${joined}${where}`;
    const { rowsChanged } = await engine.write(session, ({ change }) => change(sql));
    return counted(['number of rows updated', 'number of multi-joined rows updated'], [rowsChanged, 0], { numRowsUpdated: rowsChanged });
  };
  return { typeId: TYPE_ID.update, locks: name, needsWarehouse: true, run };
}

/** `a = 1, T.b = 2`: DuckDB wants the column alone. */
export function assignments({ cursor, scope, catalogue }: Context, table: FullName): string {
  const sets: string[] = [];
  do {
    const column = catalogue.column(table, cursor.qualifiedName().at(-1) ?? '');
    cursor.expect('=');
    sets.push(`${sqlName(column.name)} = ${expression(cursor, scope)}`);
  } while (cursor.takes(','));
  return sets.join(', ');
}

export function planDelete(context: Context): Plan {
  const { cursor, scope, catalogue, engine, session } = context;
  cursor.expect('DELETE', 'FROM');
  const name = context.resolve(cursor.qualifiedName());
  catalogue.table(name);
  const alias = cursor.isAtEnd || cursor.sees('WHERE') || cursor.sees('USING') ? name[2] : (cursor.takes('AS'), cursor.identifier());
  const using = cursor.takes('USING') ? ` USING ${from(cursor, scope)}` : '';
  const where = cursor.takes('WHERE') ? ` WHERE ${expression(cursor, scope)}` : '';
  cursor.expectEnd();
  const run = async (): Promise<Outcome> => {
    const sql = `DELETE FROM ${tableSql(name)} AS ${sqlName(alias)}${using}${where}`;
    const { rowsChanged } = await engine.write(session, ({ change }) => change(sql));
    return counted(['number of rows deleted'], [rowsChanged], { numRowsDeleted: rowsChanged });
  };
  return { typeId: TYPE_ID.delete, locks: name, needsWarehouse: true, run };
}
