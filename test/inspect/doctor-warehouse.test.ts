import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { doctorWarehouse, type WarehouseCheck } from '../../src/inspect/doctor-warehouse.ts';
import { formatWarehouseDoctor } from '../../src/inspect/doctor-warehouse-text.ts';
import { WAREHOUSE_ITEMS } from '../../src/inspect/warehouse-checks/index.ts';
import { applyMigrations } from '../../src/load/snowflake/migrations/apply.ts';
import { migrationContext } from '../../src/load/snowflake/migrations/index.ts';
import { maskingStatements } from '../../src/load/snowflake/migrations/masking.ts';
import { rowAccessStatements } from '../../src/load/snowflake/migrations/row-access.ts';
import { openSession } from '../../src/load/snowflake/session.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { Configuration, SnowflakeConfig } from '../../src/stream.ts';
import { MINUTE } from '../../src/time.ts';
import { bucketConfig, clockOfSeconds } from '../load/support.ts';
import { keyPair } from '../support/snowflake/driver.ts';
import { type SnowflakeServer, startSnowflakeServer } from '../support/snowflake/server.ts';

const { privateKey, publicKey } = keyPair();
const store = memoryStore();
const scratch = mkdtempSync(join(tmpdir(), 'doctor-warehouse-'));
let server: SnowflakeServer;
let configuration: Configuration;
let checks: readonly WarehouseCheck[];

beforeAll(async () => {
  server = await startSnowflakeServer({
    users: [{ name: 'LOADER', publicKey, defaultRole: 'TIDEMARK_LOADER', roles: [] }],
    databases: { DB: ['SC'] },
    warehouses: ['WH'],
    readStaged: async (url) => (await store.get(url.replace('s3://bucket/', '')))?.body ?? null,
    clock: clockOfSeconds(),
  });
  const warehouse: SnowflakeConfig = {
    kind: 'snowflake',
    account: server.account,
    user: 'LOADER',
    role: 'TIDEMARK_LOADER',
    warehouse: 'WH',
    database: 'DB',
    schema: 'SC',
    privateKey: { reference: 'env:KEY', reveal: () => privateKey },
    passphrase: undefined,
    workloadIdentity: undefined,
    token: undefined,
    storageIntegration: undefined,
    url: server.url,
    statementTimeout: 10 * MINUTE,
    lockTimeout: MINUTE,
  };
  const bucket = bucketConfig();
  configuration = {
    path: 'tidemark.yaml',
    store: bucket,
    warehouse,
    streams: [],
    workers: { threads: 1, memoryBytes: 1 << 28, batchRecords: 1000, scratch },
  };
  const context = migrationContext(warehouse, bucket);
  const session = await openSession(warehouse, systemClock);
  await applyMigrations((statement) => session.rows(statement), context);
  await session.close();
  for (const statement of [...maskingStatements(context, []), ...rowAccessStatements(context)]) await server.sql(statement, 'SC');
  checks = await doctorWarehouse(configuration, { clock: systemClock, store });
});
afterAll(async () => {
  await server.close();
  rmSync(scratch, { recursive: true, force: true });
});

/** Statements that the server of the tests may not know. */
const BEYOND_THE_SERVER: ReadonlySet<string> = new Set([
  'a statement ends at its timeout, with its own number',
  'the query tag is in the history',
  'a personal field is masked for the reader',
  'a struct of which nothing more is known is masked as a whole for the reader',
  'rows of a sandbox are kept from the reader',
]);

describe('doctor --warehouse', () => {
  it('tries everything, in the order of the list, and says what was asked and expected', () => {
    expect(checks.map(({ name }) => name)).toEqual(WAREHOUSE_ITEMS.map(({ name }) => name));
    for (const { statements, expected } of checks) {
      expect(expected).not.toBe('');
      expect(statements.filter((statement) => /\{[A-Z]+\}/.test(statement))).toEqual([]);
    }
  });

  it('finds the server as Snowflake is documented to be', () => {
    const tried = checks.filter(({ name }) => !BEYOND_THE_SERVER.has(name));
    expect(tried.length).toBeGreaterThan(20);
    expect(tried.filter(({ state }) => state !== 'ok').map(({ name, state, found }) => `${state} ${name}: ${found}`)).toEqual([]);
  });

  it('what an account may refuse counts as not tried, not as failed', () => {
    const beyond = checks.filter(({ name }) => BEYOND_THE_SERVER.has(name));
    for (const { state, hint } of beyond.filter((check) => check.state !== 'ok')) {
      expect(state).toBe('warning');
      expect(hint).toMatch(/^Not tried: /);
    }
  });

  it('is told a line an item, and more only where the answer is another one', () => {
    const [first, second] = checks;
    if (!first || !second) throw new Error('nothing was tried');
    const failed = { ...second, state: 'failed', found: 'NULL', hint: 'It means this.' } as const;
    expect(formatWarehouseDoctor([first, failed])).toBe(
      [
        'ok         a failed statement leaves the transaction open',
        'failed     ROLLBACK takes back what the transaction did',
        '           found     NULL',
        '           expected  0',
        '                     It means this.',
        '',
        '1 check failed.',
      ].join('\n'),
    );
    expect(formatWarehouseDoctor([first])).toContain('Snowflake answers as the loader takes for granted.');
  });

  it('leaves no table and no file behind', async () => {
    const tables = await server.sql(`SELECT "TABLE_NAME" FROM "DB".INFORMATION_SCHEMA.TABLES WHERE "TABLE_SCHEMA" = 'SC_STAGING'`, 'SC');
    expect(tables).toEqual([]);
    const left: string[] = [];
    for await (const { key } of store.list('')) left.push(key);
    expect(left).toEqual([]);
    expect(server.locks.list()).toEqual([]);
  });

  it('is not for another warehouse', async () => {
    const duckdb = { ...configuration, warehouse: { kind: 'duckdb', path: 'x' } as const };
    await expect(doctorWarehouse(duckdb, { clock: systemClock, store })).rejects.toMatchObject({ code: 'CONFIG' });
  });

  it('each item says what it means where the answer is another one', () => {
    expect(new Set(WAREHOUSE_ITEMS.map(({ name }) => name)).size).toBe(WAREHOUSE_ITEMS.length);
    for (const { otherwise, steps } of WAREHOUSE_ITEMS) {
      expect(otherwise.length).toBeGreaterThan(20);
      expect(steps.length).toBeGreaterThan(0);
    }
  });
});
