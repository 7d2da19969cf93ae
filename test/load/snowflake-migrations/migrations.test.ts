import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { applyMigrations, pendingMigrations, type Run } from '../../../src/load/snowflake/migrations/apply.ts';
import { checksumOf, MIGRATIONS, type MigrationContext, migrationContext } from '../../../src/load/snowflake/migrations/index.ts';
import { keptName } from '../../../src/load/snowflake/migrations/names.ts';
import type { SnowflakeConfig } from '../../../src/stream.ts';
import { Driver, keyLogin, keyPair } from '../../support/snowflake/driver.ts';
import { type SnowflakeServer, startSnowflakeServer } from '../../support/snowflake/server.ts';

const { privateKey, publicKey } = keyPair();
let server: SnowflakeServer;
const open: Driver[] = [];

beforeAll(async () => {
  server = await startSnowflakeServer({
    users: [{ name: 'LOADER', publicKey, defaultRole: 'TIDEMARK_LOADER', roles: [] }],
    databases: { DB: ['ONE', 'TWO', 'THREE', 'FOUR', 'FIVE'] },
    warehouses: ['WH'],
    integrations: ['TIDEMARK_S3'],
    readStaged: async () => null,
  });
});
afterEach(async () => {
  server.clearFaults();
  await Promise.all(open.splice(0).map((driver) => driver.close()));
});
afterAll(() => server.close());

const contextOf = (schema: string): MigrationContext => ({
  database: 'DB',
  schema,
  stageUrl: 's3://bucket/prefix/',
  storageIntegration: 'TIDEMARK_S3',
  roles: { loader: 'TIDEMARK_LOADER', reader: 'TIDEMARK_READER', auditor: 'TIDEMARK_AUDITOR' },
});

async function login(schema: string): Promise<Run> {
  const driver = await Driver.login(server, { ...keyLogin(privateKey), schema });
  open.push(driver);
  return (sql) => driver.rows(sql);
}

const versionsIn = async (run: Run, schema: string): Promise<readonly number[]> =>
  (await run(`SELECT "VERSION" FROM "DB"."${schema}"."TIDEMARK_MIGRATIONS" ORDER BY "VERSION"`)).map((row) => Number(row['VERSION']));

