import { randomUUID } from 'node:crypto';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type ServerBench, serverBench, signedToken } from './bench.ts';
import { Driver, keyLogin, keyPair } from './driver.ts';

const issuer = keyPair();
let bench: ServerBench;
beforeAll(async () => {
  process.env['SNOWFLAKE_WIF_ALLOWED_HOST_SUFFIXES'] = '127.0.0.1';
  const oidc = { issuer: 'https://issuer.example', subject: 'loader', publicKey: issuer.publicKey };
  bench = await serverBench([{ name: 'WORKLOAD', oidc, defaultRole: 'LOADER_ROLE' }]);
});
afterAll(() => bench.close());
afterEach(() => bench.server.clearFaults());

/** One request as the driver sends it, without its patience. */
async function send(
  path: string,
  token: string,
  body: object | null,
): Promise<{ status: number; code: string | null; data: Record<string, unknown> }> {
  const answer = await request(`${bench.server.url}${path}`, {
    method: body === null ? 'GET' : 'POST',
    headers: { authorization: `Snowflake Token="${token}"`, 'content-type': 'application/json' },
    body: body === null ? null : JSON.stringify(body),
  });
  const text = await answer.body.text();
  return { status: answer.statusCode, code: null, data: {}, ...(text.startsWith('{"') ? JSON.parse(text) : {}) };
}

const query = (token: string, requestId: string, sqlText: string, rest: object = {}): ReturnType<typeof send> =>
  send(`/queries/v1/query-request?requestId=${requestId}`, token, { sqlText, ...rest });

async function tokenOf(driver: Driver): Promise<string> {
  const [row] = await driver.rows('SELECT CURRENT_SESSION() AS ID');
  return bench.server.sessions.all.find(({ id }) => id === row?.['ID'])?.token ?? '';
}

const loginCode = (options: object): Promise<string | null> =>
  Driver.login(bench.server, options).then(
    () => null,
    (error: { code: number }) => String(error.code),
  );

test('a key pair logs in; another key, another user and a password do not', async () => {
  expect(await loginCode(keyLogin(bench.privateKey))).toBeNull();
  expect(await loginCode(keyLogin(keyPair().privateKey))).toBe('390144');
  expect(await loginCode({ ...keyLogin(bench.privateKey), username: 'SOMEBODY' })).toBe('390144');
  expect(await loginCode({ password: 'secret' })).toBe('390100');
  expect(await loginCode({ ...keyLogin(bench.privateKey), role: 'ACCOUNTADMIN' })).toBe('390189');
});

test('a workload identity logs in with a token of its issuer for Snowflake, while it lasts', async () => {
  const claims = { iss: 'https://issuer.example', sub: 'loader', aud: 'snowflakecomputing.com', exp: Date.now() / 1000 + 60 };
  const login = (token: string): Promise<string | null> =>
    loginCode({ authenticator: 'WORKLOAD_IDENTITY', workloadIdentityProvider: 'OIDC', token, username: undefined });
  expect(await login(signedToken(claims, issuer.privateKey))).toBeNull();
  expect(await login(signedToken(claims, bench.privateKey))).toBe('394310');
  expect(await login(signedToken({ ...claims, aud: 'elsewhere' }, issuer.privateKey))).toBe('394310');
  expect(await login(signedToken({ ...claims, exp: Date.now() / 1000 - 1 }, issuer.privateKey))).toBe('394310');
});

test('an expired token is renewed by the driver, and the statement runs once', async () => {
  const driver = await bench.login();
  await driver.execute('CREATE TABLE RENEWED (A NUMBER)');
  bench.server.fault({ when: /INSERT/, kind: 'token-expired' });
  await driver.execute('INSERT INTO RENEWED VALUES (1)');
  expect(await bench.server.sql('SELECT COUNT(*) AS N FROM RENEWED')).toEqual([{ N: '1' }]);
});

test('a request under a token that was renewed meanwhile is asked for again, not taken for an invalid one', async () => {
  const driver = await bench.login();
  const former = await tokenOf(driver);
  bench.server.fault({ when: /SELECT 1/, kind: 'token-expired' });
  await driver.execute('SELECT 1');
  expect(await tokenOf(driver)).not.toBe(former);
  expect((await send('/session/heartbeat', former, {})).code).toBe('390112');
});

