import { type Grant, shown } from './catalogue.ts';
import { noSuchObject } from './errors.ts';
import { shownName } from './names.ts';
import { type Context, type Plan, TYPE_ID } from './plan.ts';
import { type RowSet, textRows, type WireValue } from './rowset.ts';
import { shownType } from './types.ts';

/** SHOW: the columns that are asked for most, all as text. */

const instant = (micros: number): string => new Date(micros / 1000).toISOString();

export function planShow(context: Context): Plan {
  const { cursor } = context;
  cursor.expect('SHOW');
  cursor.takes('TERSE');
  const kind = cursor.takesOneOf(
    'TABLES',
    'VIEWS',
    'COLUMNS',
    'SCHEMAS',
    'DATABASES',
    'ROLES',
    'WAREHOUSES',
    'STAGES',
    'PARAMETERS',
    'GRANTS',
    'LOCKS',
    'TRANSACTIONS',
    'INTEGRATIONS',
  );
  if (!kind) throw cursor.unsupported();
  const rows = kind === 'GRANTS' ? grants(context) : listing(context, kind);
  return { typeId: TYPE_ID.select, run: async () => rows };
}

/** DESCRIBE of a table, a view, or what is only kept. */
export function planDescribe(context: Context): Plan {
  const { cursor, catalogue } = context;
  if (!cursor.takes('DESCRIBE')) cursor.expect('DESC');
  const word = cursor.takesOneOf('TABLE', 'VIEW', 'INTEGRATION', 'USER', 'STAGE');
  if (!word) throw cursor.unsupported();
  const parts = cursor.qualifiedName();
  cursor.expectEnd();
  const run = async (): Promise<RowSet> => {
    if (word === 'TABLE' || word === 'VIEW') {
      const { columns } = catalogue.relation(context.resolve(parts));
      return textRows(
        ['name', 'type', 'kind', 'null?', 'comment'],
        columns.map((column) => [column.name, shownType(column.type), 'COLUMN', column.nullable ? 'Y' : 'N', column.comment]),
      );
    }
    const kept =
      word === 'STAGE' ? catalogue.other(context.resolve(parts), 'STAGE').options : catalogue.accountObjects.get(`${word} ${parts[0]}`);
    if (!kept) throw noSuchObject(word, shown(parts));
    return textRows(['property', 'property_value'], [...kept]);
  };
  return { typeId: TYPE_ID.select, run };
}

interface Filter {
  readonly like: RegExp | null;
  readonly scope: readonly string[];
}

/** `[LIKE '…'] [IN [ACCOUNT|DATABASE|SCHEMA|TABLE] name]` */
function filter(context: Context): Filter {
  const { cursor, session } = context;
  const like = cursor.takes('LIKE') ? likePattern(cursor.string()) : null;
  let scope: readonly string[] = session.database && session.schema ? [session.database, session.schema] : [];
  if (cursor.takes('IN')) {
    if (cursor.takes('ACCOUNT') || cursor.takes('SESSION')) scope = [];
    else {
      const word = cursor.takesOneOf('DATABASE', 'SCHEMA', 'TABLE', 'VIEW');
      const parts = cursor.qualifiedName();
      scope =
        word === 'DATABASE'
          ? parts
          : word === 'SCHEMA' && parts.length === 1
            ? [session.database ?? '', ...parts]
            : word === 'SCHEMA'
              ? parts
              : context.resolve(parts);
    }
  }
  cursor.expectEnd();
  return { like, scope };
}

