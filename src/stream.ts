import type { Micros } from './clock.ts';
import type { ColumnType } from './schema/types.ts';
import type { TimeForm } from './time.ts';

/** The configuration as the program uses it: checked, complete, frozen. Only config.ts makes one. */
export interface Configuration {
  /** Where the configuration was read from; relative paths in it are relative to its folder. */
  readonly path: string;
  readonly store: StoreConfig;
  readonly warehouse: WarehouseConfig;
  readonly streams: readonly Stream[];
  readonly workers: WorkerLimits;
}

export type StoreConfig =
  | { readonly kind: 'file'; readonly path: string }
  | {
      readonly kind: 's3';
      readonly bucket: string;
      readonly prefix: string;
      readonly region: string | undefined;
      readonly endpoint: string | undefined;
      readonly pathStyle: boolean;
      readonly kmsKey: string | undefined;
      /** Whether raw bodies are tagged for the bucket's lifecycle rules. */
      readonly tags: boolean;
    };

export type WarehouseConfig = { readonly kind: 'duckdb'; readonly path: string } | SnowflakeConfig;

export const WORKLOAD_IDENTITIES = ['aws', 'azure', 'gcp', 'oidc'] as const;

export interface SnowflakeConfig {
  readonly kind: 'snowflake';
  readonly account: string;
  readonly user: string | undefined;
  readonly role: string;
  readonly warehouse: string;
  readonly database: string;
  readonly schema: string;
  /** Either a private key, PKCS#8 in PEM, or a workload identity. */
  readonly privateKey: Secret | undefined;
  readonly passphrase: Secret | undefined;
  readonly workloadIdentity: (typeof WORKLOAD_IDENTITIES)[number] | undefined;
  /** Of an OIDC identity. */
  readonly token: Secret | undefined;
  readonly storageIntegration: string | undefined;
  /** In place of the account's own address. */
  readonly url: string | undefined;
  readonly statementTimeout: Micros;
  readonly lockTimeout: Micros;
}

/** Where a secret is; the value is read when it is needed and never written anywhere. */
export interface Secret {
  /** As configured, for messages: `env:PARTNER_KEY`, `file:/run/secrets/key`. */
  readonly reference: string;
  /** @throws CONFIG where the variable or the file is missing or empty. */
  reveal(): string;
}

export interface WorkerLimits {
  /** Normalizer threads. */
  readonly threads: number;
  /** DuckDB's memory limit a thread, in bytes. */
  readonly memoryBytes: number;
  /** At most so many records a batch; a larger window becomes several batches. */
  readonly batchRecords: number;
  /** Folder for spilled and intermediate files. */
  readonly scratch: string;
}

export interface Stream {
  /** `[a-z][a-z0-9_]*`; also the curated table's name. */
  readonly name: string;
  readonly source: Source;
  /** The configured environment, or the field of the record that names it. */
  readonly environment: { readonly constant: string } | { readonly field: string } | null;
  /** The columns that name a thing. A column called `environment` that is not a record's field takes the configured constant. */
  readonly key: readonly KeyColumn[];
  /** The columns that order copies of one key. The first is the time that windows are asked by. */
  readonly version: readonly [TimeColumn, ...IntegerColumn[]];
  readonly poll: Poll;
  /** Null or absent where nobody pushes. */
  readonly listen?: Listen | null;
  readonly quality: Quality;
  /** What becomes of fields that the records gain. Absent or empty: all of them come in. */
  readonly contract?: readonly ContractTerm[];
  /** What is made of the records beside their own fields. Absent or null: nothing, which is version 0. */
  readonly transform?: Transform | null;
  /** By name: queries of the warehouse whose rows are keys that may be worth a lookup. Absent for none. */
  readonly candidates?: Readonly<Record<string, string>>;
  /** Columns that name the thing whose latest state the view `<stream>_latest` shows; empty for no view. */
  readonly latestBy: readonly string[];
  /** A field whose time never changes for a key: a warehouse may keep rows by it. Absent or null where there is none. */
  readonly clusterBy?: string | null;
  /** Paths of personal data, as `payload.customer.email`. */
  readonly personal: readonly string[];
  /** Where a record says how much money it is about: certificates and `verify` sum it. */
  readonly money?: MoneyPaths | null;
}

export const CONTRACT_MODES = ['evolve', 'freeze', 'discard'] as const;

/** Of fields at `path` and below it, an empty path being the record itself. */
export interface ContractTerm {
  readonly path: readonly string[];
  readonly mode: (typeof CONTRACT_MODES)[number];
  /** Schema version that says what is new: whatever it did not know. 0 for `evolve`. */
  readonly at: number;
}

/** Versioned: whatever changes how a record becomes a row has a greater version, and a replay through it corrects the rows. */
export interface Transform {
  readonly version: number;
  readonly columns: readonly DerivedColumn[];
}

export interface DerivedColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** A DuckDB expression (schema/transform.ts). */
  readonly sql: string;
}

/** Field names from the record down. */
export interface MoneyPaths {
  readonly amount: readonly string[];
  readonly currency: readonly string[];
}

/** Tells whether a listener lives; no stream takes pushes there. */
export const HEALTH_PATH = '/healthz';

