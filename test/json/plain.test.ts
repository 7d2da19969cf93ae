import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { measureBody } from '../../src/json/measure.ts';
import { shapeToJson } from '../../src/schema/shape.ts';
import { readPlainly } from './plain-shapes.ts';

/** Texts of every length around the words that are read at once, with what ends them early. */
const text = fc
  .array(
    fc.constantFrom('a', 'bc', 'é', '✓', '😀', ' ', '~', '\u007f', '\\"', '\\\\', '\\u0041', '\\ud83d', '\\ud83d\\ude00', '\\n', '/'),
    {
      maxLength: 12,
    },
  )
  .map((parts) => `"${parts.join('')}"`);
const number = fc.constantFrom(
  '0',
  '-0',
  '7',
  '12345678',
  '0.5',
  '-10.250',
  '1.00',
  '123456789012.3456',
  '1e5',
  '-2.5E-3',
  '9007199254740993',
);
const scalar = fc.oneof(text, number, fc.constantFrom('null', 'true', 'false', '{}', '[]'));
const name = fc.oneof(
  fc.constantFrom('"a"', '"id"', '"name"', '"amount"', '"exchange_rate"', '"\\u0061"', '"ü"', '"\ufffd"', '"\\ud800"', '""'),
  text,
);
const blank = fc.constantFrom('', '', '', ' ', '\n\t', '\r\n  ');

const { value } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, scalar, tie('object'), tie('array')),
  object: fc
    .array(fc.tuple(name, tie('value'), blank, blank), { maxLength: 7 })
    .map((members) => `{${members.map(([named, of, before, after]) => `${before}${named}${after}:${before}${of}${after}`).join(',')}}`),
  array: fc
    .array(fc.tuple(tie('value'), blank), { maxLength: 4 })
    .map((of) => `[${of.map(([one, space]) => `${space}${one}${space}`).join(',')}]`),
}));

/** Records that mostly name the same members in the same order, as those of a source do, of which some come without some. */
const records = fc
  .tuple(
    fc.array(name, { maxLength: 7 }),
    fc.array(fc.array(fc.option(value, { freq: 5 }), { minLength: 7, maxLength: 7 }), { maxLength: 6 }),
  )
  .map(([names, rows]) => rows.map((row) => `{${names.flatMap((named, i) => (row[i] == null ? [] : [`${named}:${row[i]}`])).join(',')}}`));
const body = fc.array(fc.oneof({ weight: 6, arbitrary: records }, { weight: 1, arbitrary: value.map((one) => [one]) }), { maxLength: 3 });
const bodyText = body.map((parts) => `[${parts.flat().join(',')}]`);

/** Something in its place, or all behind it cut off; never at the array's own bracket. */
const mutated = fc
  .tuple(bodyText, fc.nat(), fc.constantFrom('', '"', '\\', '{', '}', ']', ',', ':', '0', '.', 'e', '\u0001', ' ', 'CUT'))
  .map(([whole, at, by]) => {
    const place = 1 + (at % whole.length);
    return by === 'CUT' ? whole.slice(0, place) : whole.slice(0, place) + by + whole.slice(place + (at % 2));
  });

/** The kernel reads what it can of these, and nothing. */
describe.each([0, Number.POSITIVE_INFINITY])(
  'the fast reader, with the kernel from %d bytes on, finds what the plain one finds',
  (quickFrom) => {
    it('in records of any kind, whole or damaged', () => {
      fc.assert(
        fc.property(fc.oneof(bodyText, mutated), (whole) => {
          expect(outcome(() => fast(whole, quickFrom))).toEqual(outcome(() => plain(whole)));
        }),
        { numRuns: 1000 },
      );
    });

    it('wherever a body breaks off', () => {
      const whole = `[{"id":"evt_1","amount":12.50,"none":null,"yes":true,"no":false,"text":"é\\n","of":{"a":[1,{"b":"c"}]}},{"id":"evt_2"}]`;
      for (let end = 0; end <= whole.length; end++) {
        expect(outcome(() => fast(whole.slice(0, end), quickFrom))).toEqual(outcome(() => plain(whole.slice(0, end))));
      }
    });

    it('where an object has hundreds of names, a wanted one last', () => {
      const crowd = Array.from({ length: 600 }, (_, i) => `"n${i}":${i}`).join(',');
      const whole = `[{${crowd},"id":1},{"id":2,"inner":{${crowd}}}]`;
      expect(fast(whole, quickFrom).captured).toEqual([
        whole.indexOf('1},{"id"'),
        whole.indexOf('1},{"id"') + 1,
        whole.indexOf('2,"inner'),
        whole.indexOf('2,"inner') + 1,
      ]);
      expect(fast(`[{"id":0,"inner":{${crowd}}}]`, quickFrom)).toEqual(plain(`[{"id":0,"inner":{${crowd}}}]`));
    });
  },
);

function fast(whole: string, quickFrom: number): Found {
  const { spans, captured, shape } = measureBody(Buffer.from(whole), { records: [], envelope: [], capture: ['id'] }, quickFrom);
  return { spans: [...spans], captured: [...captured], shape: shapeToJson(shape) };
}

interface Found {
  readonly spans: readonly number[];
  readonly captured: readonly number[];
  readonly shape: unknown;
}

function plain(whole: string): Found {
  const { spans, captured, shape } = readPlainly(Buffer.from(whole), 'id');
  return { spans, captured, shape: shapeToJson(shape) };
}

/** What came of it; of an error, where it showed and what it said. */
function outcome(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return (error as Error).message;
  }
}
