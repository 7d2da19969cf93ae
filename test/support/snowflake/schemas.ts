import { type Catalogue, type Schema, shown } from './catalogue.ts';
import { type Creation, ddl } from './ddl.ts';
import type { Engine } from './engine.ts';
import { alreadyExists, noSuchObject } from './errors.ts';
import { sqlName } from './names.ts';
import { options } from './options.ts';
import type { Context, Plan } from './plan.ts';

/** Databases and schemas. */

export function planCreateSchema(
  context: Context,
  creation: Creation,
  resolveSchema: (parts: readonly string[]) => [string, string],
): Plan {
  const { cursor, catalogue, engine, session } = context;
  const parts = cursor.qualifiedName();
  cursor.takes('WITH', 'MANAGED', 'ACCESS');
  const comment = options(cursor).get('COMMENT') ?? null;
  cursor.expectEnd();
  return ddl(async () => {
    const [database, schema] = resolveSchema(parts);
    const schemas = catalogue.databases.get(database);
    if (schemas?.has(schema) && creation.keeps) return `${schema} already exists, statement succeeded.`;
    if (!schemas) catalogue.schema(database, schema);
    if (schemas?.has(schema)) throw alreadyExists(schema);
    await engine.write(session, ({ change }) => change(`CREATE SCHEMA ${sqlName(database)}.${sqlName(schema)}`));
    schemas?.set(schema, { ...newSchema(schema), isTransient: creation.isTransient, comment });
    return `Schema ${schema} successfully created.`;
  });
}

/** A database has a schema PUBLIC from the start. */
export function planCreateDatabase({ cursor, catalogue, engine }: Context, creation: Creation): Plan {
  const name = cursor.identifier();
  options(cursor);
  cursor.expectEnd();
  return ddl(async () => {
    if (catalogue.databases.has(name) && creation.keeps) return `${name} already exists, statement succeeded.`;
    if (catalogue.databases.has(name)) throw alreadyExists(name);
    await addDatabase(catalogue, engine, name, ['PUBLIC']);
    return `Database ${name} successfully created.`;
  });
}

export async function addDatabase(catalogue: Catalogue, engine: Engine, name: string, schemas: readonly string[]): Promise<void> {
  await engine.administer(`ATTACH ':memory:' AS ${sqlName(name)}`);
  for (const schema of schemas) await engine.administer(`CREATE SCHEMA IF NOT EXISTS ${sqlName(name)}.${sqlName(schema)}`);
  catalogue.databases.set(name, new Map(schemas.map((schema) => [schema, newSchema(schema)])));
}

const newSchema = (name: string): Schema => ({ name, isTransient: false, comment: null, relations: new Map(), others: new Map() });

/** ALTER SCHEMA or DATABASE … SET: of what is set, only the comment is kept. */
export function planAlterPlace(
  context: Context,
  kind: 'SCHEMA' | 'DATABASE',
  resolveSchema: (parts: readonly string[]) => [string, string],
): Plan {
  const { cursor, catalogue } = context;
  const parts = cursor.qualifiedName();
  cursor.expect('SET');
  const set = options(cursor);
  cursor.expectEnd();
  return ddl(async () => {
    if (kind === 'DATABASE') {
      if (!catalogue.databases.has(parts[0] ?? '')) throw noSuchObject('Database', shown(parts));
    } else {
      const schema = catalogue.schema(...resolveSchema(parts));
      schema.comment = set.get('COMMENT') ?? schema.comment;
    }
    return 'Statement executed successfully.';
  });
}
