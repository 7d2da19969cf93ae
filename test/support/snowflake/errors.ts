/** An answer that the service would give instead of a result: its code, SQL state and words. */
export class SnowflakeError extends Error {
  readonly code: string;
  readonly sqlState: string;

  constructor(code: string, sqlState: string, message: string) {
    super(message);
    this.name = 'SnowflakeError';
    this.code = code;
    this.sqlState = sqlState;
  }
}

const compilation = (code: string, sqlState: string, what: string): SnowflakeError =>
  new SnowflakeError(code, sqlState, `SQL compilation error:\n${what}`);

export const syntaxError = (near: string, position: number, sql: string): SnowflakeError =>
  compilation('001003', '42000', `syntax error line 1 at position ${position} unexpected '${near}'. Statement: ${excerpt(sql)}`);

/** Valid on the service perhaps, but nothing that this server knows: a test that depends on it must not pass by accident. */
export const unsupported = (what: string): SnowflakeError =>
  compilation('000002', '0A000', `Unsupported feature '${excerpt(what)}' (this server does not know it).`);

export const noSuchObject = (kind: string, name: string): SnowflakeError =>
  compilation(
    kind === 'Database' || kind === 'Schema' ? '002043' : '002003',
    '42S02',
    `${kind} '${name}' does not exist or not authorized.`,
  );

export const alreadyExists = (name: string): SnowflakeError => compilation('002002', '42710', `Object '${name}' already exists.`);

export const invalidIdentifier = (name: string): SnowflakeError =>
  new SnowflakeError('000904', '42000', `SQL compilation error: error line 1 at position 0\ninvalid identifier '${name}'`);

export const unknownFunction = (name: string): SnowflakeError => compilation('002140', '42601', `Unknown function ${name}`);

export const cannotChangeType = (column: string, from: string, to: string): SnowflakeError =>
  compilation('002108', '22000', `cannot change column ${column} from type ${from} to ${to}`);

export const duplicateRow = (values: string): SnowflakeError =>
  new SnowflakeError('100090', '42P18', `Duplicate row detected during DML action\nRow Values: [${values}]`);

export const canceled = (): SnowflakeError => new SnowflakeError('000604', '57014', 'SQL execution canceled');

export const timedOut = (seconds: number): SnowflakeError =>
  new SnowflakeError('000630', '57014', `Statement reached its statement or warehouse timeout of ${seconds} second(s) and was canceled.`);

export const lockTimedOut = (table: string, transaction: string): SnowflakeError =>
  new SnowflakeError(
    '000625',
    '57014',
    `Statement has locked table '${table}' in transaction ${transaction} and this lock has not yet been released.\nYour statement was aborted because it waited for the lock longer than LOCK_TIMEOUT.`,
  );

export const deadlocked = (table: string): SnowflakeError =>
  new SnowflakeError('000625', '57014', `Statement was aborted: it waits for a lock on table '${table}' in a deadlock.`);

export const warehouseSuspended = (name: string): SnowflakeError =>
  new SnowflakeError('000606', '57P03', `Cannot perform operation. Warehouse '${name}' is suspended and cannot be resumed.`);

export const noWarehouse = (): SnowflakeError =>
  new SnowflakeError(
    '000606',
    '57P03',
    "No active warehouse selected in the current session.  Select an active warehouse with the 'use warehouse' command.",
  );

export const fileNotFound = (url: string): SnowflakeError =>
  new SnowflakeError(
    '091016',
    '22000',
    `Remote file '${url}' was not found. There are several potential causes. The file might not exist. The required credentials may be missing or invalid.`,
  );

export const excerpt = (sql: string): string => {
  const line = sql.replaceAll(/\s+/g, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
};
