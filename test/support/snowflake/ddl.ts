import { type Column, type FullName, shown, type Table } from './catalogue.ts';
import type { Cursor } from './cursor.ts';
import { tableSql } from './dml.ts';
import { SnowflakeError } from './errors.ts';
import { expression } from './expressions.ts';
import { sqlName } from './names.ts';
import { options } from './options.ts';
import { type Context, type Outcome, type Plan, TYPE_ID } from './plan.ts';
import { statusRow } from './rowset.ts';
import { query } from './select.ts';
import { duckType, parseType } from './types.ts';

/** CREATE TABLE, DROP, and the schemas they are in. */

export const ddl = (run: () => Promise<string>): Plan => ({
  typeId: TYPE_ID.ddl,
  commits: true,
  run: async (): Promise<Outcome> => statusRow(await run()),
});

export const newColumn = (name: string, type: Column['type'], rest: Partial<Column> = {}): Column => ({
  name,
  type,
  nullable: true,
  comment: null,
  tags: new Map(),
  maskingPolicy: null,
  ...rest,
});

/** `OR REPLACE` and `IF NOT EXISTS` of a CREATE. */
export interface Creation {
  readonly replaces: boolean;
  readonly isTransient: boolean;
  keeps: boolean;
}

/** `"A" NUMBER(38,0) NOT NULL DEFAULT 0 COMMENT '…' WITH TAG (…)` @returns the column and its default as DuckDB's SQL. */
export function columnDefinition({ cursor, scope }: Context): { column: Column; fallback: string } {
  const column = newColumn(cursor.identifier(), parseType(cursor));
  let fallback = '';
  for (;;) {
    if (cursor.takes('NOT', 'NULL')) column.nullable = false;
    else if (cursor.takes('NULL')) column.nullable = true;
    else if (cursor.takes('COMMENT')) column.comment = (cursor.takes('='), cursor.string());
    else if (cursor.takes('DEFAULT')) fallback = ` DEFAULT ${expression(cursor, scope, 5)}`;
    else if (cursor.takes('UNIQUE') || cursor.takes('PRIMARY', 'KEY')) continue;
    else return { column, fallback };
  }
}

export function planCreateTable(context: Context, creation: Creation): Plan {
  const { cursor, catalogue, engine, session, scope } = context;
  const name = context.resolve(cursor.qualifiedName());
  const defined = cursor.sees('(') ? cursor.list(() => tableElement(context)).filter((element) => element !== null) : [];
  const table = tableClauses(
    context,
    defined.map(({ column }) => column),
    creation,
  );
  const source = cursor.takes('AS') ? query(cursor, scope) : null;
  cursor.expectEnd();
  return ddl(async () => {
    catalogue.schema(name[0], name[1]);
    if (catalogue.find(name) && creation.keeps) return `${name[2]} already exists, statement succeeded.`;
    if (!creation.replaces) catalogue.assertFree(name);
    if (source !== null || defined.length === 0) throw cursor.unsupported();
    const columns = defined.map(
      ({ column, fallback }) => `${sqlName(column.name)} ${duckType(column.type)}${column.nullable ? '' : ' NOT NULL'}${fallback}`,
    );
    await engine.write(session, ({ change }) =>
      change(`CREATE ${creation.replaces ? 'OR REPLACE ' : ''}TABLE ${tableSql(name)} (${columns.join(', ')})`),
    );
    catalogue.add(name, { ...table, name: name[2] });
    return `Table ${name[2]} successfully created.`;
  });
}

/** A column, or a constraint that the service does not enforce. */
function tableElement(context: Context): ReturnType<typeof columnDefinition> | null {
  const { cursor } = context;
  if (cursor.takes('CONSTRAINT')) cursor.identifier();
  if (!cursor.takes('PRIMARY', 'KEY') && !cursor.takes('UNIQUE')) return columnDefinition(context);
  cursor.list(() => cursor.identifier());
  return null;
}

function tableClauses(context: Context, columns: Column[], { isTransient }: Creation): Omit<Table, 'name'> {
  const { cursor, scope } = context;
  const table: Omit<Table, 'name'> = {
    kind: 'TABLE',
    columns,
    isTransient,
    clusterBy: null,
    comment: null,
    createdAt: scope.now(),
    rowAccess: null,
    loads: new Map(),
  };
  for (;;) {
    if (cursor.takes('CLUSTER', 'BY')) table.clusterBy = bracketed(cursor);
    else if (cursor.sees('WITH', 'ROW') || cursor.sees('ROW', 'ACCESS')) table.rowAccess = rowAccess(context);
    else if (cursor.takes('COPY', 'GRANTS')) continue;
    else {
      const found = options(cursor);
      if (found.size === 0) return table;
      assertKnown(
        found,
        ['COMMENT', 'DATA_RETENTION_TIME_IN_DAYS', 'MAX_DATA_EXTENSION_TIME_IN_DAYS', 'CHANGE_TRACKING', 'ENABLE_SCHEMA_EVOLUTION'],
        cursor,
      );
      table.comment = found.get('COMMENT') ?? table.comment;
    }
  }
}

function assertKnown(found: ReadonlyMap<string, string>, known: readonly string[], cursor: Cursor): void {
  for (const name of found.keys()) if (!known.includes(name)) throw cursor.unsupported();
}

/** `[WITH] ROW ACCESS POLICY name ON (columns)` The policy must exist. */
export function rowAccess(context: Context): NonNullable<Table['rowAccess']> {
  const { cursor, catalogue } = context;
  cursor.takes('WITH');
  cursor.expect('ROW', 'ACCESS', 'POLICY');
  const policy = context.resolve(cursor.qualifiedName());
  catalogue.other(policy, 'ROW ACCESS POLICY');
  cursor.expect('ON');
  return { policy: shown(policy), columns: cursor.list(() => cursor.identifier()) };
}

export function bracketed(cursor: Cursor): string {
  const from = cursor.position;
  cursor.expect('(');
  for (let depth = 1; depth > 0; ) {
    if (cursor.isAtEnd) throw cursor.unexpected();
    const { value, kind } = cursor.next();
    if (kind === 'mark' && value === '(') depth += 1;
    if (kind === 'mark' && value === ')') depth -= 1;
  }
  return cursor.textFrom(from).slice(1, -1);
}

export function planDropRelation(context: Context, kind: 'TABLE' | 'VIEW'): Plan {
  const { cursor, catalogue, engine, session } = context;
  const isOptional = cursor.takes('IF', 'EXISTS');
  const name = context.resolve(cursor.qualifiedName());
  cursor.takesOneOf('CASCADE', 'RESTRICT');
  cursor.expectEnd();
  return ddl(async () => {
    if (!catalogue.find(name) && isOptional) return `Drop statement executed successfully (${name[2]} already dropped).`;
    if (catalogue.relation(name).kind !== kind) {
      throw new SnowflakeError('002203', '42601', `SQL compilation error:\nObject found is not of type '${kind}' specified.`);
    }
    await engine.write(session, ({ change }) => change(`DROP ${kind} ${tableSql(name)}`));
    catalogue.schema(name[0], name[1]).relations.delete(name[2]);
    return `${name[2]} successfully dropped.`;
  });
}

export const fullNameOf = (context: Context): FullName => context.resolve(context.cursor.qualifiedName());
