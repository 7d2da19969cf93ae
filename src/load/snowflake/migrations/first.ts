import { identifier } from '../../../sql.ts';
import type { Migration } from './migration.ts';
import { FILE_FORMAT, type MigrationContext, objectSql, STAGE, stagingSchemaSql, textSql } from './names.ts';
import { createTable, TABLES } from './tables.ts';

/** The tables, the schema of staging tables, and the way to the store's bucket. Database and schema are there: an administrator makes them. */
export const FIRST: Migration = {
  version: 1,
  name: 'tables, staging and stage',
  statements: (context) => [
    ...TABLES.map((table) => createTable(context, table)),
    createStagingSchema(context),
    createFileFormat(context),
    createStage(context),
  ],
};

/** Without Time Travel or Fail-safe: what is staged can be staged again. */
const createStagingSchema = (context: MigrationContext): string =>
  `CREATE TRANSIENT SCHEMA IF NOT EXISTS ${stagingSchemaSql(context)} DATA_RETENTION_TIME_IN_DAYS = 0
COMMENT = 'Staging tables of loads that are under way; whatever is older than a load can be dropped'`;

/** NULL_IF is empty, since a text \N is a text; logical types, so that times and decimals come as what they are. */
const createFileFormat = (context: MigrationContext): string =>
  `CREATE FILE FORMAT IF NOT EXISTS ${objectSql(context, FILE_FORMAT)}
TYPE = PARQUET USE_LOGICAL_TYPE = TRUE USE_VECTORIZED_SCANNER = TRUE BINARY_AS_TEXT = FALSE TRIM_SPACE = FALSE
REPLACE_INVALID_CHARACTERS = FALSE NULL_IF = () COMMENT = 'Files of batches'`;

function createStage(context: MigrationContext): string {
  const { storageIntegration, stageUrl } = context;
  const integration = storageIntegration === undefined ? '' : ` STORAGE_INTEGRATION = ${identifier(storageIntegration)}`;
  return `CREATE STAGE IF NOT EXISTS ${objectSql(context, STAGE)}
URL = ${textSql(stageUrl)}${integration} FILE_FORMAT = (FORMAT_NAME = ${textSql(objectSql(context, FILE_FORMAT))})
COMMENT = 'The bucket and prefix of the store'`;
}
