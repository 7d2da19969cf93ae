import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { batchKey, batchPrefix } from '../../src/store/keys.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { s3Client, s3Store } from '../../src/store/s3.ts';
import { DAY, SECOND } from '../../src/time.ts';
import { type Bench, clockOfSeconds, makeBench, observe, START, schemaOf } from '../load/support.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { keyPair } from '../support/snowflake/driver.ts';
import { type SnowflakeServer, startSnowflakeServer } from '../support/snowflake/server.ts';
import { said, tidemark } from '../support/tidemark.ts';

/** The commands that need the bucket as well as the warehouse. */

const { privateKey, publicKey } = keyPair();
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' };
const BATCH = 'b'.repeat(32);
const folder = mkdtempSync(join(tmpdir(), 'tidemark-bucket-'));
let bench: Bench;
let bucket: S3Server;
let store: ObjectStore;
let server: SnowflakeServer;

beforeAll(async () => {
  bench = await makeBench();
  bucket = await startS3Server({ bucket: 'bucket' });
  const client = s3Client({
    region: 'eu-west-1',
    endpoint: bucket.endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
  });
  store = s3Store({
    bucket: 'bucket',
    prefix: 'prefix',
    kmsKey: undefined,
    tags: false,
    client,
    clock: systemClock,
    random: Math.random,
    randomId: randomUUID,
  });
  server = await startSnowflakeServer({
    users: [{ name: 'TIDEMARK', publicKey, defaultRole: 'TIDEMARK_LOADER', roles: [] }],
    databases: { DB: ['SC'] },
    warehouses: ['WH'],
    readStaged: async (url) => (await store.get(url.replace('s3://bucket/prefix/', '')))?.body ?? null,
    clock: clockOfSeconds(),
  });
  writeFileSync(join(folder, 'key.pem'), privateKey);
  writeFileSync(join(folder, 'tidemark.yaml'), CONFIGURATION(bucket.endpoint, server.url));
  await run('warehouse', 'migrate');
});
afterAll(async () => {
  await server.close();
  await bucket.close();
  await bench.close();
  rmSync(folder, { recursive: true, force: true });
});

const CONFIGURATION = (endpoint: string, url: string): string => `
store: { url: s3://bucket/prefix, region: eu-west-1, endpoint: "${endpoint}", pathStyle: true }
warehouse:
  snowflake: { account: TESTACCOUNT, user: TIDEMARK, role: TIDEMARK_LOADER, warehouse: WH, database: DB, schema: SC, privateKey: "file:./key.pem", url: "${url}" }
streams:
  payments:
    source:
      list: http://127.0.0.1:1/events
      query: { since: updated_since, size: page_size, cursor: cursor }
      response: { records: $.data, next: $.next_cursor, more: $.has_more }
    environment: { field: environment }
    key: [environment, event_id]
    version: [updated_at, event_version]
    clusterBy: created_at
`;

async function run(...given: readonly string[]): Promise<unknown> {
  const ended = await tidemark([...given, '--json'], { folder, environment: CREDENTIALS });
  expect(ended.code, said(ended)).toBe(0);
  return JSON.parse(ended.stdout);
}

/** Publishes a batch of two events, one of which was made twenty days before the other. */
async function publish(): Promise<void> {
  const event = (id: string, made: number) => ({
    ...observe(id, 1, { created_at: new Date((START + made * DAY) / 1000).toISOString() }),
    version: [START + 30 * DAY + SECOND, 1] as const,
  });
  const schema = schemaOf(1, { created_at: { kind: 'text' } });
  const { batch, files } = await bench.batch(BATCH, schema, [event('evt_1', 10), event('evt_2', 30)]);
  const [path = ''] = files;
  const key = `${batchPrefix('payments', BATCH)}part-0.parquet`;
  const bytes = readFileSync(path);
  await store.upload(key, path);
  const file = { key, sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length, rows: 2 };
  await store.create(batchKey('payments', BATCH), Buffer.from(JSON.stringify({ ...batch, files: [file] })));
}

it('warehouse plan shows what the batch that waits would touch', async () => {
  await publish();
  expect(await run('warehouse', 'plan')).toMatchObject({
    stream: 'payments',
    batches: [
      {
        batch: BATCH,
        rows: 2,
        strata: [
          {
            name: 'fresh',
            rows: 1,
            partitionDays: 1,
            keys: [
              { low: 'prod', high: 'prod' },
              { low: 'evt_2', high: 'evt_2' },
            ],
          },
          { name: 'late', rows: 1, partitionDays: 1, days: { first: '2026-11-11', last: '2026-11-11' } },
        ],
      },
    ],
  });
});

it('doctor --warehouse tries the list, and ends with 0 where nothing failed', async () => {
  const checks = (await run('doctor', '--warehouse')) as { name: string; state: string; statements: string[]; expected: string }[];
  expect(checks.length).toBeGreaterThan(20);
  expect(checks.filter(({ state }) => state === 'failed')).toEqual([]);
  expect(checks[0]?.statements.join(' ')).toContain('"DB"."SC_STAGING"."DOCTOR_');
});
