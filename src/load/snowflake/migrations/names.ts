import { TidemarkError } from '../../../errors.ts';
import { identifier } from '../../../sql.ts';
import type { StoreConfig, WarehouseConfig } from '../../../stream.ts';

/** What the statements of migrations are made of; all names are quoted, so that they are what the configuration says. */

export interface Roles {
  /** The configured role: writes everything, sees everything. */
  readonly loader: string;
  /** Finance and analysts: the views, production rows, personal fields masked. */
  readonly reader: string;
  /** The views and Tidemark's own tables, rows of every environment, personal fields masked. */
  readonly auditor: string;
}

export interface MigrationContext {
  readonly database: string;
  readonly schema: string;
  /** Of the store's bucket and prefix, ending in a slash: `s3://bucket/prefix/`. */
  readonly stageUrl: string;
  /** Undefined where the stage needs none: a bucket of a test. */
  readonly storageIntegration: string | undefined;
  readonly roles: Roles;
}

/** Where the objects are. */
export type Place = Pick<MigrationContext, 'database' | 'schema'>;

export const schemaSql = ({ database, schema }: Place): string => `${identifier(database)}.${identifier(schema)}`;
export const stagingSchemaSql = ({ database, schema }: Place): string => `${identifier(database)}.${identifier(`${schema}_STAGING`)}`;
/** An object of the schema, by the name that it has there. */
export const objectSql = (place: Place, name: string): string => `${schemaSql(place)}.${identifier(name)}`;

/** A text as Snowflake reads it: a backslash escapes there. */
export const textSql = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

export const STAGE = 'TIDEMARK_STAGE';
export const FILE_FORMAT = 'TIDEMARK_PARQUET';
export const MIGRATIONS_TABLE = 'TIDEMARK_MIGRATIONS';

const LOADER_SUFFIX = /_LOADER$/;

/** The reader's and the auditor's roles stand beside the loader's: TIDEMARK_LOADER, TIDEMARK_READER, TIDEMARK_AUDITOR. */
function rolesOf(loader: string): Roles {
  const prefix = loader.replace(LOADER_SUFFIX, '');
  return { loader, reader: `${prefix}_READER`, auditor: `${prefix}_AUDITOR` };
}

/** A configured name as Snowflake keeps it: in capitals, unless it needs quotes. */
export const keptName = (name: string): string => (/^[A-Za-z_][A-Za-z0-9_$]*$/.test(name) ? name.toUpperCase() : name);

type Snowflake = Extract<WarehouseConfig, { kind: 'snowflake' }>;

/** @throws CONFIG where the store is no bucket: a stage reads one. */
export function migrationContext(warehouse: Snowflake, store: StoreConfig): MigrationContext {
  const { database, schema, role, storageIntegration } = warehouse;
  return {
    database: keptName(database),
    schema: keptName(schema),
    stageUrl: stageUrlOf(store),
    storageIntegration: storageIntegration === undefined ? undefined : keptName(storageIntegration),
    roles: rolesOf(keptName(role)),
  };
}

function stageUrlOf(store: StoreConfig): string {
  if (store.kind === 's3') return `s3://${store.bucket}/${store.prefix === '' ? '' : `${store.prefix}/`}`;
  throw new TidemarkError({
    code: 'CONFIG',
    message: 'A Snowflake warehouse reads the files of batches from a bucket; the store is a folder',
    hint: 'Nothing was changed. Write store: s3://BUCKET/PREFIX, or name a DuckDB warehouse.',
  });
}
