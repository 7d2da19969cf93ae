import { DuckDBInstance } from '@duckdb/node-api';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
import { compareDecimals } from '../../src/gate/decimal.ts';
import { checkValue, parseRule, ruleSql } from '../../src/gate/rules.ts';
import { caught } from '../support/caught.ts';

const passes = (rule: string, json: string | null): boolean => checkValue(parseRule(rule), json);

describe('row rules', () => {
  test.each([
    ['present and >= 0', '12.50', true],
    ['present and >= 0', '0', true],
    ['present and >= 0', '-0.00', true],
    ['present and >= 0', '-0.01', false],
    ['present and >= 0', null, false],
    ['present and >= 0', 'null', false],
    ['in USD, CAD, MXN', '"CAD"', true],
    ['in USD, CAD, MXN', '"cad"', false],
    ['in USD, CAD, MXN', null, false],
    ['in USD, CAD, MXN or absent', null, true],
    ['in USD, CAD, MXN or absent', '"EUR"', false],
    ['in 840, 124', '840.0', true],
    ['in 840, 124', '"840"', false],
    ['in "840", true', '"840"', true],
    ['in "840", true', 'true', true],
    ['in "two words", "and"', '"two words"', true],
    ['matches /^tx_[0-9]+$/', '"tx_12"', true],
    ['matches /^tx_[0-9]+$/', '"tx_"', false],
    ['matches /^a\\/b$/', '"a/b"', true],
    ['matches /x/', '17', false],
    ['type text and length <= 3', '"🦆é"', true],
    ['length <= 3', '"abcd"', false],
    ['length <= 3', '12', false],
    ['type boolean', 'false', true],
    ['type number', '1e5', true],
    ['type text', '{"a":1}', false],
    ['present', '{}', true],
    ['present', '""', true],
    ['not present', 'null', true],
    ['present and not in EUR', '"USD"', true],
    ['not (in EUR or absent)', null, false],
    ['absent or >= 10 and < 20', '15', true],
    ['absent or >= 10 and < 20', '25', false],
  ])('R23: %s, of %s: %s', (rule, json, expected) => {
    expect(passes(rule, json)).toBe(expected);
  });

  test('R23: an amount given as text fails a rule about a number', () => {
    expect(passes('present and >= 0', '"12.00"')).toBe(false);
    expect(passes('<= 1000000.00', '"12.00"')).toBe(false);
  });

  test('R23: amounts that one double would make equal are told apart', () => {
    expect(passes('<= 1234567890123456.78', '1234567890123456.79')).toBe(false);
    expect(passes('<= 1234567890123456.78', '1234567890123456.780')).toBe(true);
    expect(passes('= 0.3', '0.30000000000000000001')).toBe(false);
    expect(passes('= 12345678901234567890', '12345678901234567891')).toBe(false);
    expect(passes('= 1500', '1.5e3')).toBe(true);
  });

  test('an exponent beyond any number still compares', () => {
    expect(passes('< 1', '1e-99999999999999999999999')).toBe(true);
    expect(passes('> 0', '1e-99999999999999999999999')).toBe(true);
    expect(passes('> 1e300', '1e99999999999999999999999')).toBe(true);
    expect(passes('= 0', '0e99999999999999999999999')).toBe(true);
  });
});

describe('a rule that cannot be read', () => {
  test.each([
    ['present and => 0', 14, 'expected a number after ='],
    ['presnt', 1, 'expected present, absent, in, matches'],
    ['', 1, 'the rule ends'],
    ['>= "12"', 4, 'expected a number after >='],
    ['>= 1.', 4, 'expected a number'],
    ['>= 007', 4, 'expected a number'],
    ['in USD,', 8, 'expected a value'],
    ['in and', 4, 'write "and" for that word'],
    ['present present', 9, 'expected and, or, or the end of the rule'],
    ['(present', 9, 'a )'],
    ['type date', 6, 'expected number, text, boolean after type'],
    ['length 36', 8, 'expected one of >='],
    ['length <= many', 11, 'expected a whole number'],
    ['matches ^a$', 9, 'expected a pattern'],
    ['matches /abc', 9, 'a / is missing'],
    ['matches /a(?=b)/', 13, 'only plain groups'],
    ['matches /(a)\\1/', 13, '\\1 is not allowed'],
    ['matches /a**/', 12, 'a repetition of a repetition'],
    ['matches /(a{100}){100}/', 23, 'repetitions may count to 1000'],
    ['matches /[b-a]/', 14, 'the range is upside down'],
    ['matches //', 10, 'the pattern is empty'],
    ['in "USD', 4, 'a double quote is missing'],
  ])('%s points to column %i', (rule, column, problem) => {
    const error = caught(() => parseRule(rule));
    expect(isTidemarkError(error, 'CONFIG') && error.data['column']).toBe(column);
    expect(String(error)).toContain(problem);
  });

  test('a rule without end is refused', () => {
    expect(() => parseRule('not '.repeat(1000))).toThrow('at most');
  });
});

describe('exact decimals', () => {
  const digits = (most: number) => fc.string({ unit: fc.constantFrom(...'0123456789'.split('')), maxLength: most });
  const jsonNumber = fc
    .tuple(fc.constantFrom('', '-'), fc.nat(12), digits(22), digits(22), fc.option(fc.integer({ min: -30, max: 30 }), { nil: null }))
    .map(([sign, first, whole, fraction, exponent]) => {
      const integer = first === 0 ? '0' : `${first}${whole}`;
      return `${sign}${integer}${fraction === '' ? '' : `.${fraction}`}${exponent === null ? '' : `e${exponent}`}`;
    });

  test('two numbers compare as the integers do that they are multiples of', () => {
    fc.assert(
      fc.property(jsonNumber, jsonNumber, (a, b) => {
        const [left, right] = [scaled(a), scaled(b)];
        expect(compareDecimals(a, b)).toBe(left < right ? -1 : left > right ? 1 : 0);
      }),
      { numRuns: 2000 },
    );
  });

  /** The number times 10^60: an integer for every number above. */
  function scaled(text: string): bigint {
    const [, minus, whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e(-?\d+))?$/.exec(text) ?? [];
    const magnitude = BigInt(whole + fraction) * 10n ** BigInt(60 + Number(exponent) - fraction.length);
    return minus ? -magnitude : magnitude;
  }
});

