import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEngine } from '../../../src/engine.ts';
import { type ServerBench, serverBench } from './bench.ts';
import type { Driver } from './driver.ts';

let bench: ServerBench;
let driver: Driver;
beforeAll(async () => {
  bench = await serverBench();
  driver = await bench.login();
});
afterAll(() => bench.close());

const rows = (sql: string, binds?: unknown[]): Promise<Record<string, unknown>[]> => driver.rows(sql, binds ? { binds } : {});
const run = async (...statements: string[]): Promise<void> => {
  for (const sql of statements) await driver.execute(sql);
};
const asText = { fetchAsString: ['Number', 'Date', 'JSON'] };

test('numbers arrive digit for digit, instants to the microsecond', async () => {
  const sql = `SELECT 99999999999999999999999999999999999999 AS A, '-1234567890123456789012345678901234.56'::NUMBER(38,2) AS B,
    TO_TIMESTAMP_LTZ(1793491200000001, 6) AS C, '1969-12-31 23:59:59.999999'::TIMESTAMP_NTZ AS D, '2026-11-01'::DATE AS E, TRUE AS F, NULL AS G`;
  const { statement } = await driver.execute(sql);
  expect((statement.getColumns() ?? []).map((column) => [column.getType(), column.getScale()]).slice(0, 6)).toEqual([
    ['fixed', 0],
    ['fixed', 2],
    ['timestamp_ltz', 6],
    ['timestamp_ntz', 6],
    ['date', null],
    ['boolean', null],
  ]);
  const [row] = await bench.server.sql(sql);
  expect(row).toEqual({
    A: '99999999999999999999999999999999999999',
    B: '-1234567890123456789012345678901234.56',
    C: '1793491200.000001',
    D: '-0.000001',
    E: '20758',
    F: '1',
    G: null,
  });
  expect((await driver.rows(sql, asText))[0]).toMatchObject({ A: row?.['A'], B: row?.['B'] });
});

test('names are in capitals unless they are quoted, and differ by case', async () => {
  await run('CREATE TABLE names (a NUMBER, "a" NUMBER)', 'INSERT INTO NAMES (A, "a") VALUES (1, 2)');
  expect(await rows('SELECT a, "a", n."A" + 1 AS "sum" FROM Names n')).toEqual([{ A: 1, a: 2, sum: 2 }]);
  expect(await driver.codeOf('SELECT "b" FROM NAMES')).toBe('000904');
  expect(await driver.codeOf('SELECT * FROM "names"')).toBe('002003');
});

test('a text has its backslash sequences', async () => {
  expect(await rows(String.raw`SELECT 'it''s\n\\x\'\u00e9\z' AS A, $$a\n'$$ AS B`)).toEqual([{ A: "it's\n\\x'éz", B: String.raw`a\n'` }]);
});

test('binds keep their types and are nothing but values', async () => {
  const [row] = await rows('SELECT ? AS A, ? + 1 AS B, ? AS C, ? AS D, :2 AS E', ["x'; DROP TABLE Y --\\", 41, true, null]);
  expect(row).toEqual({ A: "x'; DROP TABLE Y --\\", B: 42, C: true, D: null, E: 41 });
});

test('a VARIANT keeps what JSON says, and is cast by what it holds', async () => {
  await run(
    'CREATE TABLE V (V VARIANT)',
    `INSERT INTO V SELECT PARSE_JSON('{"b": {"C d": [1, 2.50]}, "a": null, "n": 12345678901234567890.25}')`,
  );
  const [row] = await rows(
    `SELECT TO_JSON(V) AS J, V:b."C d"[1]::NUMBER(9,1) AS P, V:B AS MISSING, V:n::NUMBER(38,2)::VARCHAR AS N, V:a::VARCHAR AS Z, IS_NULL_VALUE(V:a) AS Y,
     TYPEOF(V:b) AS T, TO_JSON(OBJECT_INSERT(OBJECT_INSERT(V::OBJECT, 'x', 'y', TRUE), 'z', NULL)) AS O, TO_JSON(GET_PATH(V, '"b"."C d"')) AS G FROM V`,
  );
  expect(row).toEqual({
    J: '{"a":null,"b":{"C d":[1,2.5]},"n":12345678901234567890.25}',
    P: 2.5,
    MISSING: null,
    N: '12345678901234567890.25',
    Z: null,
    Y: true,
    T: 'OBJECT',
    O: '{"a":null,"b":{"C d":[1,2.5]},"n":12345678901234567890.25,"x":"y"}',
    G: '[1,2.5]',
  });
  expect(await driver.codeOf(`INSERT INTO V VALUES (PARSE_JSON('1'))`)).toBe('002014');
});

