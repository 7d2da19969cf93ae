import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyPair } from '../support/snowflake/driver.ts';
import { type SnowflakeServer, startSnowflakeServer } from '../support/snowflake/server.ts';
import { said, tidemark } from '../support/tidemark.ts';

const { privateKey, publicKey } = keyPair();
const folder = mkdtempSync(join(tmpdir(), 'tidemark-warehouse-'));
let server: SnowflakeServer;

beforeAll(async () => {
  server = await startSnowflakeServer({
    users: [{ name: 'TIDEMARK', publicKey, defaultRole: 'TIDEMARK_LOADER', roles: [] }],
    databases: { DB: ['SC'] },
    warehouses: ['WH'],
    integrations: ['TIDEMARK_S3'],
    readStaged: async () => null,
  });
  writeFileSync(join(folder, 'key.pem'), privateKey);
  writeFileSync(join(folder, 'snowflake.yaml'), configurationOf(snowflake(server.url)));
  writeFileSync(join(folder, 'duckdb.yaml'), configurationOf('warehouse: duckdb:./warehouse.duckdb'));
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const snowflake = (url: string): string => `warehouse:
  snowflake:
    account: TESTACCOUNT
    user: tidemark
    role: tidemark_loader
    warehouse: WH
    database: db
    schema: sc
    privateKey: file:./key.pem
    storageIntegration: tidemark_s3
    url: ${url}`;

const configurationOf = (warehouse: string): string => `
store: s3://bucket/prefix
${warehouse}
streams:
  payments:
    source:
      list: http://127.0.0.1:1/events
      query: { since: updated_since, size: page_size, cursor: cursor }
      response: { records: $.data, next: $.next_cursor, more: $.has_more }
    environment: { field: environment }
    key: [environment, event_id]
    version: [updated_at, event_version]
    personal: [payload.customer.email]
`;

async function run(...given: readonly string[]): Promise<{ code: number | null; text: string; notes: string }> {
  const ended = await tidemark(given, { folder });
  expect(ended.signal, said(ended)).toBeNull();
  return { code: ended.code, text: ended.stdout, notes: ended.notes };
}

describe('tidemark warehouse migrate', () => {
  it('--plan prints what would be run and what an administrator runs, and changes nothing', async () => {
    const before = server.statements.length;
    const { code, text } = await run('warehouse', 'migrate', '--plan', '--config', 'snowflake.yaml');
    expect(code).toBe(0);
    expect(text).toContain('USE ROLE ACCOUNTADMIN;');
    expect(text).toContain("WHEN 'payments.payload' THEN");
    expect(text).toContain('-- version 1: tables, staging and stage, as TIDEMARK_LOADER');
    expect(text).toContain('CREATE TABLE IF NOT EXISTS "DB"."SC"."TIDEMARK_LEDGER"');
    expect(text).toContain(`URL = 's3://bucket/prefix/' STORAGE_INTEGRATION = "TIDEMARK_S3"`);
    const asked = server.statements.slice(before).map(({ sql }) => sql);
    expect(asked.filter((sql) => !/^(SELECT|ALTER SESSION) /.test(sql))).toEqual([]);
  });

  it('applies what is missing, then says that it is up to date', async () => {
    const first = await run('warehouse', 'migrate', '--json', '--config', 'snowflake.yaml');
    expect(first.code, first.notes).toBe(0);
    expect(JSON.parse(first.text)).toMatchObject({ applied: [{ version: 1, name: 'tables, staging and stage' }] });
    const again = await run('warehouse', 'migrate', '--config', 'snowflake.yaml');
    expect([again.code, again.text.trim()]).toEqual([0, 'up to date']);
  });

  it('ends with 1 where another checksum was applied, and says so', async () => {
    await run('warehouse', 'migrate', '--config', 'snowflake.yaml');
    await server.sql(`UPDATE "DB"."SC"."TIDEMARK_MIGRATIONS" SET "CHECKSUM" = 'abc' WHERE "VERSION" = 1`, 'SC');
    const { code, notes } = await run('warehouse', 'migrate', '--config', 'snowflake.yaml');
    expect(code).toBe(1);
    expect(notes).toContain('they are not the same statements');
  });

  it("--script prints the administrator's statements, and asks nobody", async () => {
    const before = server.statements.length;
    const { code, text } = await run('warehouse', 'migrate', '--script', '--config', 'snowflake.yaml');
    expect([code, server.statements.length]).toEqual([0, before]);
    expect(text).toMatch(/^-- Warehouse, database and schema\nUSE ROLE SYSADMIN;\n/);
  });

  it('a DuckDB warehouse migrates itself', async () => {
    const { code, text } = await run('warehouse', 'migrate', '--config', 'duckdb.yaml');
    expect(code).toBe(0);
    expect(text).toContain('it migrates itself');
  });
});

describe('tidemark warehouse cost', () => {
  it('tells credits by volume and cadence, with every assumption in the document', async () => {
    const { code, text } = await run('warehouse', 'cost', '--json', '--records', '300000000', '--every', '5m,10m');
    expect(code).toBe(0);
    const report = JSON.parse(text) as { rows: { cadence: string }[]; assumptions: Record<string, { source: string }> };
    expect(report.rows.map(({ cadence }) => cadence)).toEqual(['fixed', 'fixed', 'adaptive']);
    expect(report.assumptions['writeRate']?.source).toContain('published');
  });

  it("takes a shape of one's own, and says what is wrong with one that is none", async () => {
    const shape = { name: 'own', source: 'ours', minutes: 5, records: 1000, keys: 1000, inserted: 1000, unchanged: 0 };
    const bytes = { sliceMinutes: 10, updates: [], recordBytes: 500, rowBytes: 80, keyBytes: 20 };
    writeFileSync(join(folder, 'shape.json'), JSON.stringify({ ...shape, ...bytes }));
    const own = await run('warehouse', 'cost', '--shape', 'shape.json');
    expect([own.code, own.text.includes('Shape: own, ours.')]).toEqual([0, true]);
    writeFileSync(join(folder, 'shape.json'), '{}');
    const wrong = await run('warehouse', 'cost', '--shape', 'shape.json');
    expect([wrong.code, wrong.notes.includes('it is no shape')]).toEqual([2, true]);
  });
});

describe('tidemark warehouse plan', () => {
  it('a DuckDB warehouse has no partitions to plan for', async () => {
    const { code, text } = await run('warehouse', 'plan', '--config', 'duckdb.yaml');
    expect(code).toBe(0);
    expect(text).toContain('finds rows by their keys');
  });
});
