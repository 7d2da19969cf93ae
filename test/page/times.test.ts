import fc from 'fast-check';
import { expect, it } from 'vitest';
import { timeReader } from '../../src/page/times.ts';
import { parseInstant } from '../../src/time.ts';

const digits = (least: number, most: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.nat({ max: 9 }).map(String), minLength: least, maxLength: most });
const two = fc.oneof(fc.constantFrom('00', '01', '12', '23', '24', '29', '30', '31', '59', '60'), digits(2, 2));
const written = fc
  .record({
    year: fc.oneof(fc.constantFrom('2024', '2026', '1699', '1700', '2254', '2255'), digits(4, 4)),
    parts: fc.tuple(two, two, two, two, two),
    between: fc.constantFrom('T', 'T', 'T', ' ', 't'),
    fraction: fc.oneof(
      fc.constant(''),
      digits(0, 13).map((text) => `.${text}`),
    ),
    zone: fc.constantFrom('Z', 'Z', 'Z', '', 'z', '+02:00', '-05'),
  })
  .map(
    ({ year, parts: [month, day, ...time], between, fraction, zone }) =>
      `${year}-${month}-${day}${between}${time.join(':')}${fraction}${zone}`,
  );

it('reads times from the bytes as parseInstant reads them from text, whatever their form', () => {
  const sameDay = written.map((text) => `2026-11-20${text.slice(10)}`);
  fc.assert(
    fc.property(fc.array(fc.oneof(written, sameDay, fc.string()), { maxLength: 8 }), (texts) => {
      const body = Buffer.from(JSON.stringify(texts));
      const captured = new Uint32Array(2 * texts.length);
      let at = 1;
      texts.forEach((text, i) => {
        const length = Buffer.byteLength(JSON.stringify(text));
        captured.set([at, at + length], 2 * i);
        at += length + 1;
      });
      const timeAt = timeReader({ body, captured, width: 1 }, 0, 'iso');
      expect(texts.map((_, i) => timeAt(i))).toEqual(texts.map((text) => parseInstant(text, 'iso')));
    }),
    { numRuns: 2000 },
  );
});
