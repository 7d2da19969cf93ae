import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Table, tableFromIPC } from 'apache-arrow';
import * as fc from 'fast-check';
import { readParquet } from 'parquet-wasm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Engine, openEngine } from '../../src/engine.ts';
import { canonicalJson, type ExactObject, exactJson, isObject, memberOf, parseExact } from '../../src/json/exact.ts';
import { measureBody } from '../../src/json/measure.ts';
import { Kernel } from '../../src/kernel.ts';
import { RecordTable } from '../../src/normalize/record-table.ts';
import { parquetOf } from '../../src/normalize/table-layout.ts';
import { HASH_AT, PLACE, Places } from '../../src/page/places.ts';
import { joinRowGroups } from '../../src/parquet/file.ts';
import { type RowGroup, RowGroupWriter } from '../../src/parquet/row-group.ts';
import { jsonSql } from '../../src/schema/json-sql.ts';
import { OVERFLOW, type RecordSchema } from '../../src/schema/types.ts';
import { schemaOf } from '../../src/schema/union.ts';
import { identifier, literal } from '../../src/sql.ts';
import { members, write } from './records.ts';

let engine: Engine;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-table-'));
  engine = await openEngine({ path: ':memory:', threads: 1, memoryBytes: 512 * 1024 * 1024, tempDirectory: folder });
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

const FIXED = '"id":"r","at":"2026-11-20T10:00:00.123456Z"';
const HASH = 'abcdef0123456789'.repeat(2);
const PAGE = 'raw/v1/events/page.json.zst';

/** @param fields JSON objects, each of a record but for its key and version. */
const recordTexts = (fields: readonly string[]): string[] =>
  fields.map((text) => (text === '{}' ? `{${FIXED}}` : `{${FIXED},${text.slice(1)}`));

const recordOf = (text: string): ExactObject => {
  const record = parseExact(text);
  if (!isObject(record)) throw new Error(`no object: ${text}`);
  return record;
};

interface Layout {
  readonly key: readonly [{ readonly name: string; readonly constant: null }];
  readonly version: readonly [{ readonly name: string; readonly form: 'iso' }];
  readonly schema: RecordSchema;
  readonly inputs: readonly [];
}

function layoutOf(records: readonly string[]): Layout {
  const { shape } = measureBody(Buffer.from(`[${records.join(',')}]`), { records: [], envelope: [], capture: [] });
  const schema = schemaOf(shape, { columns: ['id', 'at'], fields: ['id', 'at'] }, 1);
  return { key: [{ name: 'id', constant: null }], version: [{ name: 'at', form: 'iso' }], schema, inputs: [] };
}

interface Written {
  readonly path: string;
  /** Records that the kernel left to be read into objects. */
  readonly odd: number;
}

/** @param read all records into objects, rather than those alone that are odd. @param groupRows rows of a row group. */
function written(records: readonly string[], { read = false, groupRows = Number.POSITIVE_INFINITY } = {}): Written {
  const layout = layoutOf(records);
  const kernel = new Kernel();
  const table = new RecordTable(kernel, layout, 'b');
  const body = Buffer.from(`[${records.join(',')}]`);
  const places = placesOf(records);
  table.openBody(PAGE, body, places);
  const rowsPath = join(folder, 'rows');
  const file = openSync(rowsPath, 'w');
  const groups: RowGroup[] = [];
  const writer = new RowGroupWriter(kernel, (bytes) => writeSync(file, bytes));
  let odd = 0;
  for (let at = 0; at < records.length; ) {
    const { next, isOdd } = read ? { next: at, isOdd: true } : table.append(at, Math.min(records.length, at + groupRows - table.rows));
    if (isOdd) {
      table.appendExact(recordOf(records[next] ?? ''), next);
      odd++;
    }
    at = isOdd ? next + 1 : next;
    if (table.rows >= groupRows) groups.push(writer.flush(table.columns));
  }
  if (table.rows > 0) groups.push(writer.flush(table.columns));
  closeSync(file);
  const path = join(folder, 'part.parquet');
  expect(joinRowGroups(path, parquetOf(layout), [{ path: rowsPath, groups }])).toBe(records.length);
  return { path, odd };
}

