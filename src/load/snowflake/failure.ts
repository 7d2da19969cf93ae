import { isTidemarkError, messageOf, TidemarkError } from '../../errors.ts';

/** What Snowflake and its SDK say went wrong, in our words. Numbers are those of the service and of the pinned SDK. */

/** An error of the SDK, as far as it is looked at. */
interface SdkError extends Error {
  readonly code?: number | string;
  readonly sqlState?: string;
}

interface Known {
  readonly codes: readonly string[];
  readonly pattern?: RegExp;
  readonly code: 'WAREHOUSE' | 'WAREHOUSE_BUSY' | 'CONFIG';
  readonly say: (message: string) => string;
  readonly hint: string;
  readonly transient?: boolean;
}

const UNCHANGED = 'Nothing was changed: the open transaction was rolled back, what was committed before is there.';

/** Of the service itself, of whatever kind: it lets nobody in who says nothing right. */
const LOGIN: Known = {
  codes: ['390100', '390101', '390102', '390144', '390186', '390189', '390190', '394400'],
  pattern: /JWT token is invalid|Incorrect username or password|User .* locked/i,
  code: 'CONFIG',
  say: (message) => `Snowflake refuses the login: ${message}`,
  hint: "Nothing was changed. Check account, user and role, and that the user has this key's public half (`ALTER USER … SET RSA_PUBLIC_KEY`) or this workload identity; also this machine's clock.",
};

/** The first that fits: a suspended warehouse bears the number of a missing one. */
const KNOWN: readonly Known[] = [
  LOGIN,
  {
    codes: ['090073', '000609'],
    pattern: /warehouse .*(suspended|cannot be resumed|resource monitor)/i,
    code: 'WAREHOUSE_BUSY',
    say: (message) => `The warehouse is suspended: ${message}`,
    hint: `${UNCHANGED} Set AUTO_RESUME, resume it (ALTER WAREHOUSE … RESUME), or raise the quota of its resource monitor.`,
    transient: true,
  },
  {
    codes: ['000606', '000607'],
    pattern: /No active warehouse selected/i,
    code: 'WAREHOUSE',
    say: (message) => `There is no warehouse to run the statement: ${message}`,
    hint: `${UNCHANGED} Check warehouse.snowflake.warehouse, and grant it to the role: GRANT USAGE ON WAREHOUSE … TO ROLE ….`,
  },
  {
    codes: ['000625'],
    pattern: /has locked table|waiters for this lock/i,
    code: 'WAREHOUSE_BUSY',
    say: (message) => `A lock was not to be had in time: ${message}`,
    hint: `${UNCHANGED} Another loader is at work; the same again goes on when it is done. SHOW LOCKS tells who holds it.`,
    transient: true,
  },
  {
    codes: ['000630', '000604'],
    code: 'WAREHOUSE',
    say: (message) => `A statement took too long: ${message}`,
    hint: `${UNCHANGED} Raise warehouse.snowflake.statementTimeout, or take a larger warehouse for large batches.`,
    transient: true,
  },
  {
    codes: ['002003', '002043'],
    code: 'WAREHOUSE',
    say: (message) => `Something is not there, or not for this role: ${message}`,
    hint: `${UNCHANGED} Run \`tidemark warehouse migrate\`; then check the grants: USAGE on database and schema, and SELECT, INSERT, UPDATE on it.`,
  },
  {
    codes: ['003001', '003540'],
    pattern: /Insufficient privileges/i,
    code: 'WAREHOUSE',
    say: (message) => `The role may not do this: ${message}`,
    hint: `${UNCHANGED} Grant to the configured role what the message names; \`tidemark warehouse migrate --plan\` lists all of its grants.`,
  },
  {
    codes: ['100090', '100132'],
    code: 'WAREHOUSE',
    say: (message) => `The table has a key twice, or two tables meet in one row: ${message}`,
    hint: `${UNCHANGED} \`tidemark verify\` names such keys. With clusterBy, its field has changed for a key: name another, and replay under another name.`,
  },
  {
    codes: ['390104', '390111', '390112', '390114', '405503', '407001', '407002', '401004'],
    code: 'WAREHOUSE',
    say: (message) => `The session with Snowflake is gone: ${message}`,
    hint: 'Its open transaction was rolled back. The same again opens a new session.',
    transient: true,
  },
  {
    codes: ['401001', '401002', '401003', '402001', '402002'],
    code: 'WAREHOUSE',
    say: (message) => `Snowflake does not answer: ${message}`,
    hint: 'What became of the statement is looked up in the ledger before anything is done again. Check the network and status.snowflake.com.',
    transient: true,
  },
  {
    codes: [],
    pattern: /certificate|self[- ]signed|OCSP/i,
    code: 'CONFIG',
    say: (message) => `The address of Snowflake cannot be trusted: ${message}`,
    hint: 'Nothing was sent. Check warehouse.snowflake.url and the proxy in between.',
  },
];

const OTHER: Omit<Known, 'codes'> = {
  code: 'WAREHOUSE',
  say: (message) => `Snowflake refuses a statement: ${message}`,
  hint: UNCHANGED,
};

/** @param statement that failed, null for the login; its text goes into the error's data. */
export function snowflakeError(error: unknown, statement: { readonly sql: string; readonly queryId: string | null } | null): TidemarkError {
  if (isTidemarkError(error)) return error;
  const message = firstLine(messageOf(error));
  const code = codeOf(error);
  const isLogin = statement === null && /^39\d{4}$/.test(code);
  const known = isLogin ? LOGIN : (KNOWN.find((one) => one.codes.includes(code) || one.pattern?.test(message)) ?? OTHER);
  return new TidemarkError({
    code: known.code,
    message: known.say(message),
    hint: known.hint,
    transient: known.transient ?? false,
    data: { number: code, ...(statement ? { statement: statement.sql.slice(0, 300), queryId: statement.queryId } : {}) },
    cause: error,
  });
}

/** Six digits, as Snowflake's documentation writes them. */
export function codeOf(error: unknown): string {
  const { code } = (isTidemarkError(error) ? { code: error.data['number'] } : (error as SdkError)) as { code?: unknown };
  return typeof code === 'string' || typeof code === 'number' ? String(code).padStart(6, '0') : '';
}

/**
 * Whether the server itself answered that the statement failed: then it did nothing. All else leaves open what became of it, and the session
 * is not to be used again.
 */
export function isDefinite(error: unknown): boolean {
  const { name, sqlState } = error as SdkError;
  return name === 'OperationFailedError' && typeof sqlState === 'string' && !SESSION_CODES.has(codeOf(error));
}

const SESSION_CODES = new Set(['390104', '390111', '390112', '390114']);

/** Whether something of that name is there already: two made it at once. */
export const alreadyThere = (error: unknown): boolean => ['001430', '002002', '002023', '002028'].includes(codeOf(error));

/** Whether something is not there, or not for this role: Snowflake does not tell which. */
export const isRefused = (error: unknown): boolean => ['002003', '002043', '003001', '003540'].includes(codeOf(error));

const firstLine = (message: string): string => message.split('\n').slice(0, 2).join(' ').slice(0, 500);

/** Whether the server does not know the session any more: then the statement did nothing. */
export const isSessionGone = (error: unknown): boolean => SESSION_CODES.has(codeOf(error)) || codeOf(error) === '407002';

export const isWithoutWarehouse = (error: unknown): boolean => ['000606', '000607'].includes(codeOf(error));
