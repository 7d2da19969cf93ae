import { identifier } from '../../../sql.ts';
import { maskingStatements, type PersonalField } from './masking.ts';
import { type MigrationContext, objectSql, schemaSql, textSql } from './names.ts';
import { rowAccessStatements } from './row-access.ts';

/**
 * What the loader's role may not do and must not be able to undo: roles, grants, policies, the way into the bucket, limits on spending. An
 * administrator pastes it, in order, once and whenever the configuration names other personal fields; all of it can be repeated.
 */

export interface AdministratorContext extends MigrationContext {
  /** The loader's user; undefined where none is configured (workload identity). */
  readonly user: string | undefined;
  readonly warehouse: string;
  readonly statementTimeoutSeconds: number;
  readonly personal: readonly PersonalField[];
  /** Streams whose rows end with their retention. */
  readonly streams: readonly StreamRetention[];
}

export interface StreamRetention {
  /** The table: `PAYMENTS__ROWS`. */
  readonly table: string;
  /** Its column of the version time. */
  readonly timeColumn: string;
}

export interface Section {
  readonly title: string;
  /** The role that runs it. */
  readonly role: 'ACCOUNTADMIN' | 'SYSADMIN' | 'USERADMIN' | 'SECURITYADMIN';
  /** Loading works without it. */
  readonly optional: boolean;
  readonly statements: readonly string[];
}

/** Seconds without work after which the warehouse sleeps: it bills a minute for each resume anyway, and idle seconds after that. */
export const AUTO_SUSPEND_SECONDS = 30;
const QUEUED_TIMEOUT_SECONDS = 300;
/** docs/SNOWFLAKE.md shows what the cost model comes to; a monitor that never suspends would only watch. */
export const DAILY_CREDITS = 10;
const RETENTION_YEARS = 7;

export function administratorSections(context: AdministratorContext): readonly Section[] {
  return [
    section('Warehouse, database and schema', 'SYSADMIN', [...warehouse(context), ...places(context)]),
    section("Roles and the loader's user", 'USERADMIN', [...roles(context), ...user(context)]),
    section('The way into the bucket', 'ACCOUNTADMIN', integration(context)),
    section('What each role may', 'SECURITYADMIN', grants(context)),
    section('Personal fields are masked', 'ACCOUNTADMIN', maskingStatements(context, context.personal)),
    section('Rows of a sandbox are not shown to readers', 'ACCOUNTADMIN', rowAccessStatements(context)),
    optional('A limit on spending', 'ACCOUNTADMIN', resourceMonitor(context)),
    optional('Only from known addresses', 'ACCOUNTADMIN', networkPolicy(context)),
    optional('Time Travel of a week for curated rows (Enterprise Edition)', 'SYSADMIN', [
      `ALTER SCHEMA ${schemaSql(context)} SET DATA_RETENTION_TIME_IN_DAYS = 7`,
    ]),
    optional(
      `Rows end after ${RETENTION_YEARS} years, and nothing else ever deletes any; once the tables are there`,
      'ACCOUNTADMIN',
      retention(context),
    ),
  ].filter(({ statements }) => statements.length > 0);
}

const section = (title: string, role: Section['role'], statements: readonly string[]): Section => ({
  title,
  role,
  optional: false,
  statements,
});
const optional = (title: string, role: Section['role'], statements: readonly string[]): Section => ({
  title,
  role,
  optional: true,
  statements,
});

/** Created, and set again but for its size, so that one that was there is as the cost model assumes. */
function warehouse({ warehouse: name, statementTimeoutSeconds }: AdministratorContext): readonly string[] {
  const settings = `AUTO_SUSPEND = ${AUTO_SUSPEND_SECONDS} AUTO_RESUME = TRUE
STATEMENT_TIMEOUT_IN_SECONDS = ${statementTimeoutSeconds} STATEMENT_QUEUED_TIMEOUT_IN_SECONDS = ${QUEUED_TIMEOUT_SECONDS}
COMMENT = 'Loads of Tidemark, and nothing else: what others run here keeps it awake'`;
  return [
    `CREATE WAREHOUSE IF NOT EXISTS ${identifier(name)} WAREHOUSE_SIZE = XSMALL INITIALLY_SUSPENDED = TRUE ${settings}`,
    `ALTER WAREHOUSE ${identifier(name)} SET ${settings}`,
  ];
}

/** In a schema with managed access, only its owner grants: the loader owns tables and cannot hand them on. */
const places = (context: AdministratorContext): readonly string[] => [
  `CREATE DATABASE IF NOT EXISTS ${identifier(context.database)}`,
  `CREATE SCHEMA IF NOT EXISTS ${schemaSql(context)} WITH MANAGED ACCESS DATA_RETENTION_TIME_IN_DAYS = 1
COMMENT = 'Curated tables, kept by Tidemark'`,
];

function roles({ roles: { loader, reader, auditor } }: AdministratorContext): readonly string[] {
  const about = [
    [loader, 'Loads; sees every row and every field'],
    [reader, 'Reads the views: production rows, personal fields masked'],
    [auditor, 'Reads views and tables: rows of every environment, personal fields masked'],
  ] as const;
  return about.map(([role, comment]) => `CREATE ROLE IF NOT EXISTS ${identifier(role)} COMMENT = ${textSql(comment)}`);
}

function user({ user: name, warehouse: home, roles: { loader } }: AdministratorContext): readonly string[] {
  if (name === undefined) return [];
  return [
    `CREATE USER IF NOT EXISTS ${identifier(name)} TYPE = SERVICE DEFAULT_ROLE = ${textSql(loader)} DEFAULT_WAREHOUSE = ${textSql(home)}
COMMENT = 'Tidemark; signs in by key pair or workload identity'`,
    `GRANT ROLE ${identifier(loader)} TO USER ${identifier(name)}`,
    `ALTER USER ${identifier(name)} SET RSA_PUBLIC_KEY = '<the public key, without its first and last line>'`,
  ];
}

