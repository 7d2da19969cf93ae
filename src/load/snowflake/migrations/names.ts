import { identifier } from '../../../sql.ts';

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

type Place = Pick<MigrationContext, 'database' | 'schema'>;

export const schemaSql = ({ database, schema }: Place): string => `${identifier(database)}.${identifier(schema)}`;
export const stagingSchemaSql = ({ database, schema }: Place): string => `${identifier(database)}.${identifier(`${schema}_STAGING`)}`;
/** An object of the schema, by the name that it has there. */
export const objectSql = (place: Place, name: string): string => `${schemaSql(place)}.${identifier(name)}`;

/** A text as Snowflake reads it: a backslash escapes there. */
export const textSql = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

export const STAGE = 'TIDEMARK_STAGE';
export const FILE_FORMAT = 'TIDEMARK_PARQUET';
export const MIGRATIONS_TABLE = 'TIDEMARK_MIGRATIONS';

const LOADER_SUFFIX = /_LOADER$/i;

/** The reader's and the auditor's roles stand beside the loader's: TIDEMARK_LOADER, TIDEMARK_READER, TIDEMARK_AUDITOR. */
export function rolesOf(loader: string): Roles {
  const prefix = loader.replace(LOADER_SUFFIX, '');
  return { loader, reader: `${prefix}_READER`, auditor: `${prefix}_AUDITOR` };
}
