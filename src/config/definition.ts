import { z } from 'zod';
import { WORKLOAD_IDENTITIES } from '../stream.ts';
import { DAY, SECOND } from '../time.ts';
import {
  choice,
  duration,
  expression,
  field,
  flag,
  list,
  matching,
  name,
  number,
  rule,
  secret,
  section,
  text,
  url,
  wholeNumber,
} from './leaves.ts';
import { listen } from './listen-definition.ts';
import { bytesOf } from './size.ts';
import { source } from './source-definition.ts';

/** The configuration file as people write it: what stands here is what is allowed, and the JSON Schema for editors comes out of it. */

const STORE = 'file:PATH or s3://BUCKET/PREFIX';
const STORE_PATTERN = /^(?:file:.+|s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:\/.*)?)$/;
const storeUrl = () => matching(STORE, STORE_PATTERN);
const store = z.union(
  [
    storeUrl(),
    section({
      url: storeUrl(),
      region: name('an AWS region').optional(),
      endpoint: url('the http(s) address of an S3-compatible server').optional(),
      pathStyle: flag().optional().describe('Whether the bucket stands in the path, as many S3-compatible servers need; default false'),
      kmsKey: name('the id, alias or ARN of a KMS key').optional(),
      tags: flag().optional().describe('Whether raw bodies are tagged for lifecycle rules; default true, false for servers without tags'),
    }),
  ],
  { error: `expected ${STORE}, or a mapping with url` },
);

const warehouse = z.union(
  [
    matching('duckdb:PATH', /^duckdb:.+$/),
    section({
      snowflake: section({
        account: name('the account, as ORG-NAME'),
        user: name('a user').optional().describe('The user that the key is of; workload identity needs none'),
        role: name('a role').describe('The role of the loader'),
        warehouse: name('a warehouse'),
        database: name('a database'),
        schema: name('a schema'),
        privateKey: secret().optional().describe('Where the private key is, PKCS#8 in PEM'),
        passphrase: secret().optional().describe('Where the passphrase of the private key is, if it has one'),
        workloadIdentity: choice(WORKLOAD_IDENTITIES).optional().describe('Whose identity of this workload logs in, in place of a key'),
        token: secret().optional().describe('Where the token of an OIDC identity is'),
        storageIntegration: name('a storage integration').optional().describe('What the stage reads the bucket with'),
        url: url('the http(s) address to connect to')
          .optional()
          .describe("In place of the account's own address: of a private link or a proxy"),
        statementTimeout: duration(SECOND, 7 * DAY)
          .optional()
          .describe('How long a statement may take; default 10m'),
        lockTimeout: duration(SECOND, DAY).optional().describe('How long a statement waits for a lock; default 1m'),
      }).describe('A Snowflake account, by key pair or workload identity'),
    }),
  ],
  { error: 'expected duckdb:PATH, or a mapping with snowflake' },
);

const poll = section({
  every: duration(SECOND / 10, 31 * DAY)
    .optional()
    .describe('Time between polls; default 5m, for a Snowflake warehouse half the deadline where that is longer'),
  outOfOrder: duration(0, 366 * DAY)
    .optional()
    .describe('How late records may arrive out of order; default 2h'),
  lateness: duration(0, 366 * DAY)
    .optional()
    .describe('How late an update may come at all; default 48h'),
  clocks: duration(0, DAY)
    .optional()
    .describe('How far this clock may be ahead of the source: sweeps look back by so much more; default 5m'),
  overlap: section({
    least: duration(0, 30 * DAY)
      .optional()
      .describe('default one interval; all of most where that is no more than three intervals'),
    most: duration(0, 30 * DAY)
      .optional()
      .describe('default outOfOrder and clocks together'),
  })
    .optional()
    .describe('How far polls look back: as far as the measured lateness asks for, between these'),
  deadline: duration(SECOND / 10, 366 * DAY)
    .optional()
    .describe('Time within which a record is to be in the warehouse; default 15m, or two polls where that is longer'),
  start: duration(SECOND / 10, 36_600 * DAY)
    .optional()
    .describe('How far back the first poll looks; default lateness'),
});

const multiple = () => number('expected a number that is not negative', 0);
const volume = section({
  trailing: wholeNumber(1, 1000).describe('Loaded windows that the average is taken over'),
  band: z
    .tuple([multiple(), multiple()], { error: 'expected [low, high], as multiples of the average' })
    .describe('Multiples of the average between which a batch passes; one outside is held'),
});
const quality = section({
  rows: z
    .record(z.string(), rule(), { error: 'expected a mapping of fields to rules' })
    .optional()
    .describe('By field: the rule that a record must pass, or go to quarantine'),
  volume: volume.optional().describe('The band of rows that a batch must keep'),
});

export const STREAM_NAME = /^[a-z][a-z0-9_]{0,62}$/;
/** Becomes part of object keys; `_` is taken for streams whose records carry their own. */
const ENVIRONMENT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const ENVIRONMENT = 'a name of letters, digits, . _ -, or { field: NAME }';
const environment = z.union([matching(ENVIRONMENT, ENVIRONMENT_NAME), section({ field: field() })], { error: `expected ${ENVIRONMENT}` });

const dottedPath = () => text('a path of field names, as payload.customer.email', (value) => !value.split('.').includes(''));

