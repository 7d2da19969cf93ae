import type { FullName } from './catalogue.ts';
import { assignments, counted, tableSql } from './dml.ts';
import type { Run } from './engine.ts';
import { duplicateRow } from './errors.ts';
import { expression } from './expressions.ts';
import { sqlName } from './names.ts';
import { type Context, type Outcome, type Plan, TYPE_ID } from './plan.ts';
import { subquery } from './select.ts';

interface Clause {
  readonly condition: string;
  readonly action: 'UPDATE' | 'DELETE' | 'INSERT';
  readonly sql: string;
}

interface Merge {
  readonly name: FullName;
  readonly target: string;
  readonly source: string;
  readonly on: string;
  readonly matched: readonly Clause[];
  readonly unmatched: readonly Clause[];
}

/**
 * MERGE: a row of the target that more than one row of the source would update (or update and delete) is an error; rows of the source
 * that match nothing are all inserted, two of one key as well.
 */
export function planMerge(context: Context): Plan {
  const { engine, session } = context;
  const merge = parseMerge(context);
  const checks = session.parameter('ERROR_ON_NONDETERMINISTIC_MERGE') === 'true';
  const run = (): Promise<Outcome> =>
    engine.write(session, async ({ change, look }) => {
      if (checks) await assertDeterministic(merge, look);
      return outcome(merge, await actionsOf(merge, change));
    });
  return { typeId: TYPE_ID.merge, locks: merge.name, needsWarehouse: true, run };
}

function parseMerge(context: Context): Merge {
  const { cursor, scope, catalogue } = context;
  cursor.expect('MERGE', 'INTO');
  const name = context.resolve(cursor.qualifiedName());
  catalogue.table(name);
  const alias = cursor.sees('USING') ? name[2] : (cursor.takes('AS'), cursor.identifier());
  cursor.expect('USING');
  const source = sourceOf(context);
  cursor.expect('ON');
  const on = expression(cursor, scope);
  const matched: Clause[] = [];
  const unmatched: Clause[] = [];
  while (cursor.takes('WHEN')) {
    if (cursor.takes('MATCHED')) matched.push(matchedClause(context, name));
    else {
      cursor.expect('NOT', 'MATCHED');
      unmatched.push(insertClause(context, name));
    }
  }
  cursor.expectEnd();
  return { name, target: `${tableSql(name)} AS ${sqlName(alias)}`, source, on, matched, unmatched };
}

function sourceOf(context: Context): string {
  const { cursor, scope } = context;
  if (cursor.sees('(')) {
    const sql = subquery(cursor, scope);
    cursor.takes('AS');
    return `${sql} AS ${sqlName(cursor.identifier())}`;
  }
  const parts = cursor.qualifiedName();
  const table = scope.table(parts);
  if (cursor.sees('ON')) return `${table} AS ${sqlName(parts.at(-1) ?? '')}`;
  cursor.takes('AS');
  return `${table} AS ${sqlName(cursor.identifier())}`;
}

function condition({ cursor, scope }: Context): string {
  const sql = cursor.takes('AND') ? expression(cursor, scope) : '';
  cursor.expect('THEN');
  return sql;
}

function matchedClause(context: Context, name: FullName): Clause {
  const { cursor } = context;
  const when = condition(context);
  if (cursor.takes('DELETE')) return { condition: when, action: 'DELETE', sql: 'DELETE' };
  cursor.expect('UPDATE', 'SET');
  return { condition: when, action: 'UPDATE', sql: `UPDATE SET ${assignments(context, name)}` };
}

function insertClause(context: Context, name: FullName): Clause {
  const { cursor, scope, catalogue } = context;
  const when = condition(context);
  cursor.expect('INSERT');
  const columns = cursor.sees('(')
    ? cursor.list(() => catalogue.column(name, cursor.qualifiedName().at(-1) ?? '').name)
    : catalogue.table(name).columns.map((column) => column.name);
  cursor.expect('VALUES');
  const values = cursor.list(() => expression(cursor, scope));
  return { condition: when, action: 'INSERT', sql: `INSERT (${columns.map(sqlName).join(', ')}) VALUES (${values.join(', ')})` };
}

/** One row of the source may update a row of the target, or any number may delete it. */
async function assertDeterministic({ target, source, on, matched }: Merge, look: Run): Promise<void> {
  if (matched.length === 0) return;
  const alias = target.slice(target.lastIndexOf(' AS ') + 4);
  const whens = matched.map(({ condition: when, action }) => `WHEN ${when || 'TRUE'} THEN '${action}'`).join(' ');
  const result = await look(`
SELECT place FROM (SELECT ${alias}.rowid AS place, CASE ${whens} END AS action FROM ${target} JOIN ${source} ON ${on})
WHERE action IS NOT NULL GROUP BY place HAVING count(*) > 1 AND bool_or(action = 'UPDATE') ORDER BY place LIMIT 1`);
  const [row] = await result.getRows();
  if (!row) return;
  const values = await look(`SELECT * FROM ${target} WHERE ${alias}.rowid = ${String(row[0])}`);
  const [shown] = await values.getRows();
  throw duplicateRow((shown ?? []).map((value) => (value === null ? 'NULL' : JSON.stringify(String(value)))).join(', '));
}

async function actionsOf({ target, source, on, matched, unmatched }: Merge, change: Run): Promise<Map<string, number>> {
  const clauses = [
    ...matched.map(({ condition: when, sql }) => `WHEN MATCHED${when ? ` AND ${when}` : ''} THEN ${sql}`),
    ...unmatched.map(({ condition: when, sql }) => `WHEN NOT MATCHED${when ? ` AND ${when}` : ''} THEN ${sql}`),
  ];
  const result = await change(`MERGE INTO ${target} USING ${source} ON ${on} ${clauses.join(' ')} RETURNING merge_action`);
  const counts = new Map<string, number>();
  for (const [action] of await result.getRows()) counts.set(String(action), (counts.get(String(action)) ?? 0) + 1);
  return counts;
}

/** Only what the statement could do is counted. */
function outcome({ matched, unmatched }: Merge, actions: ReadonlyMap<string, number>): Outcome {
  const [inserted, updated, deleted] = ['INSERT', 'UPDATE', 'DELETE'].map((action) => actions.get(action) ?? 0) as [number, number, number];
  const columns: [string, number][] = [];
  if (unmatched.length > 0) columns.push(['number of rows inserted', inserted]);
  if (matched.some(({ action }) => action === 'UPDATE')) columns.push(['number of rows updated', updated]);
  if (matched.some(({ action }) => action === 'DELETE')) columns.push(['number of rows deleted', deleted]);
  const stats = { numRowsInserted: inserted, numRowsUpdated: updated, numRowsDeleted: deleted };
  return counted(
    columns.map(([name]) => name),
    columns.map(([, count]) => count),
    stats,
  );
}
