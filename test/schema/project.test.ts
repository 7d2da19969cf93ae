import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Engine, openEngine } from '../../src/engine.ts';
import { canonicalJson, exactJson, isObject, memberOf, parseExact } from '../../src/json/exact.ts';
import { measureBody } from '../../src/json/measure.ts';
import { duckdbType } from '../../src/schema/duckdb-types.ts';
import { jsonSql } from '../../src/schema/json-sql.ts';
import { projectRecord, recordNeedsProjection } from '../../src/schema/project.ts';
import { RecordRewriter, type Rewritten } from '../../src/schema/rewrite.ts';
import type { Shape } from '../../src/schema/shape.ts';
import { OVERFLOW, type RecordSchema } from '../../src/schema/types.ts';
import { schemaOf } from '../../src/schema/union.ts';
import { identifier, literal } from '../../src/sql.ts';
import { members, write } from '../normalize/records.ts';

let engine: Engine;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-project-'));
  engine = await openEngine({ path: ':memory:', threads: 1, memoryBytes: 512 * 1024 * 1024, tempDirectory: folder });
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

const shapeOf = (...texts: string[]): Shape =>
  measureBody(Buffer.from(`[${texts.join(',')}]`), { records: [], envelope: [], capture: [] }).shape;
const schemaFor = (shape: Shape): RecordSchema => schemaOf(shape, { columns: ['id'], fields: ['id'] }, 1);
const recordOf = (text: string) => {
  const record = parseExact(text);
  if (!isObject(record)) throw new Error(`no object: ${text}`);
  return record;
};

/** The columns that DuckDB's JSON reader makes of a line, as canonical text; those that are null left out. */
async function readAs(schema: RecordSchema, line: string): Promise<Record<string, string>> {
  const columns = [
    ...schema.fields.map(({ name, type }) => `${identifier(name)} ${duckdbType(type)}`),
    `${OVERFLOW} MAP(VARCHAR, VARCHAR)`,
  ];
  const path = join(folder, 'line.json');
  writeFileSync(path, `{"r":${line}}\n`);
  const values = [
    ...schema.fields.map(({ name, type }) => [name, jsonSql(`r.${identifier(name)}`, type)] as const),
    ...schema.overflow.map((name) => [name, `r.${OVERFLOW}[${literal(name)}]`] as const),
  ];
  const [row] = await engine.rows(
    `SELECT ${['1 AS one', ...values.map(([, sql], at) => `${sql} AS c${at}`)].join(', ')}
     FROM read_json(${literal(path)}, format = 'newline_delimited', columns = {r: ${literal(`STRUCT(${columns.join(', ')})`)}})`,
  );
  const entries = values.map(([name], at) => [name, row?.[`c${at}`] as string | null] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== null) as [string, string][]);
}

/** The record stands in a body, with others around it. */
function rewrite(text: string, shape: Shape, schema: RecordSchema): Rewritten {
  const body = Buffer.from(`[{"before":"\\"}"},${text}]`);
  return new RecordRewriter(body, shape, schema).rewrite(body.length - Buffer.byteLength(text) - 1, body.length - 1);
}