describe('in SQL', () => {
  let instance: DuckDBInstance;
  beforeAll(async () => {
    instance = await DuckDBInstance.create(':memory:');
  });
  afterAll(() => instance.closeSync());

  /** TRUE or FALSE of each value, as DuckDB says; null where it says NULL. */
  async function inDuckDB(rule: string, values: readonly (string | null)[]): Promise<readonly unknown[]> {
    const connection = await instance.connect();
    try {
      const rows = values.map(
        (value, index) => `(${index}, CAST(${value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`} AS JSON))`,
      );
      const sql = `SELECT ${ruleSql(parseRule(rule), 't.v')} FROM (VALUES ${rows.join(', ')}) AS t(i, v) ORDER BY i`;
      return (await connection.runAndReadAll(sql)).getRows().map(([answer]) => answer);
    } finally {
      connection.closeSync();
    }
  }

  const number = fc.oneof(
    fc.constantFrom(
      '0',
      '-0',
      '-0.0',
      '0e5',
      '1',
      '1.0',
      '1e0',
      '10e-1',
      '0.1e1',
      '12.50',
      '1e400',
      '-1e400',
      '1E-400',
      '5E-3',
      '999999999999.999999',
      '1000000000000',
      '999999999999.9999991',
      '0.0000001',
      '0.005',
      '1e99999999999999999999',
    ),
    fc.constantFrom('12345678901234567890', '12345678901234567891', '1234567890123456.78', '1234567890123456.79', '0.12345678901234567891'),
    fc.constantFrom(
      '99999999999999999999999999999999999999999',
      '123456789012345678.123456789012345678',
      '1234567890123456789.1',
      '1E+3',
      '1000',
    ),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
    fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }).map(String),
    fc.tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.nat(999_999)).map(([whole, fraction]) => `${whole}.${fraction}`),
  );
  const plain = fc.oneof(
    fc.constantFrom('USD', 'CAD', 'tx_12', '', 'true', '12.50', 'a\nb', "it's", '\0', 'é', '🦆🦆', '\u2028'),
    fc.string({ unit: 'binary', maxLength: 8 }),
  );
  const escaped = plain.map(
    (text) =>
      `"${Array.from(text, (sign) => (sign < '\u0080' && sign > ' ' ? `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}` : JSON.stringify(sign).slice(1, -1))).join('')}"`,
  );
  const value = fc.oneof(
    number,
    plain.map((text) => JSON.stringify(text)),
    escaped,
    fc.constantFrom('true', 'false', 'null', null, '{}', '[]', '{"a":"USD"}', '["USD"]', '[12]'),
  );

  const operator = fc.constantFrom('>=', '>', '<=', '<', '=', '!=');
  const bound = number.filter((text) => !/e.?[0-9]{4}/i.test(text));
  const literal = fc.oneof(
    bound,
    plain.map((text) => JSON.stringify(text)),
    fc.constantFrom('true', 'false', 'USD', 'CAD'),
  );
  const pattern = fc.constantFrom(
    '^tx_[0-9]+$',
    'a.b',
    '^[^a]$',
    String.raw`\d`,
    String.raw`^\w*$`,
    String.raw`\s`,
    String.raw`\S\b`,
    '^(?:a|U)S?D{1,2}$',
    '^.$',
    "'",
    String.raw`^\W$`,
    'é|🦆+',
    String.raw`[\d\-.]`,
    '^$',
    String.raw`^[\s_a-z]*?$`,
  );
  const single = fc.oneof(
    fc.constantFrom('present', 'absent', 'type number', 'type text', 'type boolean'),
    fc.tuple(operator, bound).map(([sign, against]) => `${sign} ${against}`),
    fc.tuple(operator, fc.nat(9)).map(([sign, length]) => `length ${sign} ${length}`),
    fc.array(literal, { minLength: 1, maxLength: 3 }).map((values) => `in ${values.join(', ')}`),
    pattern.map((source) => `matches /${source}/`),
  );
  const rule = fc.letrec<{ rule: string }>((tie) => ({
    rule: fc.oneof(
      { depthSize: 'small' },
      single,
      tie('rule').map((inner) => `not (${inner})`),
      fc.tuple(tie('rule'), fc.constantFrom('and', 'or'), tie('rule')).map(([a, join, b]) => `(${a}) ${join} (${b})`),
    ),
  })).rule;

  test('R23: DuckDB and TypeScript judge every value alike, and never with NULL', async () => {
    await fc.assert(
      fc.asyncProperty(rule, fc.array(value, { minLength: 30, maxLength: 60 }), async (text, values) => {
        const expected = values.map((json) => passes(text, json));
        expect(await inDuckDB(text, values)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test('R23: the same amount passes or fails however it is written', async () => {
    const same = ['1000000', '1000000.00', '1e6', '1.000000e+6', '10000000e-1', '0.001e9'];
    expect(await inDuckDB('<= 1000000.00', same)).toEqual(same.map(() => true));
    expect(await inDuckDB('< 1000000.00', same)).toEqual(same.map(() => false));
    expect(await inDuckDB('<= 1000000.00', ['1000000.0000000000000000000000000001', '"12.00"', null])).toEqual([false, false, false]);
  });
});
