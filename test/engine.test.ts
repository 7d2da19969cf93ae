import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Engine, type EngineRow, isInterrupted, openEngine } from '../src/engine.ts';
import { identifier, literal, literalList } from '../src/sql.ts';
import { endChild, startChild } from './load/process.ts';

let folder: string;
let engine: Engine;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-engine-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(async () => {
  engine = await openEngine({ path: ':memory:', ...limits() });
});
afterEach(() => engine.close());

const limits = () => ({ threads: 1, memoryBytes: 256 << 20, tempDirectory: join(folder, 'spill') });

describe('values', () => {
  test('numbers, times and decimals arrive exactly', async () => {
    const [row] =
      await engine.rows(`SELECT 9007199254740991 AS safe, 9007199254740993 AS wide, -170141183460469231731687303715884105727::HUGEINT AS huge,
      1234567890123456.78::DECIMAL(38, 4) AS money, TIMESTAMPTZ '2026-11-20 10:00:00.000001+02' AS zoned, TIMESTAMP '1969-12-31 23:59:59.999999' AS early,
      0.5::DOUBLE AS half, true AS yes, NULL AS nothing, DATE '2026-11-20' AS day`);
    expect(row).toEqual({
      safe: 9_007_199_254_740_991,
      wide: 9_007_199_254_740_993n,
      huge: -170141183460469231731687303715884105727n,
      money: '1234567890123456.7800',
      zoned: Date.UTC(2026, 10, 20, 8) * 1000 + 1,
      early: -1,
      half: 0.5,
      yes: true,
      nothing: null,
      day: '2026-11-20',
    });
  });

  test('nested values arrive as arrays, objects and entries', async () => {
    const [row] = await engine.rows(`SELECT {'a': [1, NULL], 'b': {'c': 1.50::DECIMAL(4, 2)}} AS nested, MAP {'z': 1, 'a': 2} AS entries`);
    expect(row).toEqual({
      nested: { a: [1, null], b: { c: '1.50' } },
      entries: [
        { key: 'z', value: 1 },
        { key: 'a', value: 2 },
      ],
    });
  });

  test('times are read in UTC, whatever the machine says', async () => {
    expect(await engine.rows("SELECT CAST('2026-11-20 10:00:00' AS TIMESTAMPTZ) AS t")).toEqual([{ t: Date.UTC(2026, 10, 20, 10) * 1000 }]);
  });
});

describe('quoting', () => {
  test('any text comes back as it was: quotes, backslashes, NUL, newlines, emoji', async () => {
    const texts = ['', "it's", '\\n', 'a\0b', '\0', '\0\0', 'line\nline', '😀', "'; DROP TABLE x; --", '$$', '\u2028'];
    const rows = await engine.rows(
      `SELECT ${texts.map((text, index) => `${literal(text)} AS t${index}`).join(', ')}, ${literalList(texts)} AS list`,
    );
    expect(texts.map((_, index) => rows[0]?.[`t${index}`])).toEqual(texts);
    expect(rows[0]?.['list']).toEqual(texts);
    expect(await engine.rows(`SELECT ${literalList([])} AS list`)).toEqual([{ list: [] }]);
  });

  test('any name can be a column, but for those that no column can bear', async () => {
    for (const name of ['a.b', 'say "hi"', 'select', ' ', '😀', '__proto__']) {
      const rows = await engine.rows(`SELECT 1 AS ${identifier(name)}`);
      expect(Object.entries(rows[0] ?? {})).toEqual([[name, 1]]);
    }
    for (const name of ['', 'a\0b', '\ud800']) expect(() => identifier(name)).toThrow(/No column can be named/);
    expect(() => literal('\ud800')).toThrow(/lone surrogate/);
  });
});

