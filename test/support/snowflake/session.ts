import { SnowflakeError } from './errors.ts';
import { shownName } from './names.ts';

/** As an account has them that nobody has changed, as far as this server knows them. */
const DEFAULTS: Readonly<Record<string, string>> = {
  ABORT_DETACHED_QUERY: 'false',
  AUTOCOMMIT: 'true',
  BINARY_OUTPUT_FORMAT: 'HEX',
  CLIENT_RESULT_CHUNK_SIZE: '160',
  CLIENT_PREFETCH_THREADS: '4',
  CLIENT_SESSION_KEEP_ALIVE: 'false',
  CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY: '3600',
  CLIENT_TELEMETRY_ENABLED: 'true',
  DATE_INPUT_FORMAT: 'AUTO',
  DATE_OUTPUT_FORMAT: 'YYYY-MM-DD',
  DEFAULT_DDL_COLLATION: '',
  ERROR_ON_NONDETERMINISTIC_MERGE: 'true',
  ERROR_ON_NONDETERMINISTIC_UPDATE: 'false',
  GCS_USE_DOWNSCOPED_CREDENTIAL: 'false',
  JSON_INDENT: '2',
  JS_TREAT_INTEGER_AS_BIGINT: 'false',
  LOCK_TIMEOUT: '43200',
  MULTI_STATEMENT_COUNT: '1',
  QUERY_CONTEXT_CACHE_SIZE: '5',
  QUERY_TAG: '',
  QUOTED_IDENTIFIERS_IGNORE_CASE: 'false',
  ROWS_PER_RESULTSET: '0',
  STATEMENT_QUEUED_TIMEOUT_IN_SECONDS: '0',
  STATEMENT_TIMEOUT_IN_SECONDS: '172800',
  STRICT_JSON_OUTPUT: 'false',
  TIMESTAMP_INPUT_FORMAT: 'AUTO',
  TIMESTAMP_LTZ_OUTPUT_FORMAT: '',
  TIMESTAMP_NTZ_OUTPUT_FORMAT: 'YYYY-MM-DD HH24:MI:SS.FF3',
  TIMESTAMP_OUTPUT_FORMAT: 'YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM',
  TIMESTAMP_TYPE_MAPPING: 'TIMESTAMP_NTZ',
  TIMESTAMP_TZ_OUTPUT_FORMAT: '',
  TIME_OUTPUT_FORMAT: 'HH24:MI:SS',
  TIMEZONE: 'America/Los_Angeles',
  TRANSACTION_ABORT_ON_ERROR: 'false',
  USE_CACHED_RESULT: 'true',
  WEEK_START: '0',
};

/** A write of an open transaction: DuckDB's SQL, and how many rows it changed when it ran. */
export interface JournalEntry {
  readonly sql: string;
  readonly changed: number;
}

export interface Transaction {
  readonly id: string;
  readonly journal: JournalEntry[];
  /** Done when it commits: what is no row, such as COPY's load history. */
  readonly afterCommit: (() => void)[];
}

/** One login: its tokens, where it stands, its parameters, and its open transaction. */
export class Session {
  readonly id: string;
  readonly user: string;
  readonly masterToken: string;
  token: string;
  isTokenExpired = false;
  isMasterExpired = false;
  isGone = false;
  /** Sees everything, whatever policies say: for what a test asks beside all sessions. */
  isExempt = false;
  role: string;
  warehouse: string | null;
  database: string | null;
  schema: string | null;
  transaction: Transaction | null = null;
  lastQueryId: string | null = null;
  readonly #parameters = new Map(Object.entries(DEFAULTS));

  constructor(identity: { id: string; user: string; token: string; masterToken: string; role: string }) {
    this.id = identity.id;
    this.user = identity.user;
    this.token = identity.token;
    this.masterToken = identity.masterToken;
    this.role = identity.role;
    this.warehouse = null;
    this.database = null;
    this.schema = null;
  }

  parameter(name: string): string {
    return this.#parameters.get(name) ?? '';
  }

  /** @throws the service's error for a parameter that there is not. */
  setParameter(name: string, value: string): void {
    if (!(name in DEFAULTS)) {
      throw new SnowflakeError('000002', '0A000', `SQL compilation error:\ninvalid property '${shownName(name)}' for 'SESSION'`);
    }
    this.#parameters.set(name, /^(true|false)$/i.test(value) ? value.toLowerCase() : value);
  }

  unsetParameter(name: string): void {
    this.setParameter(name, DEFAULTS[name] ?? '');
  }

  get isAutocommit(): boolean {
    return this.parameter('AUTOCOMMIT') === 'true';
  }

  /** As the wire has them: booleans and numbers are none of them texts. */
  wireParameters(): { name: string; value: string | number | boolean }[] {
    return [...this.#parameters].map(([name, value]) => ({ name, value: wireValue(value) }));
  }
}

function wireValue(value: string): string | number | boolean {
  if (value === 'true' || value === 'false') return value === 'true';
  return /^\d+$/.test(value) ? Number(value) : value;
}
