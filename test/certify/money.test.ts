import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { MoneySum } from '../../src/certify/money.ts';
import { JsonNumber } from '../../src/json/exact.ts';

const number = (text: string): JsonNumber => new JsonNumber(text);

test('money is added digit for digit, whatever its scale and order, as whole numbers of the smallest unit would be', () => {
  const amount = fc.tuple(fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }), fc.integer({ min: 0, max: 9 }));
  const written = ([units, scale]: [bigint, number]): string => `${units}e-${scale}`;
  fc.assert(
    fc.property(fc.array(fc.tuple(amount, fc.constantFrom('USD', 'CAD'), fc.integer({ min: 1, max: 3 })), { maxLength: 12 }), (all) => {
      const sum = new MoneySum();
      for (const [value, currency, records] of all) sum.add(currency, number(written(value)), records);
      for (const { currency, amount: total, records } of sum.totals().sums) {
        const mine = all.filter(([, of]) => of === currency);
        const units = mine.reduce((of, [[value, scale], , times]) => of + value * 10n ** BigInt(9 - scale) * BigInt(times), 0n);
        const [whole = '', fraction = ''] = total.split('.');
        expect(BigInt(whole + fraction.padEnd(9, '0'))).toBe(units);
        expect(records).toBe(mine.reduce((of, [, , times]) => of + times, 0));
        expect(total).not.toMatch(/^-?0\d|\.\d*0$|\.$|^-0$/);
      }
    }),
  );
});

test('0.1 and 0.2 are 0.3, a text that is a number counts as one, and sums are told by currency', () => {
  const sum = new MoneySum();
  for (const [currency, amount] of [
    ['USD', number('0.1')],
    ['USD', '0.2'],
    ['CAD', number('100')],
    ['CAD', number('-100.00')],
    ['MXN', number('12345678901234567890.123456789')],
  ] as const)
    sum.add(currency, amount);
  expect(sum.totals()).toEqual({
    sums: [
      { currency: 'CAD', amount: '0', records: 2 },
      { currency: 'MXN', amount: '12345678901234567890.123456789', records: 1 },
      { currency: 'USD', amount: '0.3', records: 2 },
    ],
    without: 0,
  });
});

test('what has no amount or no currency is counted and never added', () => {
  const sum = new MoneySum();
  for (const amount of [null, true, 'twelve', '', '1,5', number('1e999999999'), [], {}]) sum.add('USD', amount);
  for (const currency of [null, '', number('840')]) sum.add(currency, number('1'));
  expect(sum.totals()).toEqual({ sums: [], without: 11 });
});