test('NULL sorts as the greatest, makes GREATEST null, and leaves COUNT(DISTINCT a, b)', async () => {
  const values = "FROM (VALUES (1, 'a'), (NULL, 'b'), (2, 'a'), (2, 'a')) AS V (N, T)";
  expect((await rows(`SELECT N ${values} ORDER BY N DESC`)).map((row) => row['N'])).toEqual([null, 2, 2, 1]);
  expect(
    await rows(`SELECT GREATEST(1, NULL) AS G, COUNT(DISTINCT N, T) AS C, LISTAGG(T, '-') WITHIN GROUP (ORDER BY T) AS L ${values}`),
  ).toEqual([{ G: null, C: 2, L: 'a-a-a-b' }]);
});

test('a column may get more digits and a longer text, and nothing else', async () => {
  await run('CREATE TABLE WIDE (N NUMBER(9,2), T VARCHAR(10))', "INSERT INTO WIDE VALUES (1.25, 'x')");
  await run('ALTER TABLE WIDE ALTER COLUMN N SET DATA TYPE NUMBER(38,2)', 'ALTER TABLE WIDE ALTER COLUMN T SET DATA TYPE VARCHAR(20)');
  expect(await driver.codeOf('ALTER TABLE WIDE ALTER COLUMN N SET DATA TYPE NUMBER(38,3)')).toBe('002108');
  expect(await driver.codeOf('ALTER TABLE WIDE ALTER COLUMN N SET DATA TYPE VARCHAR')).toBe('002108');
  await run("ALTER TABLE WIDE ADD COLUMN A VARIANT COMMENT 'more', B DATE");
  expect(await driver.codeOf('ALTER TABLE WIDE ADD COLUMN A VARCHAR')).toBe('001430');
  expect(await driver.codeOf('ALTER TABLE WIDE ADD COLUMN C DATE NOT NULL')).toBe('002028');
  const columns = await rows(
    `SELECT COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION AS P, NUMERIC_SCALE AS S, COMMENT FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'WIDE' ORDER BY ORDINAL_POSITION`,
  );
  expect(columns.map((column) => Object.values(column))).toEqual([
    ['N', 'NUMBER', 38, 2, null],
    ['T', 'TEXT', null, null, null],
    ['A', 'VARIANT', null, null, 'more'],
    ['B', 'DATE', null, null, null],
  ]);
});

test('what is NOT NULL refuses NULL; what is there already, or is not there, is an error of its own', async () => {
  await run('CREATE TABLE FULL_ROWS (A NUMBER NOT NULL)');
  expect(await driver.codeOf('INSERT INTO FULL_ROWS VALUES (NULL)')).toBe('100072');
  expect(await driver.codeOf("INSERT INTO FULL_ROWS VALUES ('x')")).toBe('100038');
  expect(await driver.codeOf('CREATE TABLE FULL_ROWS (A NUMBER)')).toBe('002002');
  expect(await driver.codeOf('CREATE TABLE IF NOT EXISTS FULL_ROWS (A NUMBER)')).toBeNull();
  expect(await driver.codeOf('DROP TABLE NOWHERE')).toBe('002003');
  expect(await driver.codeOf('SELECT NO_SUCH_FUNCTION(1)')).toBe('002140');
  expect(await driver.codeOf('SELEKT 1')).toBe('001003');
  expect(await driver.codeOf('CREATE PIPE P AS COPY INTO T FROM @S')).toBe('000002');
});

test('roles, grants, tags and policies are kept', async () => {
  await bench.server.sql(`
    CREATE ROLE READER; GRANT USAGE ON SCHEMA DB.PUBLIC TO ROLE READER; GRANT SELECT, INSERT ON FUTURE TABLES IN SCHEMA DB.PUBLIC TO ROLE READER;
    REVOKE INSERT ON FUTURE TABLES IN SCHEMA DB.PUBLIC FROM ROLE READER;
    CREATE TAG PERSONAL ALLOWED_VALUES 'value'; CREATE MASKING POLICY MASK AS (VAL VARCHAR) RETURNS VARCHAR -> '***';
    CREATE TABLE PEOPLE (EMAIL VARCHAR); ALTER TABLE PEOPLE MODIFY COLUMN EMAIL SET TAG PERSONAL = 'value'`);
  expect(
    bench.server.catalogue.grants
      .filter(({ grantee }) => grantee === 'READER')
      .map(({ privilege, on, name }) => `${privilege} ON ${on} ${name}`),
  ).toEqual(['USAGE ON SCHEMA DB.PUBLIC', 'SELECT ON FUTURE TABLES IN SCHEMA DB.PUBLIC']);
  expect(bench.server.catalogue.column(['DB', 'PUBLIC', 'PEOPLE'], 'EMAIL').tags).toEqual(new Map([['DB.PUBLIC.PERSONAL', 'value']]));
  expect(await driver.codeOf('USE ROLE READER')).toBe('003013');
});