describe('statements', () => {
  test('a stream gives every row in blocks, and can be left early', async () => {
    const blocks: EngineRow[][] = [];
    for await (const block of engine.stream('SELECT i FROM range(10000) t(i) ORDER BY i')) blocks.push(block);
    expect(blocks.length).toBeGreaterThan(1);
    expect(blocks.flat().map((row) => row['i'])).toEqual([...Array(10_000).keys()]);
    for await (const block of engine.stream('SELECT i FROM range(1000000000) t(i)')) {
      expect(block.length).toBeGreaterThan(0);
      break;
    }
  });

  test('statements that come at the same time, and streams beside them, do not disturb one another', async () => {
    await engine.run('CREATE TABLE t AS SELECT i FROM range(5000) t(i)');
    const counts = Array.from({ length: 5 }, () => engine.rows('SELECT count(*) AS n FROM t'));
    let seen = 0;
    for await (const block of engine.stream('SELECT * FROM t')) {
      seen += block.length;
      await engine.rows('SELECT count(*) FROM t');
    }
    expect(seen).toBe(5000);
    expect(await Promise.all(counts)).toEqual(Array.from({ length: 5 }, () => [{ n: 5000 }]));
  });

  test('an interrupted statement says so, and the database goes on', async () => {
    const endless = engine.rows('SELECT count(*) FROM range(1000000000000) a(i) WHERE i % 7 = 3');
    // The interrupt must meet the statement while it runs: it is repeated until it does.
    const repeat = setInterval(() => engine.interrupt(), 5);
    const error: unknown = await endless.catch((caught: unknown) => caught);
    clearInterval(repeat);
    expect(isInterrupted(error)).toBe(true);
    expect(isInterrupted(new Error('another'))).toBe(false);
    expect(await engine.rows('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('an error names the statement, and is not taken for a transient one', async () => {
    await expect(engine.rows('SELECT nope')).rejects.toMatchObject({
      code: 'WAREHOUSE',
      transient: false,
      data: { statement: 'SELECT nope' },
    });
    await expect(engine.run('SELEC 1')).rejects.toThrow(/syntax error/);
  });

  test('nothing is fetched at run time: an extension that is not built in is not there', async () => {
    await expect(engine.rows("SELECT * FROM read_csv('https://127.0.0.1:1/x.csv')")).rejects.toMatchObject({ code: 'WAREHOUSE' });
    expect(
      await engine.rows("SELECT current_setting('autoinstall_known_extensions') AS i, current_setting('autoload_known_extensions') AS l"),
    ).toEqual([{ i: false, l: false }]);
  });

  test('after close nothing runs any more, and closing again is harmless', async () => {
    const last = engine.rows('SELECT 1 AS one');
    await engine.close();
    await engine.close();
    expect(await last).toEqual([{ one: 1 }]);
    await expect(async () => engine.rows('SELECT 1')).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});

describe('files', () => {
  test('one file is open once: a second time in this process, by any path, and in another process, are refused as busy', async () => {
    const path = join(folder, 'once.duckdb');
    const link = join(folder, 'link.duckdb');
    const one = await openEngine({ path, ...limits() });
    symlinkSync(path, link);
    for (const again of [path, join(folder, '.', 'once.duckdb'), link]) {
      await expect(openEngine({ path: again, ...limits() })).rejects.toMatchObject({ code: 'WAREHOUSE_BUSY', transient: true });
    }
    await one.close();
    const child = await startChild('hold', path);
    await expect(openEngine({ path, ...limits() })).rejects.toMatchObject({ code: 'WAREHOUSE_BUSY', transient: true });
    await endChild(child, 'SIGKILL');
    await (await openEngine({ path, ...limits() })).close();
  });

  test('a file that is open for reading cannot be changed', async () => {
    const path = join(folder, 'read.duckdb');
    const writer = await openEngine({ path, ...limits() });
    await writer.run('CREATE TABLE t AS SELECT 1 AS one');
    await writer.close();
    const reader = await openEngine({ path, ...limits(), readOnly: true });
    expect(await reader.rows('SELECT * FROM t')).toEqual([{ one: 1 }]);
    await expect(reader.run('DELETE FROM t')).rejects.toMatchObject({ code: 'WAREHOUSE' });
    await reader.close();
  });

  test('a path that cannot be opened is named', async () => {
    const path = join(folder, 'absent', 'x.duckdb');
    await expect(openEngine({ path, ...limits() })).rejects.toThrow(`${path} cannot be opened`);
  });
});

describe('R12: a file whose process died after a commit', () => {
  /** Each computes something as the log is replayed, but the last two. */
  const CHANGES = [
    ['a member was added to a struct', 'ALTER TABLE t ADD COLUMN p.z VARCHAR', { p: { x: 5, z: null } }],
    ['a column was widened', 'ALTER TABLE t ALTER COLUMN a SET DATA TYPE VARCHAR USING to_json(a)', { a: '5' }],
    [
      'a column went to the overflow',
      `ALTER TABLE t ALTER COLUMN m SET DATA TYPE MAP(VARCHAR, VARCHAR) USING map_from_entries([struct_pack(key := 'a', value := to_json(a))]);
      ALTER TABLE t DROP COLUMN a`,
      { m: [{ key: 'a', value: '5' }] },
    ],
    ['a column was added', 'ALTER TABLE t ADD COLUMN b VARCHAR', { a: 5, b: null }],
    ['rows were changed', 'UPDATE t SET a = 6 WHERE a = 5', { a: 6 }],
  ] as const;

  test.for(CHANGES)('opens again, for reading or writing, with what was committed: %s', async ([name, statements, row]) => {
    for (const readOnly of [true, false]) {
      const path = join(folder, `${name}-${readOnly}.duckdb`);
      const before = await openEngine({ path, ...limits() });
      await before.run(
        "CREATE TABLE t (a INTEGER, p STRUCT(x INTEGER), m MAP(VARCHAR, VARCHAR)); INSERT INTO t VALUES (5, {'x': 5}, NULL)",
      );
      await before.close();
      const died = spawnSync(process.execPath, [join(import.meta.dirname, 'support/processes/die-after-commit.ts'), path, statements]);
      expect(died.signal, died.stderr.toString()).toBe('SIGKILL');
      const after = await openEngine({ path, ...limits(), readOnly });
      expect(await after.rows('SELECT * FROM t')).toEqual([expect.objectContaining(row)]);
      await after.close();
    }
  });

  test('opens again with what was there before, where it died in the middle of its commit', async () => {
    const path = join(folder, 'torn.duckdb');
    const before = await openEngine({ path, ...limits() });
    await before.run('CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (5)');
    await before.close();
    const [, widened] = CHANGES[1];
    const statements = `${widened}; INSERT INTO t SELECT i::VARCHAR FROM range(10_000) r(i)`;
    spawnSync(process.execPath, [join(import.meta.dirname, 'support/processes/die-after-commit.ts'), path, statements]);
    truncateSync(`${path}.wal`, 8192);
    for (const readOnly of [true, false]) {
      const after = await openEngine({ path, ...limits(), readOnly });
      expect(await after.rows('SELECT * FROM t')).toEqual([{ a: 5 }]);
      await after.close();
    }
  });
});