/** The partner's pushes: where they come, how they are signed, and what their bodies are. */
export interface Listen {
  readonly path: string;
  /** One, or two while one takes the place of the other. */
  readonly secrets: readonly Secret[];
  readonly signature: {
    /** Names of headers are in lower case. */
    readonly header: string;
    /** Null where the signature says the time itself: `t=…,v1=…`. */
    readonly timestampHeader: string | null;
    readonly encoding: 'hex' | 'base64';
    /** What is signed: `{timestamp}.{body}`, also with `{id}`. */
    readonly signed: string;
  };
  readonly deliveryHeader: string | null;
  /** One record, a record a line, or the path of the array of records. */
  readonly body: 'record' | 'ndjson' | readonly string[];
  readonly tolerance: Micros;
  readonly maxBytes: number;
  /** Pushes of so much time are one window. */
  readonly window: Micros;
}

export interface KeyColumn {
  readonly name: string;
  /** The value for every record, or null where the record's top-level field `name` gives it. */
  readonly constant: string | null;
}
export interface TimeColumn {
  readonly name: string;
  readonly form: TimeForm;
}
export interface IntegerColumn {
  readonly name: string;
}

export interface Source {
  readonly list: string;
  /** With one `{field}` placeholder for each key field; null where the API has no lookup. */
  readonly lookup: string | null;
  readonly auth: Auth;
  readonly pagination: Pagination;
  /** Name of the `since` parameter and how times are written into it. */
  readonly since: { readonly parameter: string; readonly form: TimeForm };
  /** Name of the page size parameter, or null where the API has none. */
  readonly sizeParameter: string | null;
  /** Fixed parameters of every list request. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Path of the record array in the body: segments, empty for a bare array. */
  readonly records: readonly string[];
  /** Path in the body of an error to the key of the record that it failed for; null or absent where errors do not say. */
  readonly culprit?: readonly string[] | null;
  readonly pageSize: number;
  readonly requestsPerMinute: number;
  /** Attempts for one page before it goes to dead letter. */
  readonly attempts: number;
  /** Milliseconds for one attempt, from the request's start to the body's last byte. */
  readonly timeoutMs: number;
  /** A live poll of more pages than `pages` is split into chains that are asked at once, `most` of them at most. */
  readonly chains: { readonly most: number; readonly pages: number };
  /** How a source that does not answer is asked; the defaults of fetch/circuit.ts where left out. */
  readonly circuit?: { readonly failures: number; readonly longestMs: number; readonly patienceMs: number };
}

export type Auth =
  | { readonly kind: 'none' }
  | { readonly kind: 'bearer'; readonly token: Secret }
  | { readonly kind: 'header'; readonly name: string; readonly value: Secret }
  | { readonly kind: 'basic'; readonly user: string; readonly password: Secret }
  | { readonly kind: 'query'; readonly name: string; readonly value: Secret };

export type Pagination =
  /** A cursor in the body, sent back as a parameter. `more` is null where a missing cursor says that there is no more. */
  | { readonly kind: 'cursor'; readonly parameter: string; readonly next: readonly string[]; readonly more: readonly string[] | null }
  /** The next page's URL in the body. */
  | { readonly kind: 'next-url'; readonly next: readonly string[]; readonly more: readonly string[] | null }
  /** The next page's URL in the `Link` header (RFC 8288), relation `next`. */
  | { readonly kind: 'link-header' }
  /** A page number that counts up from `first`; a page shorter than `pageSize` is the last, unless `more` says otherwise. */
  | { readonly kind: 'page'; readonly parameter: string; readonly first: number; readonly more: readonly string[] | null }
  /** The number of records to skip. */
  | { readonly kind: 'offset'; readonly parameter: string; readonly more: readonly string[] | null }
  /** The last record's id; `order` is the order in which the API lists. */
  | {
      readonly kind: 'last-id';
      readonly parameter: string;
      readonly field: string;
      readonly order: 'oldest-first' | 'newest-first';
      readonly more: readonly string[] | null;
    };

export interface Poll {
  readonly every: Micros;
  /** How late a record may arrive out of order: the overlap of live polls' sweep. */
  readonly outOfOrder: Micros;
  /** How late an update may come at all. */
  readonly lateness: Micros;
  /** How far our clock may be ahead of the partner's: sweeps look back by so much more. */
  readonly clocks: Micros;
  /** How far polls look back: as far as the measured lateness asks for, between these. */
  readonly overlap: { readonly least: Micros; readonly most: Micros };
  /** The time within which a record is to be in the warehouse; later is `stale`. */
  readonly deadline: Micros;
  /** How far back the first poll looks. */
  readonly start: Micros;
}

export interface Quality {
  /** By field of the record. */
  readonly rows: readonly RowRule[];
  readonly volume: VolumeBand | null;
}

/** One field's rule, as configured: `present and >= 0`. gate/rules.ts gives it its meaning. */
export interface RowRule {
  readonly field: string;
  readonly text: string;
}

export interface VolumeBand {
  /** Batches that the average is taken over. */
  readonly trailing: number;
  /** Multiples of the average between which a batch passes. */
  readonly band: readonly [low: number, high: number];
}
