import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { Clock } from '../../../src/clock.ts';
import type { DuckDBWarehouse } from '../../../src/load/duckdb.ts';
import { applyMigrations } from '../../../src/load/snowflake/migrations/apply.ts';
import { migrationContext } from '../../../src/load/snowflake/migrations/index.ts';
import { rowAccessStatements } from '../../../src/load/snowflake/migrations/row-access.ts';
import { openSession } from '../../../src/load/snowflake/session.ts';
import { SnowflakeWarehouse, type SnowflakeWarehouseOptions } from '../../../src/load/snowflake/warehouse.ts';
import type { SnowflakeConfig } from '../../../src/stream.ts';
import { MINUTE } from '../../../src/time.ts';
import { limitOf, startServer } from '../../support/fakesnow/choice.ts';
import { keyPair } from '../../support/snowflake/driver.ts';
import type { SnowflakeServer } from '../../support/snowflake/server.ts';
import { type Bench, bucketConfig, type LoadBench, makeBench, START } from '../support.ts';

/** Whoever sleeps on this without being able to be woken goes on at once; a deadline passes only when the test says so. */
export interface ManualClock extends Clock {
  advance(ms: number): void;
}

export function manualClock(): ManualClock {
  let now = 0;
  const waiting = new Set<{ readonly until: number; readonly wake: () => void }>();
  return {
    now: () => START + now * 1000,
    monotonicMs: () => now,
    sleep: (ms, signal) => {
      if (!signal) {
        now += ms;
        return new Promise((resolve) => setImmediate(resolve));
      }
      return new Promise((resolve, reject) => {
        const sleeper = { until: now + ms, wake: resolve };
        waiting.add(sleeper);
        signal.addEventListener('abort', () => {
          waiting.delete(sleeper);
          reject(signal.reason);
        });
      });
    },
    advance: (ms) => {
      now += ms;
      for (const sleeper of waiting) if (sleeper.until <= now) sleeper.wake();
    },
  };
}

export interface SnowflakeBench extends LoadBench {
  readonly server: SnowflakeServer;
  readonly clock: ManualClock;
  readonly config: SnowflakeConfig;
  open(change?: Partial<SnowflakeWarehouseOptions>): SnowflakeWarehouse;
  /** The other warehouse, for the same batches. */
  duckdb(): DuckDBWarehouse;
  /** Rows of a statement that an administrator runs. */
  sql(statement: string): Promise<Record<string, unknown>[]>;
}

const util = createRequire(import.meta.url)('snowflake-sdk/dist/lib/util') as { sleep: (ms: number) => Promise<void> };
/** The SDK waits for seconds before it sends a request again that was not answered; here it does so at once. */
util.sleep = () => new Promise((resolve) => setImmediate(resolve));

/** One server for the tests of a file, and for each a schema of its own with the migrations applied. */
export function snowflakeBench(): SnowflakeBench {
  let server: SnowflakeServer;
  const keys = keyPair();
  const benches = new Map<string, Bench>();
  let current: (SnowflakeBench & { close(): Promise<void> }) | undefined;
  beforeAll(async () => {
    server = await startServer({
      users: [{ name: 'LOADER', publicKey: keys.publicKey, defaultRole: 'TIDEMARK_LOADER', roles: [] }],
      databases: { DB: [] },
      warehouses: ['WH'],
      readStaged: (url) => readStaged(benches, url),
    });
  });
  afterAll(() => server.close());
  beforeEach(async (context) => {
    const limit = limitOf(context.task.name);
    context.skip(limit !== null, limit ?? '');
    const schema = `S${benches.size}`;
    const files = await makeBench();
    benches.set(schema, files);
    current = await benchOn(server, schema, keys.privateKey, files);
  });
  afterEach(() => current?.close());
  return new Proxy({} as SnowflakeBench, { get: (_, name: keyof SnowflakeBench) => current?.[name] });
}

/** `s3://bucket/S1/one.parquet` is that file in the folder of the bench of schema S1. */
async function readStaged(benches: ReadonlyMap<string, Bench>, url: string): Promise<Buffer | null> {
  const [, schema = '', name = ''] = /^s3:\/\/bucket\/([^/]+)\/(.+)$/.exec(url) ?? [];
  const { folder = '' } = benches.get(schema) ?? {};
  return readFile(join(folder, name)).catch(() => readFile(join(folder, 'store', name)).catch(() => null));
}

async function benchOn(
  server: SnowflakeServer,
  schema: string,
  privateKey: string,
  files: Bench,
): Promise<SnowflakeBench & { close(): Promise<void> }> {
  const clock = manualClock();
  const config: SnowflakeConfig = {
    kind: 'snowflake',
    account: server.account,
    user: 'LOADER',
    role: 'TIDEMARK_LOADER',
    warehouse: 'WH',
    database: 'DB',
    schema,
    privateKey: { reference: 'env:KEY', reveal: () => privateKey },
    passphrase: undefined,
    workloadIdentity: undefined,
    token: undefined,
    storageIntegration: undefined,
    url: server.url,
    statementTimeout: 10 * MINUTE,
    lockTimeout: MINUTE,
  };
  await server.sql(`CREATE SCHEMA "DB"."${schema}"`);
  const session = await openSession(config, clock);
  const context = migrationContext(config, bucketConfig(schema));
  await applyMigrations((statement) => session.rows(statement), context);
  await session.close();
  for (const statement of rowAccessStatements(context)) await server.sql(statement, schema);
  const opened: SnowflakeWarehouse[] = [];
  const limits = { threads: 1, memoryBytes: 256 << 20, tempDirectory: join(files.folder, 'spill') };
  return {
    folder: files.folder,
    engine: files.engine,
    server,
    clock,
    config,
    open: (change) => {
      const warehouse = new SnowflakeWarehouse({ config, clock, ...limits, ...change });
      opened.push(warehouse);
      return warehouse;
    },
    batch: async (id, of, observations, change) => {
      const written = await files.batch(id, of, observations, change);
      const named = written.batch.files.map((file) => ({ ...file, key: basename(file.key) }));
      return { ...written, batch: { ...written.batch, files: named } };
    },
    duckdb: () => files.open(),
    sql: (statement) => server.sql(statement, schema),
    close: async () => {
      server.clearFaults();
      for (const warehouse of opened) await warehouse.close();
      await files.close();
    },
  };
}
