import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, exactJson, hasLoneSurrogate, parseExact } from '../../src/json/exact.ts';
import { canonicalNumber } from '../../src/json/number.ts';

describe('exact JSON', () => {
  it('keeps every digit of every number', () => {
    const text = '{"a":1234567890123456.78,"b":[12345678901234567890123,-0.10,1e400]}';
    expect(exactJson(parseExact(text))).toBe(text);
  });

  it('writes equal numbers as equal texts', () => {
    for (const same of ['1.1', '1.10', '11e-1', '0.11E1', '110e-2']) expect(canonicalNumber(same)).toBe('1.1');
    for (const zero of ['0', '-0', '0.000', '0e5']) expect(canonicalNumber(zero)).toBe('0');
    expect(canonicalNumber('-0.00100')).toBe('-0.001');
    expect(canonicalNumber('12e3')).toBe('12000');
    expect(canonicalNumber('1.50e300')).toBe('1.5e+300');
    expect(canonicalNumber('1e999999999999')).toBe('1e+1000000000');
  });

  it('writes numbers that doubles hold as JavaScript reads them', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (n) => {
        expect(Number(canonicalNumber(JSON.stringify(n)))).toBe(n === 0 ? 0 : n);
      }),
    );
  });

  it('writes the same value as the same text, in whatever order and spelling its members came', () => {
    const value = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(value, (object) => {
        const shuffled = Object.fromEntries(Object.entries(object).toReversed());
        expect(canonicalJson(parseExact(JSON.stringify(shuffled, null, 2)))).toBe(canonicalJson(parseExact(JSON.stringify(object))));
        expect(canonicalJson(parseExact(canonicalJson(parseExact(JSON.stringify(object)))))).toBe(
          canonicalJson(parseExact(JSON.stringify(object))),
        );
      }),
    );
  });

  it('takes names for names, whatever objects inherit', () => {
    expect(canonicalJson(parseExact('{"b":{"toString":1},"__proto__":2,"a":null}'))).toBe('{"__proto__":2,"b":{"toString":1}}');
  });

  it('sees lone surrogates in texts and names', () => {
    expect(hasLoneSurrogate(parseExact('{"a":["\\ud800"]}'))).toBe(true);
    expect(hasLoneSurrogate(parseExact('{"\\udfff":1}'))).toBe(true);
    expect(hasLoneSurrogate(parseExact('{"a":"\\ud83d\\ude00\\u0000"}'))).toBe(false);
  });
});
