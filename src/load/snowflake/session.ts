import type { Connection, RowStatement, SnowflakeError } from 'snowflake-sdk';
import type { Clock } from '../../clock.ts';
import { TidemarkError } from '../../errors.ts';
import type { SnowflakeConfig } from '../../stream.ts';
import { Overdue, told, within } from './deadline.ts';
import { isDefinite, snowflakeError } from './failure.ts';
import { loginOf } from './login.ts';
import { sessionParameters } from './parameters.ts';

/** A row by its columns' names. Every value is text as Snowflake writes it, so that no digit goes through a double. */
export type SnowflakeRow = Readonly<Record<string, string | null>>;

/**
 * One session, one statement at a time. Every statement ends within the deadline; where its outcome is not known then, the session is lost:
 * it must be closed, and what it was about be looked up in another one.
 */
export interface SnowflakeSession {
  /** For every statement from now on. */
  tag: Readonly<Record<string, string>>;
  /** Of the last statement that was answered. */
  readonly queryId: string | null;
  /** Whether the outcome of a statement is unknown, or the session is not to be used for other reasons: then it must be closed. */
  isLost: boolean;
  /** @param binds for the `?` in it. @returns rows inserted, updated or deleted, by the words of Snowflake's answer. */
  run(sql: string, binds?: readonly (string | null)[]): Promise<RowsChanged>;
  /** @param requestId in place of one of its own: under the id of an earlier statement, the service answers for that one. */
  rows(sql: string, binds?: readonly (string | null)[], requestId?: string): Promise<readonly SnowflakeRow[]>;
  /** The deadline is that of the first row. */
  stream(sql: string, binds?: readonly (string | null)[]): AsyncIterable<SnowflakeRow>;
  /** The same with the columns' types, for whatever somebody asks. */
  table(sql: string): Promise<{ readonly columns: readonly ColumnInfo[]; readonly rows: readonly SnowflakeRow[] }>;
  /** Logs off, which rolls an open transaction back. Never fails. */
  close(): Promise<void>;
}

export interface RowsChanged {
  readonly inserted: number;
  readonly updated: number;
}

export interface ColumnInfo {
  readonly name: string;
  /** In lower case: fixed, real, text, boolean, date, timestamp_ltz, variant, … */
  readonly type: string;
  readonly scale: number;
}

export type OpenSession = (config: SnowflakeConfig, clock: Clock) => Promise<SnowflakeSession>;

/** Longest wait for what is asked of the service itself: to log in, to log off, to cancel. */
const SERVICE_MS = 60_000;
/** The server ends a statement at its own timeout and says so; only where it says nothing does ours come. */
const GRACE_MS = 30_000;
/** One answer of the server: it says at least every 45 seconds that a statement goes on. */
const ANSWER_MS = 120_000;

type Sdk = typeof import('snowflake-sdk');
let loaded: Promise<Sdk> | undefined;

/** The one place that knows the SDK: it takes most of a second to load, and looks around on the machine unless it is told not to. */
// oxlint-disable-next-line require-await -- one import, however many ask
async function loadSdk(): Promise<Sdk> {
  loaded ??= (async () => {
    Object.assign(process.env, { SNOWFLAKE_DISABLE_PLATFORM_DETECTION: 'true', SF_TELEMETRY_DISABLE_CONNECTION_SHAPE: 'true' });
    const imported = await import('snowflake-sdk').catch((cause: unknown) => {
      const hint = 'Nothing was begun. Install it: npm install snowflake-sdk@3.3.0';
      throw new TidemarkError({ code: 'CONFIG', message: 'The package snowflake-sdk is not installed', hint, cause });
    });
    // Its types are those of a module with named exports; it is CommonJS.
    const { default: sdk } = imported as unknown as { readonly default: Sdk };
    const silent = (): void => undefined;
    const customLogger = { error: silent, warn: silent, info: silent, debug: silent, trace: silent };
    sdk.configure({ logLevel: 'OFF', additionalLogToConsole: false, customLogger });
    return sdk;
  })();
  return loaded;
}

/** Logs in. @throws CONFIG where the login is refused; WAREHOUSE (transient) where nobody answers. */
export const openSession: OpenSession = async (config, clock) => {
  const sdk = await loadSdk();
  const connection = sdk.createConnection({
    account: config.account,
    ...(config.url === undefined ? {} : { accessUrl: config.url }),
    ...loginOf(config),
    role: config.role,
    warehouse: config.warehouse,
    database: config.database,
    schema: config.schema,
    application: 'Tidemark',
    fetchAsString: ['Number', 'Date', 'Boolean', 'JSON', 'Buffer'],
    representNullAsStringNull: false,
    timeout: ANSWER_MS,
    sfRetryMaxLoginRetries: 1,
    clientStoreTemporaryCredential: false,
  });
  const session = new SdkSession(connection, clock, config);
  await session.begin();
  return session;
};