test('a role sees through a view what policies leave it of rows and personal columns', async () => {
  await bench.server.sql(`
    CREATE ROLE SEEING; CREATE ROLE MASKED; CREATE TAG SECRET; CREATE TAG MEMBERS;
    CREATE MASKING POLICY MASK_TEXT AS (VAL VARCHAR) RETURNS VARCHAR -> '?';
    ALTER MASKING POLICY MASK_TEXT SET BODY -> CASE WHEN IS_ROLE_IN_SESSION('SEEING') OR VAL IS NULL THEN VAL ELSE '***' END;
    CREATE MASKING POLICY MASK_MEMBERS AS (VAL VARIANT) RETURNS VARIANT -> CASE WHEN IS_ROLE_IN_SESSION('SEEING') THEN VAL
      WHEN SYSTEM$GET_TAG_ON_CURRENT_COLUMN('DB.PUBLIC.MEMBERS') = 'a' THEN OBJECT_INSERT(VAL::OBJECT, 'a', '***', TRUE)::VARIANT ELSE NULL END;
    ALTER TAG SECRET SET MASKING POLICY MASK_TEXT FORCE; ALTER TAG SECRET SET MASKING POLICY MASK_MEMBERS FORCE;
    CREATE ROW ACCESS POLICY PROD AS (E VARCHAR) RETURNS BOOLEAN -> E = 'prod' OR IS_ROLE_IN_SESSION('SEEING');
    CREATE TABLE GUARDED (ENV VARCHAR, EMAIL VARCHAR, DETAIL VARIANT) WITH ROW ACCESS POLICY PROD ON (ENV);
    ALTER TABLE GUARDED MODIFY COLUMN EMAIL SET TAG SECRET = 'v', COLUMN DETAIL SET TAG SECRET = 'v', MEMBERS = 'a';
    INSERT INTO GUARDED SELECT 'prod', 'x@y', PARSE_JSON('{"a": 1, "b": 2}') UNION ALL SELECT 'sandbox', NULL, NULL;
    CREATE VIEW GUARDED_VIEW (E, MAIL, D) AS SELECT ENV, EMAIL, TO_JSON(DETAIL) FROM GUARDED`);
  const as = (role: string): Promise<Record<string, unknown>[]> =>
    rows(`EXECUTE USING POLICY_CONTEXT(CURRENT_ROLE => '${role}') AS SELECT * FROM GUARDED_VIEW ORDER BY E`);
  const all = [
    { E: 'prod', MAIL: 'x@y', D: '{"a":1,"b":2}' },
    { E: 'sandbox', MAIL: null, D: null },
  ];
  expect(await as('SEEING')).toEqual(all);
  expect(await as('MASKED')).toEqual([{ E: 'prod', MAIL: '***', D: '{"a":"***","b":2}' }]);
  expect(await rows('SELECT * FROM GUARDED_VIEW')).toEqual(await as('MASKED'));
  expect(await bench.server.sql('SELECT * FROM GUARDED_VIEW ORDER BY E')).toEqual(all);
});

test('a view has the types of its query and the comments of its columns', async () => {
  await run(
    'CREATE TABLE BASE (A NUMBER(38,0), A__2 NUMBER(38,2))',
    'INSERT INTO BASE VALUES (1, NULL), (NULL, 2.5)',
    `CREATE OR REPLACE VIEW SHOWN (A COMMENT 'sum') COPY GRANTS COMMENT = 'all' AS SELECT COALESCE(A__2, A::NUMBER(38,2)) AS A FROM BASE`,
    'ALTER TABLE BASE ADD COLUMN C DATE',
  );
  expect(await rows('SELECT * FROM SHOWN ORDER BY A')).toEqual([{ A: 1 }, { A: 2.5 }]);
  expect(await rows(`SELECT COLUMN_NAME, NUMERIC_SCALE, COMMENT FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'SHOWN'`)).toEqual([
    { COLUMN_NAME: 'A', NUMERIC_SCALE: 2, COMMENT: 'sum' },
  ]);
});

