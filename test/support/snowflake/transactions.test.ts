import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type ServerBench, serverBench } from './bench.ts';
import type { Driver } from './driver.ts';

let bench: ServerBench;
let one: Driver;
let other: Driver;
let table = '';
beforeAll(async () => {
  bench = await serverBench();
  [one, other] = [await bench.login(), await bench.login()];
});
afterAll(() => bench.close());
let tables = 0;
beforeEach(async () => {
  table = `T${(tables += 1)}`;
  await one.execute(`CREATE TABLE ${table} (A NUMBER)`);
  await one.execute(`INSERT INTO ${table} VALUES (1)`);
});

const seen = async (driver: Driver): Promise<unknown[]> => (await driver.rows(`SELECT A FROM ${table} ORDER BY A`)).map((row) => row['A']);

test('what is open is seen by nobody else, and a rollback takes it back', async () => {
  await one.execute('BEGIN');
  await one.execute(`INSERT INTO ${table} VALUES (2)`);
  expect([await seen(one), await seen(other), await seen(one)]).toEqual([[1, 2], [1], [1, 2]]);
  await one.execute('ROLLBACK');
  expect(await seen(one)).toEqual([1]);
});

test('each statement sees what was committed before it began', async () => {
  await one.execute('BEGIN');
  await one.execute(`INSERT INTO ${table} VALUES (2)`);
  expect(await seen(one)).toEqual([1, 2]);
  await other.execute(`INSERT INTO ${table} VALUES (3)`);
  expect(await seen(one)).toEqual([1, 2, 3]);
  await one.execute('COMMIT');
  expect(await seen(other)).toEqual([1, 2, 3]);
});

test('a failed statement leaves its transaction open, with what was before it', async () => {
  await one.execute('BEGIN');
  await one.execute(`INSERT INTO ${table} VALUES (2)`);
  expect(await one.codeOf(`INSERT INTO ${table} VALUES ('x')`)).toBe('100038');
  expect(await one.codeOf('SELECT * FROM NOWHERE')).toBe('002003');
  await one.execute(`INSERT INTO ${table} VALUES (3)`);
  await one.execute('COMMIT');
  expect(await seen(other)).toEqual([1, 2, 3]);
});

test('a DDL commits what was open', async () => {
  await one.execute('BEGIN');
  await one.execute(`INSERT INTO ${table} VALUES (2)`);
  await one.execute(`ALTER TABLE ${table} ADD COLUMN B DATE`);
  await one.execute('ROLLBACK');
  expect(await seen(other)).toEqual([1, 2]);
});

test('without autocommit, a statement opens a transaction', async () => {
  await one.execute('ALTER SESSION SET AUTOCOMMIT = FALSE');
  await one.execute(`INSERT INTO ${table} VALUES (2)`);
  expect(await seen(other)).toEqual([1]);
  await one.execute('COMMIT');
  await one.execute('ALTER SESSION SET AUTOCOMMIT = TRUE');
  expect(await seen(other)).toEqual([1, 2]);
});

test('who would change rows waits for who has changed some, and then sees them', async () => {
  await one.execute('BEGIN');
  await one.execute(`UPDATE ${table} SET A = A + 1`);
  const waiting = other.rows(`UPDATE ${table} SET A = A * 10`);
  await bench.server.whenLocked(table);
  expect(await seen(one)).toEqual([2]);
  await one.execute('COMMIT');
  expect(await waiting).toEqual([{ 'number of rows updated': 1, 'number of multi-joined rows updated': 0 }]);
  expect(await seen(one)).toEqual([20]);
});

test('an update that changes nothing holds nothing up, and nor does an insert', async () => {
  await one.execute('BEGIN');
  await one.execute(`UPDATE ${table} SET A = 2 WHERE A = 99`);
  await one.execute(`INSERT INTO ${table} VALUES (5)`);
  await other.execute(`UPDATE ${table} SET A = 7`);
  await one.execute('COMMIT');
  expect(await seen(one)).toEqual([5, 7]);
});

test('waiting ends with LOCK_TIMEOUT, or with the time for statements, and leaves the transaction', async () => {
  await one.execute('BEGIN');
  await one.execute(`DELETE FROM ${table}`);
  await other.execute('BEGIN');
  await other.execute(`INSERT INTO ${table} VALUES (2)`);
  for (const [parameters, seconds, code] of [
    ['LOCK_TIMEOUT = 60', 60, '000625'],
    ['STATEMENT_TIMEOUT_IN_SECONDS = 30', 30, '000630'],
  ] as const) {
    await other.execute(`ALTER SESSION SET ${parameters}`);
    const waiting = other.codeOf(`UPDATE ${table} SET A = 3`);
    await bench.server.whenLocked(table);
    bench.clock.advance(seconds * 1000);
    expect(await waiting).toBe(code);
  }
  await other.execute('ALTER SESSION UNSET STATEMENT_TIMEOUT_IN_SECONDS');
  await one.execute('ROLLBACK');
  await other.execute('COMMIT');
  expect(await seen(one)).toEqual([1, 2]);
});

test('two that wait for one another: the later one is refused', async () => {
  await one.execute(`CREATE TABLE ${table}B (A NUMBER)`);
  await one.execute(`INSERT INTO ${table}B VALUES (1)`);
  await one.execute('BEGIN');
  await one.execute(`UPDATE ${table} SET A = 2`);
  await other.execute('BEGIN');
  await other.execute(`UPDATE ${table}B SET A = 2`);
  const waiting = one.execute(`UPDATE ${table}B SET A = 3`);
  await bench.server.whenLocked(`${table}B`);
  expect(await other.codeOf(`UPDATE ${table} SET A = 3`)).toBe('000625');
  await other.execute('ROLLBACK');
  await waiting;
  await one.execute('COMMIT');
  expect(await seen(other)).toEqual([2]);
});

test('a session that ends lets go of its locks', async () => {
  const third = await bench.login();
  await third.execute('BEGIN');
  await third.execute(`UPDATE ${table} SET A = 2`);
  const waiting = other.execute(`UPDATE ${table} SET A = A + 10`);
  await bench.server.whenLocked(table);
  await third.close();
  await waiting;
  expect(await seen(one)).toEqual([11]);
});

test('of two that create one table, the second finds it', async () => {
  const create = `CREATE TABLE IF NOT EXISTS ${table}C (A NUMBER)`;
  const answers = await Promise.all([one.rows(create), other.rows(create)]);
  expect(new Set(answers.flat().map((row) => row['status']))).toEqual(
    new Set([`${table}C already exists, statement succeeded.`, `Table ${table}C successfully created.`]),
  );
});