test('a session that has gone takes its transaction with it, and is disconnected', async () => {
  const driver = await bench.login();
  await driver.execute('CREATE TABLE GONE (A NUMBER)');
  await driver.execute('BEGIN');
  await driver.execute('INSERT INTO GONE VALUES (1)');
  bench.server.fault({ when: /COMMIT/, kind: 'session-gone' });
  expect(await driver.codeOf('COMMIT')).toBe('407002');
  expect(await bench.server.sql('SELECT COUNT(*) AS N FROM GONE')).toEqual([{ N: '0' }]);
});

test('a heartbeat answers, a logout ends the session', async () => {
  const driver = await bench.login();
  const token = await tokenOf(driver);
  expect((await send('/session/heartbeat', token, {})).code).toBeNull();
  await driver.close();
  expect((await send('/session/heartbeat', token, {})).code).toBe('390111');
  expect((await send('/session/heartbeat', 'no such token', {})).code).toBe('390104');
});

test('a request that is sent again with its id is not executed again', async () => {
  const driver = await bench.login();
  const token = await tokenOf(driver);
  await driver.execute('CREATE TABLE RESENT (A NUMBER)');
  const id = randomUUID();
  bench.server.fault({ when: /INSERT INTO RESENT/, kind: 'lost-after' });
  await expect(query(token, id, 'INSERT INTO RESENT VALUES (1)')).rejects.toThrow(/closed/);
  const again = await query(token, id, 'INSERT INTO RESENT VALUES (1)');
  expect(again.data['rowset']).toEqual([['1']]);
  expect(await bench.server.sql('SELECT COUNT(*) AS N FROM RESENT')).toEqual([{ N: '1' }]);
});

test('an answer that is lost before is no execution; one that is lost for good stays lost', async () => {
  const driver = await bench.login();
  const token = await tokenOf(driver);
  await driver.execute('CREATE TABLE LOST (A NUMBER)');
  bench.server.fault({ when: /VALUES \(1\)/, kind: 'lost-before' });
  bench.server.fault({ when: /VALUES \(2\)/, kind: 'lost-for-good' });
  const [first, second] = [randomUUID(), randomUUID()];
  await expect(query(token, first, 'INSERT INTO LOST VALUES (1)')).rejects.toThrow(/closed/);
  await expect(query(token, second, 'INSERT INTO LOST VALUES (2)')).rejects.toThrow(/closed/);
  await expect(query(token, second, 'INSERT INTO LOST VALUES (2)')).rejects.toThrow(/closed/);
  expect(await bench.server.sql('SELECT A FROM LOST')).toEqual([{ A: '2' }]);
});

test('statuses of a service that is out of order', async () => {
  const token = await tokenOf(await bench.login());
  for (const [kind, status] of [
    ['http-500', 500],
    ['http-503', 503],
    ['http-403', 403],
    ['http-503-after', 503],
  ] as const) {
    bench.server.fault({ when: /SELECT 1/, kind });
    expect((await query(token, randomUUID(), 'SELECT 1')).status, kind).toBe(status);
  }
});

test('a garbled answer is an unknown outcome, which the driver does not resend', async () => {
  const driver = await bench.login();
  await driver.execute('CREATE TABLE GARBLED (A NUMBER)');
  bench.server.fault({ when: /INSERT/, kind: 'garbled-after' });
  expect(await driver.codeOf('INSERT INTO GARBLED VALUES (1)')).toBe('401001');
  bench.server.fault({ when: /INSERT/, kind: 'garbled-before' });
  expect(await driver.codeOf('INSERT INTO GARBLED VALUES (2)')).toBe('401001');
  bench.server.fault({ when: /INSERT/, kind: 'garbled-for-good' });
  expect(await driver.codeOf('INSERT INTO GARBLED VALUES (3)')).toBe('401001');
  expect(await bench.server.sql('SELECT A FROM GARBLED ORDER BY A')).toEqual([{ A: '1' }, { A: '3' }]);
});

test('a slow statement runs until it is cancelled, and has done nothing or everything', async () => {
  const driver = await bench.login();
  await driver.execute('CREATE TABLE SLOW (A NUMBER)');
  bench.server.fault({ when: /VALUES \(1\)/, kind: 'slow' });
  bench.server.fault({ when: /VALUES \(2\)/, kind: 'slow-after' });
  for (const value of [1, 2]) {
    const asked = driver.codeOf(`INSERT INTO SLOW VALUES (${value})`);
    const running = await bench.server.whenRunning(new RegExp(`VALUES \\(${value}\\)`));
    expect((await send(`/queries/${running.id}/abort-request`, running.token, {})).code).toBeNull();
    expect(await asked).toBe('000604');
  }
  expect(await bench.server.sql('SELECT A FROM SLOW')).toEqual([{ A: '2' }]);
});

