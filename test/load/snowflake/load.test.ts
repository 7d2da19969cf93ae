import { expect, test } from 'vitest';
import { HOUR } from '../../../src/time.ts';
import { number } from '../../support/canonical-json.ts';
import { integer, text } from '../../support/typed-sql.ts';
import { expectedTable, makeStream, observe, START, schemaOf, tableOf } from '../support.ts';
import { snowflakeBench } from './bench.ts';

const bench = snowflakeBench();
const stream = makeStream();
const schema = schemaOf(1, { amount: integer, note: text });
const first = [observe('1', 1, { amount: number(5n, 0), note: 'a' }), observe('2', 1, { amount: null, note: 'b' })];
const second = [observe('2', 2, { amount: number(7n, 0), note: null }), observe('3', 1, { amount: null, note: 'c' })];

test('smoke', async () => {
  const warehouse = bench.open();
  const one = await bench.batch('one', schema, first);
  const two = await bench.batch('two', schema, second);
  await warehouse.migrate(stream, schema);
  expect(await warehouse.load(stream, one.batch, one.files, START)).toMatchObject({
    outcome: 'loaded',
    inserted: 2,
    updated: 0,
    unchanged: 0,
  });
  expect(await warehouse.load(stream, two.batch, two.files, START)).toMatchObject({
    outcome: 'loaded',
    inserted: 1,
    updated: 1,
    unchanged: 0,
  });
  expect(await warehouse.load(stream, one.batch, one.files, START + HOUR)).toMatchObject({ outcome: 'already', inserted: 2, updated: 0 });
  expect(await tableOf(warehouse, stream)).toEqual(expectedTable([...first, ...second], schema));
  expect((await warehouse.ledger('payments')).map((entry) => entry.batch)).toEqual(['one', 'two']);
  expect(await warehouse.watermark('payments')).toBe(START + HOUR);
});