/** Of an array without blanks. */
function placesOf(records: readonly string[]): Places {
  const bytes = Buffer.alloc(records.length * PLACE);
  let start = 1;
  for (const [position, text] of records.entries()) {
    const end = start + Buffer.byteLength(text);
    bytes.writeUInt32LE(start, position * PLACE);
    bytes.writeUInt32LE(end, position * PLACE + 4);
    bytes.write(HASH, position * PLACE + HASH_AT, 'latin1');
    start = end + 1;
  }
  return new Places(bytes);
}

type Row = Readonly<Record<string, string>>;

/** Rows as DuckDB reads them: canonical text by field, of columns and overflow alike; what is null is left out. */
async function rowsOf(path: string, { schema }: Layout): Promise<Row[]> {
  const values = [
    ...schema.fields.map(({ name, type }) => [name, jsonSql(`r.${identifier(name)}`, type)] as const),
    ...schema.overflow.map((name) => [name, `r.${OVERFLOW}[${literal(name)}]`] as const),
  ];
  const columns = ['1 AS one', ...values.map(([, sql], at) => `${sql} AS c${at}`)].join(', ');
  const rows = await engine.rows(`SELECT ${columns} FROM read_parquet(${literal(path)}) r ORDER BY _position`);
  return rows.map((row) =>
    Object.fromEntries(values.flatMap(([name], at) => (row[`c${at}`] === null ? [] : [[name, row[`c${at}`] as string]]))),
  );
}

function saidBy(text: string, { schema }: Layout): Row {
  const record = recordOf(text);
  const names = [...schema.fields.map((field) => field.name), ...schema.overflow];
  return Object.fromEntries(
    names.map((name) => [name, canonicalJson(memberOf(record, name))] as const).filter(([, value]) => value !== 'null'),
  );
}

