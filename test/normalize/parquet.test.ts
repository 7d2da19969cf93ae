import { type Table, tableFromIPC } from 'apache-arrow';
import { readParquet } from 'parquet-wasm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { bodyOf, contentHash, landedPage, openStage, type Stage } from './support.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const FIRST =
  '{"id":"a","updated_at":"2026-11-20T10:00:00.123456Z","v":1,"amount":12345678901234567890.123456,"o":{"x":[1,2],"é \\"q\\"":true},"Twin":1,"twin":2}';
const SECOND = '{"id":"b","updated_at":"2026-11-20T10:00:00Z","v":9007199254740993,"amount":-0.5,"mixed":[1,"x"]}';

test('R10, R13: an independent reader finds the same rows in the Parquet, with lineage and every digit', async () => {
  const store = memoryStore();
  const page = await landedPage(store, 'p', bodyOf([FIRST, SECOND]));
  const { batch } = await stage.normalize(store, [page]);
  expect(batch.files).toHaveLength(1);
  const table = await read(store, batch.files[0]?.key ?? '');
  expect(table.numRows).toBe(2);
  expect(table.schema.fields.map((field) => `${field.name} ${String(field.type)}`)).toEqual([
    'environment Utf8',
    'id Utf8',
    expect.stringMatching(/^updated_at Timestamp<MICROSECOND/),
    'v Int64',
    'amount Decimal[38e+6]',
    'mixed List<Utf8>',
    'o Struct<{x:List<Int64>, é "q":Bool}>',
    '_overflow Map<{key:Utf8, value:Utf8}>',
    '_page Utf8',
    '_position Int32',
    '_content_hash Utf8',
    '_batch Utf8',
  ]);
  const [a, b] = cell(table, 'id', 0) === 'a' ? [0, 1] : [1, 0];
  expect(['id', 'environment', 'updated_at', 'v'].map((name) => cell(table, name, a))).toEqual(['a', 'prod', 1_795_168_800_123.456, 1n]);
  expect(unscaled(cell(table, 'amount', a))).toBe(12_345_678_901_234_567_890_123_456n);
  expect(String(cell(table, 'o', a))).toBe('{"x": ["1","2"], "é "q"": true}');
  expect(String(cell(table, '_overflow', a))).toBe('{"Twin": "1", "twin": "2"}');
  expect(['mixed', 'o', '_overflow'].map((name) => cell(table, name, a) === null)).toEqual([true, false, false]);

  expect(cell(table, 'v', b)).toBe(9_007_199_254_740_993n);
  expect(unscaled(cell(table, 'amount', b))).toBe(-500_000n);
  expect([...(cell(table, 'mixed', b) as Iterable<string>)]).toEqual(['1', '"x"']);
  expect(['_page', '_position', '_content_hash', '_batch'].map((name) => cell(table, name, b))).toEqual([
    'raw/v1/events/p.json.zst',
    1,
    contentHash(SECOND),
    batch.id,
  ]);
});

async function read(store: ObjectStore, key: string): Promise<Table> {
  const bytes = (await store.get(key))?.body ?? Buffer.alloc(0);
  return tableFromIPC(readParquet(bytes).intoIPCStream());
}

const cell = (table: Table, column: string, row: number): unknown => table.getChild(column)?.get(row);

/** Digits without their point, from 128 bits in words of 32, the lowest first. */
function unscaled(value: unknown): bigint {
  const words = [...(value as Uint32Array)];
  return BigInt.asIntN(
    128,
    words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n),
  );
}
