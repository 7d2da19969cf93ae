import {
  Bool,
  DateDay,
  Decimal,
  Field,
  Int32,
  Int64,
  makeData,
  Schema,
  Struct,
  Table,
  tableToIPC,
  Utf8,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import { expect, test } from 'vitest';
import { bound } from './binds.ts';
import { rowsOf } from './rows.ts';

/** Two's complement in four words of 32 bits. */
function words(value: bigint): number[] {
  const unsigned = BigInt.asUintN(128, value);
  return [0n, 32n, 64n, 96n].map((shift) => Number((unsigned >> shift) & 0xffff_ffffn));
}

test('an Arrow answer is read digit for digit, and instants to the nanosecond', () => {
  const decimal = new Decimal(2, 38, 128);
  const instant = new Struct([
    new Field('epoch', new Int64(), false),
    new Field('fraction', new Int32(), false),
    new Field('timezone', new Int32(), false),
  ]);
  const columns = {
    D: new Vector([
      makeData({ type: decimal, length: 2, data: Uint32Array.from([...words(-12345678901234567890123456789012345n), ...words(5n)]) }),
    ]),
    N: vectorFromArray([9007199254740993n, null], new Int64()),
    T: vectorFromArray([{ epoch: -1n, fraction: 1000, timezone: 1440 }, null], instant),
    DAY: vectorFromArray([new Date('2026-11-01'), null], new DateDay()),
    B: vectorFromArray([true, false], new Bool()),
    S: vectorFromArray(['ü', null], new Utf8()),
  };
  const schema = new Schema(Object.entries(columns).map(([name, vector]) => new Field(name, vector.type, true)));
  const base64 = Buffer.from(tableToIPC(new Table(schema, columns), 'stream')).toString('base64');
  const types = ['fixed', 'fixed', 'timestamp_tz', 'date', 'boolean', 'text'];
  expect(
    rowsOf(
      base64,
      types.map((type, index) => ({ name: `C${index}`, type, scale: null })),
    ),
  ).toEqual([
    ['-123456789012345678901234567890123.45', '9007199254740993', '-0.999999000 1440', '20758', '1', 'ü'],
    ['0.05', null, null, null, '0', null],
  ]);
});

test('binds are written into the statement as values', () => {
  const text = bound(`SELECT ?, '?', "?", ? -- ?`, { 1: { type: 'TEXT', value: "a\\'b" }, 2: { type: 'FIXED', value: '7' } });
  expect(text).toBe(String.raw`SELECT 'a\\''b', '?', "?", 7 -- ?`);
});