class SdkSession implements SnowflakeSession {
  tag: Readonly<Record<string, string>> = {};
  queryId: string | null = null;
  isLost = false;
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #config: SnowflakeConfig;

  constructor(connection: Connection, clock: Clock, config: SnowflakeConfig) {
    this.#connection = connection;
    this.#clock = clock;
    this.#config = config;
  }

  async begin(): Promise<void> {
    const login = new Promise<void>((resolve, reject) => {
      this.#connection.connect((error) => (error ? reject(error) : resolve()));
    });
    try {
      await within(this.#clock, SERVICE_MS, login, 'The login');
      await this.run(sessionParameters(this.#config));
    } catch (error) {
      await this.close();
      throw snowflakeError(told(error), null);
    }
  }

  async run(sql: string, binds: readonly (string | null)[] = []): Promise<RowsChanged> {
    const [row = {}] = await this.rows(sql, binds);
    const count = (name: string): number => Number(row[name] ?? 0);
    return { inserted: count('number of rows inserted'), updated: count('number of rows updated') };
  }

  async rows(sql: string, binds: readonly (string | null)[] = [], requestId?: string): Promise<readonly SnowflakeRow[]> {
    const statement = await this.#execute(sql, binds, requestId);
    return this.#collect(sql, statement);
  }

  async *stream(sql: string, binds: readonly (string | null)[] = []): AsyncIterable<SnowflakeRow> {
    const statement = await this.#execute(sql, binds);
    try {
      for await (const row of statement.streamRows()) yield row as SnowflakeRow;
    } catch (error) {
      this.isLost = true;
      throw snowflakeError(error, { sql, queryId: this.queryId });
    }
  }

  async table(sql: string): Promise<{ columns: readonly ColumnInfo[]; rows: readonly SnowflakeRow[] }> {
    const statement = await this.#execute(sql, []);
    const columns = (statement.getColumns() ?? []).map((column) => ({
      name: column.getName(),
      type: column.getType().toLowerCase(),
      scale: column.getScale(),
    }));
    return { columns, rows: await this.#collect(sql, statement) };
  }

  async close(): Promise<void> {
    this.isLost = true;
    const off = new Promise<void>((resolve) => {
      this.#connection.destroy(() => resolve());
    });
    await within(this.#clock, SERVICE_MS, off, 'The end of the session').catch(() => undefined);
  }

  /**
   * The SDK sends a statement again that was not answered, with the id that it had, by which the server knows it: it is done once. Rows are
   * streamed, since for others it would even do so after it has told of the failure.
   */
  async #execute(sql: string, binds: readonly (string | null)[], requestId?: string): Promise<RowStatement> {
    let sent: RowStatement | undefined;
    const answer = new Promise<RowStatement>((resolve, reject) => {
      const complete = (error: SnowflakeError | undefined, done: unknown): void => (error ? reject(error) : resolve(done as RowStatement));
      const parameters = { QUERY_TAG: JSON.stringify({ app: 'tidemark', ...this.tag }) };
      const options = {
        sqlText: sql,
        parameters,
        streamResult: true,
        complete,
        ...(binds.length > 0 ? { binds } : {}),
        ...(requestId ? { requestId } : {}),
      };
      sent = this.#connection.execute(options);
    });
    try {
      const statement = await within(this.#clock, this.#deadlineMs, answer, 'The statement');
      this.queryId = statement.getQueryId() ?? null;
      return statement;
    } catch (error) {
      if (!isDefinite(error)) this.isLost = true;
      if (error instanceof Overdue) await this.#cancel(sent);
      throw snowflakeError(told(error), { sql, queryId: sent?.getQueryId() ?? null });
    }
  }

  async #collect(sql: string, statement: RowStatement): Promise<readonly SnowflakeRow[]> {
    const rows: SnowflakeRow[] = [];
    const all = (async () => {
      for await (const row of statement.streamRows()) rows.push(row as SnowflakeRow);
    })();
    try {
      await within(this.#clock, this.#deadlineMs, all, 'The answer of a statement');
      return rows;
    } catch (error) {
      this.isLost = true;
      throw snowflakeError(told(error), { sql, queryId: this.queryId });
    }
  }

  get #deadlineMs(): number {
    return this.#config.statementTimeout / 1000 + GRACE_MS;
  }

  /** What was sent may still be done; it does not go on for longer than it must. */
  async #cancel(statement: RowStatement | undefined): Promise<void> {
    const cancelled = new Promise<void>((resolve) => {
      if (statement) statement.cancel(() => resolve());
      else resolve();
    });
    await within(this.#clock, SERVICE_MS, cancelled, 'The cancellation').catch(() => undefined);
  }
}
