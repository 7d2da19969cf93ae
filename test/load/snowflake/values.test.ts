import { describe, expect, test } from 'vitest';
import { overflowEntries, scalarJson } from '../../../src/load/snowflake/values.ts';
import { decimal, integer, json, list, struct, text } from '../../support/typed-sql.ts';

describe('a value of Snowflake is the canonical JSON of what was written', () => {
  const item = struct({ at: json, n: integer, price: decimal(38, 10), t: text });

  test.each([
    ['a number with zeros behind it', decimal(18, 2), '5.00', '5'],
    ['38 digits', decimal(38, 0), '12345678901234567890123456789012345678', '12345678901234567890123456789012345678'],
    ['a number as text', { kind: 'number-text' } as const, '1.5e+300', '1.5e+300'],
    ['a boolean', { kind: 'boolean' } as const, 'TRUE', 'true'],
    ['a text', text, 'a "b"\n', '"a \\"b\\"\\n"'],
    ['JSON', json, '{"a":1}', '{"a":1}'],
    ['members in another order, with nulls', item, '{"t":"x","price":1.500000000000000e+01,"n":null}', '{"price":15,"t":"x"}'],
    ['JSON inside', item, '{"at":"{\\"z\\":[1]}"}', '{"at":{"z":[1]}}'],
    ['a text inside that looks like JSON', item, '{"t":"{}"}', '{"t":"{}"}'],
    ['a number inside JSON’s column, from when it was one', item, '{"at":12.50}', '{"at":12.5}'],
    ['a list with nulls', list(item), '[{"n":1},null,{}]', '[{"n":1},null,{}]'],
    ['a null of VARIANT', item, 'null', null],
  ])('%s', (_, type, given, expected) => {
    expect(scalarJson(type, given)).toBe(expected);
  });

  test('null is none', () => {
    expect(scalarJson(item, null)).toBeNull();
  });
});

test.each([
  ['as entries', '{"key_value":[{"key":"b","value":"1"},{"key":"a","value":"\\"x\\""},{"key":"c","value":null}]}'],
  ['as an object', '{"b":"1","a":"\\"x\\"","c":null}'],
  ['as a list', '[{"key":"b","value":"1"},{"key":"a","value":"\\"x\\""},{"key":"c","value":"null"}]'],
  ['as pairs', '[["b","1"],["a","\\"x\\""]]'],
])('the overflow is read %s', (_, given) => {
  expect(Object.fromEntries(overflowEntries(given))).toEqual({ a: '"x"', b: '1' });
  expect([...overflowEntries(null), ...overflowEntries('null')]).toEqual([]);
});