describe('migrations', () => {
  it('make the tables, the staging schema, the file format and the stage', async () => {
    const run = await login('ONE');
    const context = contextOf('ONE');
    expect((await pendingMigrations(run, context)).map(({ version }) => version)).toEqual(MIGRATIONS.map(({ version }) => version));
    expect((await applyMigrations(run, context)).length).toBe(MIGRATIONS.length);
    const tables = await run(`SELECT "TABLE_NAME" FROM "DB".INFORMATION_SCHEMA.TABLES WHERE "TABLE_SCHEMA" = 'ONE' ORDER BY 1`);
    expect(tables.map((row) => row['TABLE_NAME'])).toEqual([
      'TIDEMARK_AUDIT',
      'TIDEMARK_LEDGER',
      'TIDEMARK_METRICS',
      'TIDEMARK_MIGRATIONS',
      'TIDEMARK_QUARANTINE',
      'TIDEMARK_STREAMS',
      'TIDEMARK_TRANSFORMS',
      'TIDEMARK_WATERMARK',
    ]);
    await run(`CREATE TRANSIENT TABLE "DB"."ONE_STAGING"."T" ("A" NUMBER(38,0))`);
  });

  it('say what every column means', async () => {
    const run = await login('ONE');
    await applyMigrations(run, contextOf('ONE'));
    const columns = await run(
      `SELECT "TABLE_NAME", "COLUMN_NAME", "COMMENT" FROM "DB".INFORMATION_SCHEMA.COLUMNS WHERE "TABLE_SCHEMA" = 'ONE'`,
    );
    expect(columns.length).toBeGreaterThan(40);
    expect(columns.filter((row) => !row['COMMENT']).map((row) => `${String(row['TABLE_NAME'])}.${String(row['COLUMN_NAME'])}`)).toEqual([]);
  });

  it('do nothing the second time', async () => {
    const run = await login('ONE');
    await applyMigrations(run, contextOf('ONE'));
    const before = server.statements.length;
    expect(await applyMigrations(run, contextOf('ONE'))).toEqual([]);
    const again = server.statements.slice(before).map(({ sql }) => sql);
    expect(again.filter((sql) => /CREATE (?!TABLE IF NOT EXISTS "DB"."ONE"."TIDEMARK_MIGRATIONS")/.test(sql))).toEqual([]);
    expect(await pendingMigrations(run, contextOf('ONE'))).toEqual([]);
  });

  it('two at once apply each version once', async () => {
    const runs = await Promise.all([login('TWO'), login('TWO')]);
    await Promise.all(runs.map((run) => applyMigrations(run, contextOf('TWO'))));
    const applied = (await versionsIn(await login('TWO'), 'TWO')).filter((version) => version > 0);
    expect(applied).toEqual(MIGRATIONS.map(({ version }) => version));
  });

  it('that ended in the middle go on where the statements stopped', async () => {
    const run = await login('THREE');
    const context = contextOf('THREE');
    server.fault({ when: /CREATE STAGE/, kind: 'deadlock' });
    await expect(applyMigrations(run, context)).rejects.toThrow();
    expect(await versionsIn(run, 'THREE')).toEqual([0]);
    expect((await applyMigrations(run, context)).length).toBe(MIGRATIONS.length);
    expect(await pendingMigrations(run, context)).toEqual([]);
  });

  it('are not noted where the note fails, and the transaction is not left open', async () => {
    const run = await login('FOUR');
    const context = contextOf('FOUR');
    server.fault({ when: /INSERT INTO .*TIDEMARK_MIGRATIONS[\s\S]*SELECT 1,/, kind: 'deadlock' });
    await expect(applyMigrations(run, context)).rejects.toThrow();
    expect(server.locks.list()).toEqual([]);
    expect((await applyMigrations(run, context)).length).toBe(MIGRATIONS.length);
  });

  it('a checksum that differs is refused, and so is a version from the future', async () => {
    const run = await login('FIVE');
    const context = contextOf('FIVE');
    await applyMigrations(run, context);
    const table = '"DB"."FIVE"."TIDEMARK_MIGRATIONS"';
    await run(`UPDATE ${table} SET "CHECKSUM" = 'abc' WHERE "VERSION" = 1`);
    const changed = { code: 'WAREHOUSE_VERSION', message: expect.stringContaining('not the same statements') };
    await expect(applyMigrations(run, context)).rejects.toMatchObject(changed);
    await expect(pendingMigrations(run, context)).rejects.toMatchObject(changed);
    const [first] = MIGRATIONS;
    if (!first) throw new Error('there is no migration');
    await run(`UPDATE ${table} SET "CHECKSUM" = '${checksumOf(first)}', "VERSION" = 999 WHERE "VERSION" = 1`);
    await expect(pendingMigrations(run, context)).rejects.toMatchObject({
      code: 'WAREHOUSE_VERSION',
      message: expect.stringContaining('has migration 999'),
    });
  });
});

describe('a migration', () => {
  it('has a checksum of its statements, whatever the names of the configuration are', () => {
    const [first] = MIGRATIONS;
    if (!first) throw new Error('there is no migration');
    expect(checksumOf(first)).toMatch(/^[0-9a-f]{64}$/);
    expect(checksumOf({ ...first, statements: () => ['SELECT 1'] })).not.toBe(checksumOf(first));
  });

  it.each(MIGRATIONS.map((migration) => [migration.version, migration]))(
    '%i consists of statements that can be repeated',
    (_, migration) => {
      for (const statement of migration.statements(contextOf('S'))) {
        expect(statement).toMatch(/^CREATE (TRANSIENT |FILE )?(TABLE|SCHEMA|FORMAT|STAGE) IF NOT EXISTS /);
        expect(statement).not.toMatch(/;\s*$/);
      }
    },
  );

  it('versions count from one', () => {
    expect(MIGRATIONS.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
  });
});

describe('names', () => {
  const config = { kind: 'snowflake', database: 'db', schema: 'Sales', role: 'tidemark_loader', storageIntegration: 'tidemark_s3' };
  const bucket = {
    kind: 's3',
    bucket: 'b',
    prefix: 'p/q',
    region: undefined,
    endpoint: undefined,
    pathStyle: false,
    kmsKey: undefined,
    tags: true,
  } as const;

  it('are in capitals as Snowflake keeps them, unless they need quotes', () => {
    expect(migrationContext(config as SnowflakeConfig, bucket)).toEqual({
      database: 'DB',
      schema: 'SALES',
      stageUrl: 's3://b/p/q/',
      storageIntegration: 'TIDEMARK_S3',
      roles: { loader: 'TIDEMARK_LOADER', reader: 'TIDEMARK_READER', auditor: 'TIDEMARK_AUDITOR' },
    });
    expect(keptName('my db')).toBe('my db');
    expect(migrationContext(config as SnowflakeConfig, { ...bucket, prefix: '' }).stageUrl).toBe('s3://b/');
  });

  it('a folder is no stage', () => {
    expect(() => migrationContext(config as SnowflakeConfig, { kind: 'file', path: '/data' })).toThrow(/bucket/);
  });
});