const CONTRACT_PATH = /^(?:\$|[^.]+(?:\.[^.]+)*)$/;
export const CONTRACT_TERM = /^(?:evolve|(freeze|discard) at (0|[1-9]\d{0,8}))$/;
const contract = z
  .record(z.string(), matching('evolve, freeze at VERSION or discard at VERSION, a version of the schema', CONTRACT_TERM), {
    error: 'expected a mapping of paths to evolve, freeze at VERSION or discard at VERSION',
  })
  .meta({ propertyNames: { pattern: CONTRACT_PATH.source } });

export const COLUMN_TYPE = /^(?:(boolean|integer|text)|decimal\((\d{1,2}), ?(\d{1,2})\))$/;
/** They are lower case, since twins by case would be one column. */
const COLUMN_NAME = /^[a-z][a-z0-9_]{0,62}$/;
const columnType = () =>
  text(
    'boolean, integer, text or decimal(PRECISION, SCALE) of at most 38 digits',
    (value) => {
      const [, , precision = '1', scale = '0'] = COLUMN_TYPE.exec(value) ?? ['', '', '0'];
      return Number(precision) > 0 && Number(precision) <= 38 && Number(scale) <= Number(precision);
    },
    COLUMN_TYPE,
  );
const transform = section({
  version: wholeNumber(1, 1_000_000).describe('Raise it with every change of the columns, or of what contract discards; then replay'),
  columns: z
    .record(
      z.string().regex(COLUMN_NAME, { error: 'expected a column name of lower-case letters, digits and _, a letter first' }),
      section({ type: columnType(), sql: expression() }),
      {
        error: 'expected a mapping of column names to { type, sql }',
      },
    )
    .optional()
    .describe('By name, in the struct _derived: what is made of each record'),
});

const stream = section({
  source: source.describe('The API that the stream is read from'),
  environment: environment.optional().describe('The environment that records are of, or the field that names it'),
  key: list(field(), 'columns, as [environment, event_id]')
    .min(1, { error: 'expected at least one column' })
    .describe('The columns that name a thing; environment is the configured one unless records carry it'),
  version: list(field(), 'columns, the time first, as [updated_at, event_version]')
    .min(1, { error: 'expected at least the time column' })
    .describe('The columns that order copies of one key: the time that is asked by, then integers'),
  poll: poll.optional().describe('When to ask, and how late records may come'),
  listen: listen.optional().describe('What the partner pushes, next to what is polled: `tidemark serve` takes it'),
  quality: quality.optional().describe('What must hold before anything enters the warehouse'),
  contract: contract
    .optional()
    .describe('By path, $ for the whole record: what becomes of fields that a version of the schema did not know'),
  transform: transform.optional().describe('What is made of the records beside their own fields, and its version'),
  candidates: z
    .record(z.string(), name('a SELECT statement'), { error: 'expected a mapping of names to SELECT statements' })
    .optional()
    .describe('By name: a query of the warehouse whose rows are keys, to look up with `tidemark lookup --candidates NAME`'),
  latestBy: list(field(), 'columns').optional().describe('Columns that name the thing whose latest state the view STREAM_latest shows'),
  clusterBy: field()
    .optional()
    .describe('In Snowflake: a time that never changes for a key, as created_at, by which the table is clustered and loads are bounded'),
  personal: list(dottedPath(), 'paths').optional().describe('Paths of personal data'),
  money: section({
    amount: dottedPath().describe('Path of the amount: a number, or a text that is one'),
    currency: dottedPath().describe('Path of the currency that the amount is in'),
  })
    .optional()
    .describe('What certificates and verify sum, by currency, exactly'),
});

const SIZE = /^\d+(?:\.\d+)?(?:MB|MiB|GB|GiB)$/;
const LEAST_MEMORY = 200_000_000;
const workers = section({
  threads: wholeNumber(1, 256).optional().describe("Normalizer threads; default the machine's cores, at most 4"),
  memory: text('a size of at least 200MB, as 400MB or 2GB', (value) => (bytesOf(value) ?? 0) >= LEAST_MEMORY, SIZE)
    .optional()
    .describe('Memory of each thread, 200MB or more; default 400MB'),
  batchRecords: wholeNumber(1, 100_000_000).optional().describe('Most records a batch; default 1000000'),
  scratch: name('the path of a folder').optional().describe("Folder for spilled files; default the system's"),
});

export const definition = section({
  store: store.describe('Where raw pages and state are kept'),
  warehouse: warehouse.describe('Where the curated tables are'),
  streams: z
    .record(z.string(), stream, { error: 'expected a mapping of stream names to streams' })
    .refine((streams) => Object.keys(streams).length > 0, { error: 'expected at least one stream' })
    .meta({
      description: 'By name, which is also the name of the table',
      propertyNames: { pattern: STREAM_NAME.source },
      minProperties: 1,
    }),
  workers: workers.optional().describe('Limits of the normalizer'),
}).meta({ title: 'Tidemark configuration', description: 'Sources, the object store and the warehouse of Tidemark.' });

export type ConfigurationInput = z.infer<typeof definition>;
export type StreamInput = ConfigurationInput['streams'][string];
export type SourceInput = StreamInput['source'];
