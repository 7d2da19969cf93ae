import { type Column, type FullName, shown, type Table } from './catalogue.ts';
import { bracketed, columnDefinition, ddl, fullNameOf, rowAccess } from './ddl.ts';
import { tableSql } from './dml.ts';
import { cannotChangeType, SnowflakeError } from './errors.ts';
import { shownName, sqlName } from './names.ts';
import { options } from './options.ts';
import type { Context, Plan } from './plan.ts';
import { canAlter, duckType, parseType, shownType } from './types.ts';

/** ALTER TABLE and COMMENT ON, within what the service can change in place. */

type Change = () => Promise<void>;

export function planAlterTable(context: Context): Plan {
  const { cursor, catalogue } = context;
  const isOptional = cursor.takes('IF', 'EXISTS');
  const name = fullNameOf(context);
  if (isOptional && !catalogue.find(name)) {
    cursor.rest();
    return ddl(async () => 'Statement executed successfully.');
  }
  const changes = alterations(context, name, catalogue.table(name));
  cursor.expectEnd();
  return ddl(async () => {
    for (const change of changes) await change();
    return 'Statement executed successfully.';
  });
}

function alterations(context: Context, name: FullName, table: Table): Change[] {
  const { cursor } = context;
  if (cursor.sees('ADD', 'ROW')) {
    cursor.next();
    const access = rowAccess(context);
    return [async () => void (table.rowAccess = access)];
  }
  if (cursor.takes('ADD')) return additions(context, name, table);
  if (cursor.takes('DROP', 'COLUMN')) return [dropColumn(context, name, table)];
  if (cursor.takes('ALTER') || cursor.takes('MODIFY')) return modifications(context, name);
  if (cursor.takes('CLUSTER', 'BY')) {
    const keys = bracketed(cursor);
    return [async () => void (table.clusterBy = keys)];
  }
  if (cursor.takes('SET')) {
    const set = options(cursor);
    return [async () => void (table.comment = set.get('COMMENT') ?? table.comment)];
  }
  throw cursor.unsupported();
}

/** `ADD COLUMN a T, b T`: a column that may not be NULL cannot come without a default. */
function additions(context: Context, name: FullName, table: Table): Change[] {
  const { cursor, engine, session } = context;
  cursor.takes('COLUMN');
  const changes: Change[] = [];
  do {
    const isOptional = cursor.takes('IF', 'NOT', 'EXISTS');
    const { column, fallback } = columnDefinition(context);
    changes.push(async () => {
      if (table.columns.some((existing) => existing.name === column.name)) {
        if (isOptional) return;
        throw new SnowflakeError('001430', '42601', `SQL compilation error:\ncolumn '${shownName(column.name)}' already exists`);
      }
      if (!column.nullable && fallback === '') {
        throw new SnowflakeError(
          '002028',
          '42601',
          `SQL compilation error:\nNon-nullable column '${column.name}' cannot be added to non-empty table '${shown(name)}' unless it has a non-null default value.`,
        );
      }
      await engine.write(session, ({ change }) =>
        change(`ALTER TABLE ${tableSql(name)} ADD COLUMN ${sqlName(column.name)} ${duckType(column.type)}${fallback}`),
      );
      table.columns = [...table.columns, column];
    });
  } while (cursor.takes(','));
  return changes;
}

function dropColumn(context: Context, name: FullName, table: Table): Change {
  const { cursor, catalogue, engine, session } = context;
  const column = catalogue.column(name, cursor.identifier());
  return async () => {
    await engine.write(session, ({ change }) => change(`ALTER TABLE ${tableSql(name)} DROP COLUMN ${sqlName(column.name)}`));
    table.columns = table.columns.filter((other) => other !== column);
  };
}

