import { identifier } from '../../../sql.ts';
import { type MigrationContext, objectSql, textSql } from './names.ts';

/** Rows of a sandbox are no business of finance: the loader and the auditor see every environment, all others production alone. */

export const ROW_ACCESS_POLICY = 'TIDEMARK_ENVIRONMENT';
/** What records, or the configuration, call the environment that readers see. */
export const PRODUCTION = 'prod';

/** Idempotent; to be run by an administrator. */
export function rowAccessStatements(context: MigrationContext): readonly string[] {
  const policy = objectSql(context, ROW_ACCESS_POLICY);
  const { loader, auditor } = context.roles;
  const sees = [loader, auditor].map((role) => `IS_ROLE_IN_SESSION(${textSql(role)})`).join(' OR ');
  const body = `ENVIRONMENT = ${textSql(PRODUCTION)} OR ${sees}`;
  return [
    `CREATE ROW ACCESS POLICY IF NOT EXISTS ${policy} AS (ENVIRONMENT VARCHAR) RETURNS BOOLEAN -> ${body}`,
    `ALTER ROW ACCESS POLICY ${policy} SET BODY -> ${body}`,
    `GRANT APPLY ON ROW ACCESS POLICY ${policy} TO ROLE ${identifier(loader)}`,
  ];
}