describe('projection', () => {
  test('R10: DuckDB reads from a projected record what the record says, and from any other record as well', async () => {
    const taken = { 'as it is': 0, rewritten: 0, whole: 0, unprojected: 0 };
    await fc.assert(
      fc.asyncProperty(members, members, async (mine, others) => {
        // Each name once: the stage sees to that before.
        const [text, other] = [mine, others].map((all) => exactJson(parseExact(write({ kind: 'object', members: all })))) as [
          string,
          string,
        ];
        const schema = schemaFor(shapeOf(text, other));
        const record = recordOf(text);
        const names = [...schema.fields.map((field) => field.name), ...schema.overflow];
        const said = Object.fromEntries(
          names.map((name) => [name, canonicalJson(memberOf(record, name))] as const).filter(([, value]) => value !== 'null'),
        );
        expect(await readAs(schema, projectRecord(record, schema, []))).toEqual(said);
        const rewritten = rewrite(text, shapeOf(text, other), schema);
        taken[typeof rewritten === 'string' ? rewritten : 'rewritten']++;
        if (typeof rewritten !== 'string') expect(await readAs(schema, rewritten.toString())).toEqual(said);
        if (rewritten !== 'as it is' && recordNeedsProjection(shapeOf(text), schema)) return;
        taken.unprojected++;
        expect(await readAs(schema, text)).toEqual(said);
      }),
      { numRuns: 150 },
    );
    for (const [way, times] of Object.entries(taken)) expect(times, way).toBeGreaterThan(0);
  });

  test('leaves ordinary records alone, and takes those apart that DuckDB would round, guess or mix up', () => {
    const needs = (text: string, ...others: string[]): boolean => recordNeedsProjection(shapeOf(text), schemaFor(shapeOf(text, ...others)));
    const ordinary = '{"a":12.5,"n":123456789012345678,"t":"x","o":{"l":[1,2,null]},"z":null}';
    expect(needs(ordinary)).toBe(false);
    expect(needs(ordinary, '{"a":0.25,"new":1}')).toBe(false);
    expect(needs(ordinary, '{"a":123456789012345678.25}')).toBe(false);
    expect(needs('{"a":123456789012}', '{"a":0.1234}')).toBe(true);
    for (const odd of [
      '{"a":1234567890123456.78}',
      '{"a":1e400}',
      '{"a":[1,"x"]}',
      '{"l":[{"y":1},{}]}',
      '{"o":{"x":1,"X":2}}',
      '{"B":1,"b":2}',
      '{"_page":1}',
      '{"_overflow":{}}',
      '{"":1}',
    ]) {
      expect(needs(odd), odd).toBe(true);
    }
  });

  test('only what would be lost is written anew, beside others that are as they were', () => {
    const plain = '{"id":"a", "a": 1.5, "n": 7, "o": {"p": {"x": "y"}, "m": null}, "t": "x"}';
    const odd = [
      '{"id":"b","a":1234567890123456.75}',
      '{"id":"c","n":12345678901234567890123}',
      '{"id":"d","o":{"m":"text"}}',
      '{"id":"e","o":{"m":{"deep":1.50}, "p":{}}}',
      '{"id":"f","o":{"p":{"x":null}}}',
      '{"id":"f","o":{"z":{"y":{}}, "m":null}}',
      '{"id":"g","a":1.5e0,"n":null}',
      '{"id":"h","\\u0061":1234567890123456.5}',
    ];
    const shape = shapeOf(plain, ...odd);
    expect([plain, ...odd].map((text) => rewrite(text, shape, schemaFor(shape)).toString())).toEqual([
      'as it is',
      '{"id":"b","a":"1234567890123456.75"}',
      '{"id":"c","n":"12345678901234567890123"}',
      '{"id":"d","o":{"m":"\\"text\\""}}',
      '{"id":"e","o":{"m":"{\\"deep\\":1.5}", "p":null}}',
      '{"id":"f","o":null}',
      '{"id":"f","o":null}',
      '{"id":"g","a":"1.5","n":null}',
      '{"id":"h","\\u0061":"1234567890123456.5"}',
    ]);
    const overflowing = shapeOf(plain, '{"id":"b","T":1}');
    expect(rewrite('{"id":"b","T":1}', overflowing, schemaFor(overflowing))).toBe('whole');
  });

  test('fixed fields pass as they were written', () => {
    const record = recordOf('{"id":12345678901234567890,"at":"x","a":1}');
    const schema = schemaFor(shapeOf('{"a":1}'));
    expect(projectRecord(record, schema, ['id', 'at', 'none'])).toBe('{"id":12345678901234567890,"at":"x","a":"1"}');
  });
});