test('MERGE counts what it did, inserts a new key twice, and refuses to update a row twice', async () => {
  await run('CREATE TABLE KEPT (K VARCHAR, N NUMBER, ROWID NUMBER)', "INSERT INTO KEPT VALUES ('a', 1, 0), ('b', 1, 0), ('c', 1, 0)");
  const merge = (source: string, when = 's.N > t.N'): string => `MERGE INTO KEPT AS t USING (${source}) AS s ON t.K = s.K
    WHEN MATCHED AND ${when} THEN UPDATE SET t.N = s.N WHEN NOT MATCHED THEN INSERT (K, N) VALUES (s.K, s.N)`;
  expect(await rows(merge("SELECT 'a' AS K, 2 AS N UNION ALL SELECT 'b', 0 UNION ALL SELECT 'z', 5 UNION ALL SELECT 'z', 6"))).toEqual([
    { 'number of rows inserted': 2, 'number of rows updated': 1 },
  ]);
  const twice = "SELECT 'a' AS K, 8 AS N UNION ALL SELECT 'a', 9";
  expect(await driver.codeOf(merge(twice))).toBe('100090');
  // Of two that match, one meets the condition.
  expect(await rows(merge(twice, 's.N > 8'))).toEqual([{ 'number of rows inserted': 0, 'number of rows updated': 1 }]);
  expect(await rows('SELECT K, N FROM KEPT ORDER BY K, N')).toEqual([
    { K: 'a', N: 9 },
    { K: 'b', N: 1 },
    { K: 'c', N: 1 },
    { K: 'z', N: 5 },
    { K: 'z', N: 6 },
  ]);
});

test('COPY reads columns of named files, skips for 64 days what it has loaded, and does not find what is not there', async () => {
  await parquetFile(
    'one.parquet',
    `SELECT 'k' || i AS "id", (i || '.25')::DECIMAL(18,2) AS amount, make_timestamptz(1793491200000001) AS at, [i, 2] AS list, '\\N' AS text FROM range(2) r(i)`,
  );
  await run(
    "CREATE STAGE FILES URL = 's3://bucket/prefix/' STORAGE_INTEGRATION = BUCKET",
    'CREATE TABLE COPIED (ID VARCHAR, AMOUNT NUMBER(38,2), AT TIMESTAMP_LTZ(6), LIST VARIANT, TEXT VARCHAR, MISSING VARCHAR)',
  );
  const copy = (
    file: string,
    rest = '',
  ): string => `COPY INTO COPIED FROM (SELECT $1:"id"::VARCHAR, $1:amount::NUMBER(38,2), $1:"at"::TIMESTAMP_LTZ(6), $1:"list"::VARIANT,
    $1:"text"::VARCHAR, $1:"ID"::VARCHAR FROM @FILES/day) FILES = ('${file}') FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE${rest})`;
  expect(await rows(copy('/one.parquet'))).toMatchObject([
    { file: 's3://bucket/prefix/day/one.parquet', status: 'LOADED', rows_parsed: 2, rows_loaded: 2 },
  ]);
  expect(await rows(copy('/one.parquet'))).toEqual([{ status: 'Copy executed with 0 files processed.' }]);
  expect(await rows(`${copy('/one.parquet', ' NULL_IF = ()')} FORCE = TRUE`)).toMatchObject([{ rows_loaded: 2 }]);
  bench.clock.advance(64 * 86_400_000);
  expect(await rows(copy('/one.parquet'))).toMatchObject([{ rows_loaded: 2 }]);
  expect(await driver.codeOf(copy('/two.parquet'))).toBe('091016');
  expect(
    await rows(
      `SELECT ID, AMOUNT, DATE_PART(EPOCH_MICROSECOND, AT) AS AT, TO_JSON(LIST) AS LIST, TEXT, MISSING, COUNT(*) AS N FROM COPIED WHERE ID = 'k1' GROUP BY ALL ORDER BY N`,
    ),
  ).toEqual([
    { ID: 'k1', AMOUNT: 1.25, AT: 1_793_491_200_000_001, LIST: '[1,2]', TEXT: '\\N', MISSING: null, N: 1 },
    { ID: 'k1', AMOUNT: 1.25, AT: 1_793_491_200_000_001, LIST: '[1,2]', TEXT: null, MISSING: null, N: 2 },
  ]);
});

async function parquetFile(name: string, sql: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'parquet-'));
  const engine = await openEngine({ path: ':memory:', threads: 1, memoryBytes: 1 << 28, tempDirectory: folder });
  await engine.run(`COPY (${sql}) TO '${join(folder, name)}' (FORMAT parquet)`);
  await engine.close();
  bench.staged.set(`s3://bucket/prefix/day/${name}`, await readFile(join(folder, name)));
  await rm(folder, { recursive: true });
}
