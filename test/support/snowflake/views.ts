import type { Column, FullName } from './catalogue.ts';
import { type Creation, ddl, fullNameOf, newColumn } from './ddl.ts';
import { tableSql } from './dml.ts';
import { SnowflakeError } from './errors.ts';
import { decoded, sqlName } from './names.ts';
import { options } from './options.ts';
import type { Context, Plan } from './plan.ts';
import { type RowType, rowSetOf } from './rowset.ts';
import { query } from './select.ts';

/** CREATE VIEW: the columns' types are those of its query. */
export function planCreateView(context: Context, creation: Creation): Plan {
  const { cursor, catalogue, scope } = context;
  const name = fullNameOf(context);
  const named = cursor.sees('(') ? cursor.list(() => viewColumn(context)) : null;
  let comment: string | null = null;
  for (;;) {
    if (cursor.takes('COPY', 'GRANTS')) continue;
    const found = options(cursor);
    if (found.size === 0) break;
    comment = found.get('COMMENT') ?? comment;
  }
  cursor.expect('AS');
  const from = cursor.position;
  const sql = query(cursor, { ...scope, table: (parts) => scope.plainTable(parts) });
  cursor.expectEnd();
  const text = cursor.textFrom(from);
  return ddl(async () => {
    catalogue.schema(name[0], name[1]);
    const existing = catalogue.find(name);
    if (existing && creation.keeps) return `${name[2]} already exists, statement succeeded.`;
    if (existing && (!creation.replaces || existing.kind !== 'VIEW')) catalogue.assertFree(name);
    const columns = await create(context, name, sql, named);
    catalogue.add(name, { kind: 'VIEW', name: name[2], columns, text, comment, createdAt: scope.now() });
    return `View ${name[2]} successfully created.`;
  });
}

function viewColumn({ cursor }: Context): { name: string; comment: string | null } {
  const name = cursor.identifier();
  return { name, comment: cursor.takes('COMMENT') ? (cursor.takes('='), cursor.string()) : null };
}

function create(
  { engine, session }: Context,
  name: FullName,
  sql: string,
  named: { name: string; comment: string | null }[] | null,
): Promise<Column[]> {
  return engine.write(session, async ({ change, look }) => {
    const types = (await rowSetOf(await look(`SELECT * FROM (${sql}) LIMIT 0`), 0)).columns;
    if (named && named.length !== types.length) {
      throw new SnowflakeError('002026', '42601', `SQL compilation error:\nInvalid column definition list`);
    }
    const columns = types.map((type: RowType, index) =>
      newColumn(named?.[index]?.name ?? decoded(type.name), type.type, { comment: named?.[index]?.comment ?? null }),
    );
    await change(`CREATE OR REPLACE VIEW ${tableSql(name)} (${columns.map((column) => sqlName(column.name)).join(', ')}) AS ${sql}`);
    return columns;
  });
}
