import type { SnowflakeConfig } from '../../stream.ts';
import { textSql } from './names.ts';

const TIMESTAMP_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS.FF6TZH:TZM';

/** What the statements rely on, whatever the account or the user sets. */
export function sessionParameters({ statementTimeout, lockTimeout }: SnowflakeConfig): string {
  const seconds = (micros: number): number => Math.max(1, Math.ceil(micros / 1_000_000));
  const parameters = {
    TIMEZONE: textSql('UTC'),
    DATE_INPUT_FORMAT: textSql('AUTO'),
    TIMESTAMP_INPUT_FORMAT: textSql('AUTO'),
    QUOTED_IDENTIFIERS_IGNORE_CASE: 'FALSE',
    // Keys are what they are, byte for byte.
    DEFAULT_DDL_COLLATION: textSql(''),
    AUTOCOMMIT: 'TRUE',
    MULTI_STATEMENT_COUNT: 1,
    ROWS_PER_RESULTSET: 0,
    STATEMENT_TIMEOUT_IN_SECONDS: seconds(statementTimeout),
    LOCK_TIMEOUT: seconds(lockTimeout),
    JSON_INDENT: 0,
    ABORT_DETACHED_QUERY: 'TRUE',
    ERROR_ON_NONDETERMINISTIC_MERGE: 'TRUE',
    TIMESTAMP_OUTPUT_FORMAT: textSql(TIMESTAMP_FORMAT),
    TIMESTAMP_LTZ_OUTPUT_FORMAT: textSql(TIMESTAMP_FORMAT),
  };
  return `ALTER SESSION SET ${Object.entries(parameters)
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ')}`;
}
