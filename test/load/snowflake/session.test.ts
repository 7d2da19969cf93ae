import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSession, type SnowflakeSession } from '../../../src/load/snowflake/session.ts';
import type { Secret, SnowflakeConfig } from '../../../src/stream.ts';
import { MINUTE, SECOND } from '../../../src/time.ts';
import { keyPair } from '../../support/snowflake/driver.ts';
import { type SnowflakeServer, startSnowflakeServer } from '../../support/snowflake/server.ts';
import { manualClock } from './bench.ts';

const keys = keyPair();
const identity = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ISSUER = 'https://identity.example';
let server: SnowflakeServer;
const open: SnowflakeSession[] = [];

beforeAll(async () => {
  process.env['SNOWFLAKE_WIF_ALLOWED_HOST_SUFFIXES'] = '127.0.0.1';
  server = await startSnowflakeServer({
    users: [
      { name: 'LOADER', publicKey: keys.publicKey, defaultRole: 'LOADER_ROLE', roles: [] },
      {
        name: 'WORKLOAD',
        oidc: { issuer: ISSUER, subject: 'loader', publicKey: identity.publicKey },
        defaultRole: 'LOADER_ROLE',
        roles: [],
      },
    ],
    databases: { DB: ['SC'] },
    warehouses: ['WH'],
  });
});
afterAll(async () => {
  for (const session of open) await session.close();
  await server.close();
});

const secret = (value: string): Secret => ({ reference: 'env:SECRET', reveal: () => value });

const config = (change: Partial<SnowflakeConfig> = {}): SnowflakeConfig => ({
  kind: 'snowflake',
  account: server.account,
  user: 'LOADER',
  role: 'LOADER_ROLE',
  warehouse: 'WH',
  database: 'DB',
  schema: 'SC',
  privateKey: secret(keys.privateKey),
  passphrase: undefined,
  workloadIdentity: undefined,
  token: undefined,
  storageIntegration: undefined,
  url: server.url,
  statementTimeout: 10 * MINUTE,
  lockTimeout: MINUTE,
  ...change,
});

async function login(change: Partial<SnowflakeConfig> = {}, clock = manualClock()): Promise<SnowflakeSession> {
  server.clearFaults();
  const session = await openSession(config(change), clock);
  open.push(session);
  return session;
}

/** A token of the issuer, as a workload would be given. */
function token(subject: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: ISSUER, sub: subject, aud: 'snowflakecomputing.com', iat: now, exp: now + 3600 };
  const body = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
  return `${body}.${sign('RSA-SHA256', Buffer.from(body), identity.privateKey).toString('base64url')}`;
}

describe('the login', () => {
  test('is by a key pair, and the key may have a passphrase', async () => {
    const whoever = await login();
    expect(await whoever.rows('SELECT CURRENT_USER() AS "WHO", CURRENT_ROLE() AS "ROLE"')).toEqual([
      { WHO: 'LOADER', ROLE: 'LOADER_ROLE' },
    ]);
    const locked = createPrivateKey(keys.privateKey)
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open' })
      .toString();
    const other = await login({ privateKey: secret(locked), passphrase: secret('open') });
    expect(await other.rows('SELECT 1 AS "ONE"')).toEqual([{ ONE: '1' }]);
    await expect(login({ privateKey: secret(locked), passphrase: secret('wrong') })).rejects.toMatchObject({ code: 'CONFIG' });
  });

  test('R16: tells nothing of a key that is none', async () => {
    const wrong = login({ privateKey: secret('-----BEGIN PRIVATE KEY-----\nsecret4242\n-----END PRIVATE KEY-----') });
    const error = await wrong.catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'CONFIG', message: 'the secret env:SECRET is not a private key in PEM' });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('4242');
  });

  test('is by the identity of the workload', async () => {
    const change = { user: undefined, privateKey: undefined, workloadIdentity: 'oidc' } as const;
    const session = await login({ ...change, token: secret(token('loader')) });
    expect(await session.rows('SELECT CURRENT_USER() AS "WHO"')).toEqual([{ WHO: 'WORKLOAD' }]);
    await expect(login({ ...change, token: secret(token('somebody')) })).rejects.toMatchObject({ code: 'CONFIG', transient: false });
  });

  test('that is refused says what to look at', async () => {
    await expect(login({ privateKey: secret(keyPair().privateKey) })).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringMatching(/refuses the login: JWT token is invalid/),
      hint: expect.stringMatching(/RSA_PUBLIC_KEY/),
    });
  });

  test('where nobody answers may succeed later', async () => {
    await expect(login({ url: 'http://127.0.0.1:9' })).rejects.toMatchObject({ code: 'WAREHOUSE', transient: true });
  });
});