test('the driver cancels by request id what it has no query id of', async () => {
  const [holder, waiter] = [await bench.login(), await bench.login()];
  await holder.execute('CREATE TABLE HELD (A NUMBER)');
  await holder.execute('INSERT INTO HELD VALUES (1)');
  await holder.execute('BEGIN');
  await holder.execute('UPDATE HELD SET A = 2');
  let cancel: () => void = () => undefined;
  const code = new Promise((resolve) => {
    const statement = waiter.connection.execute({ sqlText: 'UPDATE HELD SET A = 3', complete: (error) => resolve(error?.code) });
    cancel = () => statement.cancel(() => undefined);
  });
  await bench.server.whenRunning(/A = 3/);
  cancel();
  expect(await code).toBe('000604');
  await holder.execute('COMMIT');
});

test('an asynchronous statement is asked for by its id', async () => {
  const driver = await bench.login();
  const token = await tokenOf(driver);
  const begun = await query(token, randomUUID(), 'SELECT 41 + 1 AS A', { asyncExec: true });
  expect(begun.code).toBe('333334');
  expect((await send(String(begun.data['getResultUrl']), token, null)).data['rowset']).toEqual([['42']]);
  const { statement } = await driver.execute('SELECT 1', { asyncExec: true });
  const id = statement.getQueryId();
  await send(`/queries/${id}/result`, token, null);
  expect(await driver.connection.getQueryStatus(id)).toBe('SUCCESS');
});

test('several statements in one request are several results, if their number is stated', async () => {
  const driver = await bench.login();
  expect(await driver.codeOf('SELECT 1; SELECT 2')).toBe('000008');
  const found: unknown[] = [];
  await new Promise<void>((resolve, reject) => {
    driver.connection.execute({
      sqlText: "SELECT 1 AS A; SELECT ';' AS B;",
      parameters: { MULTI_STATEMENT_COUNT: 2 },
      complete: (error, statement, rows) => {
        if (error) reject(error);
        found.push(rows?.[0]);
        const results = statement as unknown as { hasNext(): boolean; NextResult(): void };
        if (results.hasNext()) results.NextResult();
        else resolve();
      },
    });
  });
  expect(found).toEqual([{ A: 1 }, { B: ';' }]);
});

test('statements are kept with their session, tag and outcome', async () => {
  const driver = await bench.login();
  await driver.execute('ALTER SESSION SET QUERY_TAG = \'{"batch":"b1"}\'');
  bench.server.statements.length = 0;
  await driver.execute('SELECT 1');
  await driver.codeOf('SELECT * FROM NOWHERE');
  expect(bench.server.statements.map(({ sql, tag, status, code }) => [sql, tag, status, code])).toEqual([
    ['SELECT 1', '{"batch":"b1"}', 'succeeded', null],
    ['SELECT * FROM NOWHERE', '{"batch":"b1"}', 'failed', '002003'],
  ]);
  expect(
    await driver.rows(
      'SELECT QUERY_TEXT, QUERY_TAG, ERROR_CODE FROM TABLE(DB.INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION(RESULT_LIMIT => 2))',
    ),
  ).toMatchObject([{ ERROR_CODE: null }, { QUERY_TEXT: 'SELECT * FROM NOWHERE', QUERY_TAG: '{"batch":"b1"}', ERROR_CODE: '002003' }]);
  await driver.execute('ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1');
  expect(await driver.codeOf('CALL SYSTEM$WAIT(5)')).toBe('000630');
});

test('a suspended warehouse, and none at all', async () => {
  const driver = await bench.login();
  await driver.execute('CREATE TABLE COLD (A NUMBER)');
  bench.server.fault({ when: /COLD/, kind: 'warehouse-suspended' });
  expect(await driver.codeOf('SELECT * FROM COLD')).toBe('000606');
  bench.server.fault({ when: /COLD/, kind: 'lock-timeout' });
  expect(await driver.codeOf('UPDATE COLD SET A = 1')).toBe('000625');
  const without = await Driver.login(bench.server, { ...keyLogin(bench.privateKey), warehouse: 'NONE' });
  expect(await without.codeOf('SELECT * FROM COLD')).toBe('000606');
  await without.close();
});