describe('records as columns', () => {
  test('R10: say what the record says, whether the kernel reads its bytes or it is read into an object', async () => {
    const taken = { odd: 0, plain: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(members, { minLength: 1, maxLength: 4 }), fc.boolean(), async (all, once) => {
        const fields = all
          .map((each) => write({ kind: 'object', members: each }))
          .map((text) => (once ? exactJson(parseExact(text)) : text));
        const records = recordTexts(fields);
        const layout = layoutOf(records);
        const said = records.map((text) => saidBy(text, layout));
        const { path, odd } = written(records);
        taken.odd += odd;
        taken.plain += records.length - odd;
        expect(await rowsOf(path, layout)).toEqual(said);
        expect(await rowsOf(written(records, { read: true }).path, layout)).toEqual(said);
      }),
      { numRuns: 150 },
    );
    for (const [way, times] of Object.entries(taken)) expect(times, way).toBeGreaterThan(0);
  });

  test('the kernel reads alone whatever is neither named twice, nor by an escape, nor kept in the overflow', () => {
    const plain = [
      '{"a": 1.5, "n": 7, "o": {"p": {"x": "y"}, "m": null}, "t": "x"}',
      '{"a":1234567890123456.75}',
      '{"n":12345678901234567890123,"l":[{"y":1},{},null,[1]]}',
      '{"o":{"m":{"deep":1.50}, "p":{}}}',
      '{"o":{"z":{"y":{}}, "m":null},"a":1.5e0}',
      '{"t":"with \\"escapes\\" \\u00e9 \\ud83d\\ude00 \\\\ \\/ \\b\\f\\n\\r\\t"}',
    ];
    expect(written(recordTexts(plain)).odd).toBe(0);
    const odd = ['{"a":1,"a":2}', '{"o":{"p":1,"p":2}}', '{"\\u0061":1}', '{"B":1,"b":2}', '{"_page":1}', '{"":1}'];
    for (const text of odd) expect(written(recordTexts([text, '{"a":3}'])).odd, text).toBe(1);
  });

  test('an independent reader finds every value in every encoding, over several row groups', async () => {
    const records = recordTexts(Array.from({ length: 7001 }, (_, i) => fieldsOf(i)));
    const layout = layoutOf(records);
    const { path, odd } = written(records, { groupRows: 5000 });
    expect(odd).toBe(0);
    const said = records.map((text) => saidBy(text, layout));
    expect(await rowsOf(path, layout)).toEqual(said);
    const encodings = await engine.rows(`SELECT DISTINCT encodings FROM parquet_metadata(${literal(path)}) ORDER BY 1`);
    expect(encodings.map((row) => row['encodings'])).toEqual([
      'RLE, DELTA_BINARY_PACKED',
      'RLE, DELTA_LENGTH_BYTE_ARRAY',
      'RLE, PLAIN',
      'RLE, PLAIN, RLE_DICTIONARY',
    ]);
    const table: Table = tableFromIPC(readParquet(readFileSync(path)).intoIPCStream());
    expect(table.numRows).toBe(records.length);
    for (const [i, row] of said.entries()) {
      const cell = (name: string): unknown => table.getChild(name)?.get(i);
      const quoted = (name: string): string | undefined => (cell(name) === null ? undefined : JSON.stringify(cell(name)));
      expect([quoted('few'), quoted('many'), quoted('large'), cell('n')]).toEqual([
        row['few'],
        row['many'],
        row['large'],
        BigInt(row['n'] ?? ''),
      ]);
      expect([cell('_position'), cell('_page'), cell('_content_hash')]).toEqual([i, PAGE, HASH]);
    }
  });

  test('records that are left out or odd are passed over or read by themselves, wherever the body is cut into pieces', () => {
    const records = recordTexts(
      Array.from({ length: 2000 }, (_, i) => `{"n":${i},${i % 7 === 0 ? `"n":${i + 1},` : ''}"t":"${'x'.repeat(i % 300)}"}`),
    );
    const table = new RecordTable(new Kernel(), layoutOf(records), 'b');
    const places = placesOf(records);
    const isLeftOut = (i: number): boolean => i % 3 === 1 || i < 5 || i > 1990;
    for (const i of records.keys()) if (isLeftOut(i)) places.leaveOut(i);
    table.openBody(PAGE, Buffer.from(`[${records.join(',')}]`), places);
    const odd: number[] = [];
    let bytes = 0;
    for (let at = 0; at < records.length; ) {
      const appended = table.append(at, Math.min(records.length, at + 600));
      bytes += appended.bytes;
      if (appended.isOdd) {
        table.appendExact(recordOf(records[appended.next] ?? ''), appended.next);
        odd.push(appended.next);
      }
      at = appended.isOdd ? appended.next + 1 : appended.next;
    }
    const going = [...records.keys()].filter((i) => !isLeftOut(i));
    expect(odd).toEqual(going.filter((i) => i % 7 === 0));
    expect(table.rows).toBe(going.length);
    expect(table.columns.every((column) => column.rows === going.length)).toBe(true);
    expect(bytes).toBeGreaterThan(going.filter((i) => i % 7 !== 0).reduce((sum, i) => sum + Buffer.byteLength(records[i] ?? ''), 0) * 0.9);
  });

  /** Few and many different texts, one too long for deltas, numbers of all widths, nulls here and there, lists of lists. */
  function fieldsOf(i: number): string {
    const fields = [
      `"few":${i % 11 === 0 ? 'null' : `"f${i % 300}"`}`,
      `"many":"${'é'.repeat(i % 23)}${i}"`,
      `"large":"${i === 6000 ? 'x'.repeat(5_000_000) : `l${i}`}"`,
      `"n":${i % 2 === 0 ? '-' : ''}${i}${'7'.repeat(i % 15)}`,
      `"d":${i}.${String(i % 100).padStart(2, '0')}`,
      `"w":${i % 3 === 0 ? '-' : ''}1${'0'.repeat(i % 20)}${i}.25`,
      `"yes":${i % 5 === 0 ? 'null' : i % 2 === 0}`,
    ];
    if (i % 4 !== 0) fields.push(`"l":[${Array.from({ length: i % 4 }, (_, k) => `{"k":[${k},null,${i}],"s":"${k}"}`).join(',')}]`);
    return `{${fields.join(',')}}`;
  }
});