describe('a session', () => {
  test('sets what the statements rely on, and tags each of them', async () => {
    const session = await login({ statementTimeout: 90 * SECOND, lockTimeout: 7 * SECOND });
    const [set = ''] = server.statements
      .filter(({ sql }) => sql.startsWith('ALTER SESSION'))
      .map(({ sql }) => sql)
      .slice(-1);
    for (const parameter of ["TIMEZONE = 'UTC'", 'STATEMENT_TIMEOUT_IN_SECONDS = 90', 'LOCK_TIMEOUT = 7', 'AUTOCOMMIT = TRUE'])
      expect(set).toContain(parameter);
    session.tag = { stream: 'payments', batch: 'b1' };
    await session.rows('SELECT 1');
    expect(JSON.parse(server.statements.at(-1)?.tag ?? '')).toEqual({ app: 'tidemark', stream: 'payments', batch: 'b1' });
    expect(session.queryId).toBe(server.statements.at(-1)?.queryId);
  });

  test('R13: gives every value as text, with all of its digits', async () => {
    const session = await login();
    const rows = await session.rows(
      `SELECT 12345678901234567890123456789012345678::NUMBER(38,0) AS "BIG", 1.10::NUMBER(38,2) AS "MONEY", TRUE AS "YES", NULL AS "NONE",
DATE_PART(EPOCH_MICROSECOND, TO_TIMESTAMP_LTZ(1793491200123456, 6)) AS "AT", TO_JSON(PARSE_JSON('{"a":1.10}')) AS "JSON", ? AS "TEXT"`,
      [`it's \\ "so" 🔑`],
    );
    expect(rows).toEqual([
      {
        BIG: '12345678901234567890123456789012345678',
        MONEY: '1.10',
        YES: 'TRUE',
        NONE: null,
        AT: '1793491200123456',
        JSON: expect.stringMatching(/^\{"a":1\.10?\}$/),
        TEXT: `it's \\ "so" 🔑`,
      },
    ]);
  });

  test.each([
    ['warehouse-suspended', { code: 'WAREHOUSE_BUSY', transient: true, message: expect.stringMatching(/suspended/) }],
    ['lock-timeout', { code: 'WAREHOUSE_BUSY', transient: true, hint: expect.stringMatching(/SHOW LOCKS/) }],
    ['deadlock', { code: 'WAREHOUSE_BUSY', transient: true }],
    ['http-403', { code: 'WAREHOUSE', transient: true }],
    ['session-gone', { code: 'WAREHOUSE', transient: true, message: expect.stringMatching(/session with Snowflake is gone/) }],
    ['garbled-before', { code: 'WAREHOUSE', transient: true, message: expect.stringMatching(/does not answer/) }],
  ] as const)('says what %s means', async (kind, expected) => {
    const session = await login();
    server.fault({ when: /FORTY/, kind });
    await expect(session.rows('SELECT 42 AS "FORTY"')).rejects.toMatchObject(expected);
  });

  test.each([
    ['SELECT 1 FROM "DB"."SC"."NOTHING"', '002003', /warehouse migrate/],
    ['SELECT "NOTHING" FROM (SELECT 1 AS "A")', '000904', /Nothing was changed/],
  ])('%s is refused for good', async (sql, number, hint) => {
    const session = await login();
    await expect(session.rows(sql)).rejects.toMatchObject({
      code: 'WAREHOUSE',
      transient: false,
      data: { number, statement: sql },
      hint: expect.stringMatching(hint),
    });
    expect(session.isLost).toBe(false);
  });

  test('goes on where an answer was lost, or the service was out of order, and each statement is done once', async () => {
    const session = await login();
    await session.run('CREATE OR REPLACE TABLE "DB"."SC"."T" ("N" NUMBER(38,0))');
    for (const kind of ['lost-before', 'lost-after', 'http-503', 'http-503-after', 'token-expired'] as const) {
      server.fault({ when: /INSERT/, kind });
      expect(await session.run('INSERT INTO "DB"."SC"."T" SELECT 1')).toMatchObject({ inserted: 1 });
    }
    expect(await session.rows('SELECT COUNT(*) AS "N" FROM "DB"."SC"."T"')).toEqual([{ N: '5' }]);
  });

  test('ends a statement at its deadline, cancels it, and is lost with it', async () => {
    const clock = manualClock();
    const session = await login({ statementTimeout: 60 * SECOND }, clock);
    server.fault({ when: /FORTY/, kind: 'slow' });
    const slow = session.rows('SELECT 42 AS "FORTY"').catch((error: unknown) => error);
    while (!server.statements.some(({ sql }) => sql.includes('FORTY'))) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(89_000);
    expect(session.isLost).toBe(false);
    clock.advance(1_000);
    expect(await slow).toMatchObject({
      code: 'WAREHOUSE',
      transient: true,
      message: 'The statement was not answered within 1.5m',
      hint: expect.stringMatching(/ledger/),
    });
    expect(session.isLost).toBe(true);
    expect(server.statements.find(({ sql }) => sql.includes('FORTY'))?.status).not.toBe('running');
  });

  test('streams rows as they come', async () => {
    const session = await login();
    const seen: string[] = [];
    for await (const row of session.stream('SELECT "N" FROM (SELECT 1 AS "N" UNION ALL SELECT 2) ORDER BY "N"')) seen.push(row['N'] ?? '');
    expect(seen).toEqual(['1', '2']);
  });
});