const likePattern = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
      .replaceAll('%', '.*')
      .replaceAll('_', '.')}$`,
    'is',
  );

function listing(context: Context, kind: string): RowSet {
  const { catalogue, session, locks } = context;
  const { like, scope } = filter(context);
  const rows = (names: string[], all: WireValue[][], at = 0): RowSet =>
    textRows(
      names,
      all.filter((row) => !like || like.test(row[at] ?? '')),
    );
  const schemas = [...catalogue.databases].flatMap(([database, found]) => [...found.values()].map((schema) => ({ database, schema })));
  const inScope = schemas.filter(
    ({ database, schema }) => (scope[0] ?? database) === database && (scope[1] ?? schema.name) === schema.name,
  );
  switch (kind) {
    case 'TABLES':
    case 'VIEWS':
      return rows(
        ['name', 'database_name', 'schema_name', 'kind', 'comment', 'cluster_by', 'created_on'],
        inScope.flatMap(({ database, schema }) =>
          [...schema.relations.values()]
            .filter((relation) => relation.kind === kind.slice(0, -1))
            .map((relation) => [
              relation.name,
              database,
              schema.name,
              relation.kind === 'TABLE' && relation.isTransient ? 'TRANSIENT' : relation.kind,
              relation.comment ?? '',
              relation.kind === 'TABLE' && relation.clusterBy !== null ? `LINEAR(${relation.clusterBy})` : '',
              instant(relation.createdAt),
            ]),
        ),
      );
    case 'COLUMNS':
      return rows(
        ['column_name', 'table_name', 'schema_name', 'database_name', 'data_type', 'null?', 'comment'],
        inScope.flatMap(({ database, schema }) =>
          [...schema.relations.values()]
            .filter((relation) => (scope[2] ?? relation.name) === relation.name)
            .flatMap((relation) =>
              relation.columns.map((column) => [
                column.name,
                relation.name,
                schema.name,
                database,
                shownType(column.type),
                String(column.nullable),
                column.comment ?? '',
              ]),
            ),
        ),
      );
    case 'STAGES':
      return rows(
        ['name', 'database_name', 'schema_name', 'url', 'storage_integration'],
        inScope.flatMap(({ database, schema }) =>
          [...schema.others.values()]
            .filter((object) => object.kind === 'STAGE')
            .map((stage) => [
              stage.name,
              database,
              schema.name,
              stage.options.get('URL') ?? '',
              stage.options.get('STORAGE_INTEGRATION') ?? null,
            ]),
        ),
      );
    case 'SCHEMAS':
      return rows(
        ['name', 'database_name', 'options', 'comment'],
        schemas
          .filter(({ database }) => (scope[0] ?? database) === database)
          .map(({ database, schema }) => [schema.name, database, schema.isTransient ? 'TRANSIENT' : '', schema.comment ?? '']),
      );
    case 'DATABASES':
      return rows(
        ['name'],
        [...catalogue.databases.keys()].map((name) => [name]),
      );
    case 'ROLES':
      return rows(
        ['name'],
        [...catalogue.roles].map((name) => [name]),
      );
    case 'WAREHOUSES':
      return rows(
        ['name', 'state', 'size', 'auto_suspend', 'auto_resume'],
        [...catalogue.warehouses].map(([name, { suspended }]) => [name, suspended ? 'SUSPENDED' : 'STARTED', 'X-Small', '60', 'true']),
      );
    case 'INTEGRATIONS':
      return rows(
        ['name', 'type', 'enabled'],
        [...catalogue.accountObjects]
          .filter(([key]) => key.startsWith('INTEGRATION '))
          .map(([key, set]) => [key.slice('INTEGRATION '.length), set.get('TYPE') ?? '', set.get('ENABLED') ?? 'TRUE']),
      );
    case 'PARAMETERS':
      return rows(
        ['key', 'value'],
        session.wireParameters().map(({ name, value }) => [name, String(value)]),
      );
    default:
      return rows(
        ['resource', 'session', 'status'],
        locks.list().map(({ table, session: holder, status }) => [table, holder, status]),
      );
  }
}

/** `SHOW GRANTS [TO ROLE r | TO USER u | ON kind name | OF ROLE r]` */
function grants({ cursor, catalogue, session }: Context): RowSet {
  let wanted: (grant: Grant) => boolean = ({ grantee }) => grantee === session.user;
  if (cursor.takes('TO')) {
    cursor.takesOneOf('ROLE', 'USER');
    const to = cursor.identifier();
    wanted = ({ grantee }) => grantee === to;
  } else if (cursor.takes('OF', 'ROLE')) {
    const role = cursor.identifier();
    wanted = ({ on, name }) => on === 'ROLE' && name === role;
  } else if (cursor.takes('ON')) {
    const kind = cursor.identifier();
    const name = cursor.isAtEnd ? kind : shown(cursor.qualifiedName());
    wanted = (grant) => grant.name === name;
  }
  cursor.expectEnd();
  const rows = catalogue.grants
    .filter(wanted)
    .map(({ privilege, on, name, grantee, granteeKind }) => [privilege, on, on === 'ROLE' ? shownName(name) : name, granteeKind, grantee]);
  return textRows(['privilege', 'granted_on', 'name', 'granted_to', 'grantee_name'], rows);
}