function integration({ storageIntegration, stageUrl, roles: { loader } }: AdministratorContext): readonly string[] {
  if (storageIntegration === undefined) return [];
  const name = identifier(storageIntegration);
  return [
    `CREATE STORAGE INTEGRATION IF NOT EXISTS ${name} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE
STORAGE_AWS_ROLE_ARN = '<the IAM role that may read the prefix>' STORAGE_ALLOWED_LOCATIONS = (${textSql(stageUrl)})
COMMENT = 'Reads the files of batches; writes nothing'`,
    `GRANT USAGE ON INTEGRATION ${name} TO ROLE ${identifier(loader)}`,
    `DESCRIBE INTEGRATION ${name}`,
  ];
}

/** The reader gets views alone, so that whatever is not shown cannot be read; the auditor also what Tidemark says of itself. */
function grants(context: AdministratorContext): readonly string[] {
  const [schema, database] = [schemaSql(context), identifier(context.database)];
  const [loader, reader, auditor] = [context.roles.loader, context.roles.reader, context.roles.auditor].map(identifier);
  const reads = (kind: 'VIEWS' | 'TABLES', role: string | undefined): readonly string[] => [
    `GRANT SELECT ON ALL ${kind} IN SCHEMA ${schema} TO ROLE ${role}`,
    `GRANT SELECT ON FUTURE ${kind} IN SCHEMA ${schema} TO ROLE ${role}`,
  ];
  return [
    `GRANT USAGE ON WAREHOUSE ${identifier(context.warehouse)} TO ROLE ${loader}`,
    ...[loader, reader, auditor].flatMap((role) => [
      `GRANT USAGE ON DATABASE ${database} TO ROLE ${role}`,
      `GRANT USAGE ON SCHEMA ${schema} TO ROLE ${role}`,
    ]),
    `GRANT CREATE SCHEMA ON DATABASE ${database} TO ROLE ${loader}`,
    `GRANT CREATE TABLE, CREATE VIEW, CREATE STAGE, CREATE FILE FORMAT ON SCHEMA ${schema} TO ROLE ${loader}`,
    ...reads('VIEWS', reader),
    ...reads('VIEWS', auditor),
    ...reads('TABLES', auditor),
  ];
}

const monitorName = ({ warehouse: name }: AdministratorContext): string => identifier(`${name}_DAILY`);

const resourceMonitor = (context: AdministratorContext): readonly string[] => [
  `CREATE RESOURCE MONITOR IF NOT EXISTS ${monitorName(context)} WITH CREDIT_QUOTA = ${DAILY_CREDITS} FREQUENCY = DAILY
START_TIMESTAMP = IMMEDIATELY TRIGGERS ON 80 PERCENT DO NOTIFY ON 100 PERCENT DO NOTIFY ON 300 PERCENT DO SUSPEND`,
  `ALTER WAREHOUSE ${identifier(context.warehouse)} SET RESOURCE_MONITOR = ${monitorName(context)}`,
];

function networkPolicy({ user: name, roles: { loader } }: AdministratorContext): readonly string[] {
  if (name === undefined) return [];
  const policy = identifier(`${loader}_NETWORK`);
  return [
    `CREATE NETWORK POLICY IF NOT EXISTS ${policy} ALLOWED_IP_LIST = ('<address of the NAT gateway>/32')`,
    `ALTER USER ${identifier(name)} SET NETWORK_POLICY = ${policy}`,
  ];
}

/**
 * A task a table, which works as the loader: no policy hides a row from it. By cluster date whole micro-partitions go without being read; by
 * version time, nothing goes that was updated since. What was deleted is noted in the audit.
 */
function retention(context: AdministratorContext): readonly string[] {
  const loader = identifier(context.roles.loader);
  const tasks = context.streams.flatMap(({ table, timeColumn }) => {
    const before = `DATEADD(YEAR, -${RETENTION_YEARS}, CURRENT_DATE())`;
    const task = objectSql(context, `${table}_RETENTION`);
    return [
      `CREATE TASK IF NOT EXISTS ${task} WAREHOUSE = ${identifier(context.warehouse)} SCHEDULE = 'USING CRON 0 3 1 * * UTC' AS
BEGIN
  DELETE FROM ${objectSql(context, table)} WHERE "_CLUSTER_DATE" < ${before} AND ${identifier(timeColumn)} < ${before};
  INSERT INTO ${objectSql(context, 'TIDEMARK_AUDIT')} ("HAPPENED_AT", "STREAM", "ACTION", "QUERY_ID", "DETAIL")
    SELECT CURRENT_TIMESTAMP(), ${textSql(table)}, 'retention', LAST_QUERY_ID(), '{"years":${RETENTION_YEARS}}';
END`,
      `GRANT OWNERSHIP ON TASK ${task} TO ROLE ${loader} COPY CURRENT GRANTS`,
      `GRANT OPERATE ON TASK ${task} TO ROLE SYSADMIN`,
      `ALTER TASK ${task} RESUME`,
    ];
  });
  return tasks.length === 0 ? [] : [`GRANT EXECUTE TASK ON ACCOUNT TO ROLE ${loader}`, ...tasks];
}

/** As text to paste: each section under its title and role. */
export function administratorScript(sections: readonly Section[]): string {
  const blocks = sections.map(({ title, role, optional: may, statements }) =>
    [`-- ${title}${may ? ' (optional)' : ''}`, `USE ROLE ${role};`, ...statements.map((statement) => `${statement};`)].join('\n'),
  );
  return blocks.join('\n\n');
}