/** `MODIFY COLUMN a SET DATA TYPE …, COLUMN b SET TAG …`, with or without brackets. */
function modifications(context: Context, name: FullName): Change[] {
  const { cursor, catalogue } = context;
  const isBracketed = cursor.takes('(');
  const changes: Change[] = [];
  do {
    cursor.takes('COLUMN');
    changes.push(modification(context, name, catalogue.column(name, cursor.identifier())));
  } while (cursor.takes(','));
  if (isBracketed) cursor.expect(')');
  return changes;
}

function modification(context: Context, name: FullName, column: Column): Change {
  const { cursor, catalogue } = context;
  if (cursor.takes('COMMENT')) {
    const comment = cursor.string();
    return async () => void (column.comment = comment);
  }
  if (cursor.takes('SET', 'TAG')) return setTags(context, column);
  if (cursor.takes('UNSET', 'TAG')) {
    const tag = shown(fullNameOf(context));
    return async () => void column.tags.delete(tag);
  }
  if (cursor.takes('SET', 'MASKING', 'POLICY')) {
    const policy = fullNameOf(context);
    catalogue.other(policy, 'MASKING POLICY');
    return async () => void (column.maskingPolicy = shown(policy));
  }
  if (cursor.takes('DROP', 'NOT', 'NULL')) return nullability(context, name, column, true);
  if (cursor.takes('SET', 'NOT', 'NULL')) return nullability(context, name, column, false);
  return typeChange(context, name, column);
}

function setTags(context: Context, column: Column): Change {
  const { cursor, catalogue } = context;
  const set: [string, string][] = [];
  do {
    const tag = fullNameOf(context);
    catalogue.other(tag, 'TAG');
    cursor.expect('=');
    set.push([shown(tag), cursor.string()]);
  } while (cursor.peek(1).value !== 'COLUMN' && cursor.takes(','));
  return async () => {
    for (const [tag, value] of set) column.tags.set(tag, value);
  };
}

function nullability({ engine, session }: Context, name: FullName, column: Column, nullable: boolean): Change {
  return async () => {
    const action = nullable ? 'DROP NOT NULL' : 'SET NOT NULL';
    await engine.write(session, ({ change }) => change(`ALTER TABLE ${tableSql(name)} ALTER COLUMN ${sqlName(column.name)} ${action}`));
    column.nullable = nullable;
  };
}

function typeChange(context: Context, name: FullName, column: Column): Change {
  const { cursor, engine, session } = context;
  if (cursor.takes('SET')) cursor.expect('DATA', 'TYPE');
  else cursor.expect('TYPE');
  const type = parseType(cursor);
  return async () => {
    if (!canAlter(column.type, type)) throw cannotChangeType(shownName(column.name), shownType(column.type), shownType(type));
    await engine.write(session, ({ change }) =>
      change(`ALTER TABLE ${tableSql(name)} ALTER COLUMN ${sqlName(column.name)} SET DATA TYPE ${duckType(type)}`),
    );
    column.type = type;
  };
}

export function planComment(context: Context): Plan {
  const { cursor, catalogue } = context;
  cursor.expect('COMMENT');
  const isOptional = cursor.takes('IF', 'EXISTS');
  cursor.expect('ON');
  const kind = cursor.takesOneOf('TABLE', 'VIEW', 'COLUMN', 'SCHEMA');
  const parts = cursor.qualifiedName();
  cursor.expect('IS');
  const comment = cursor.string();
  cursor.expectEnd();
  return ddl(async () => {
    if (kind === 'COLUMN') catalogue.column(context.resolve(parts.slice(0, -1)), parts.at(-1) ?? '').comment = comment;
    else if (kind === 'SCHEMA') catalogue.schema(parts.at(-2) ?? context.session.database ?? '', parts.at(-1) ?? '').comment = comment;
    else if (kind) {
      const name = context.resolve(parts);
      if (!(isOptional && !catalogue.find(name))) catalogue.relation(name).comment = comment;
    } else throw cursor.unsupported();
    return 'Statement executed successfully.';
  });
}
