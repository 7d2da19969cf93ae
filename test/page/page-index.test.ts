import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { measureBody } from '../../src/json/measure.ts';
import { fieldNames, type ReadFields } from '../../src/page/fields.ts';
import { LineBuffer } from '../../src/page/line-buffer.ts';
import { indexPage, numberIndex, writeIndex } from '../../src/page/page-index.ts';
import { Places } from '../../src/page/places.ts';

const FIELDS: ReadFields = { keys: ['id', 'odd "name"'], versions: ['at'], ruled: ['amount', 'id'] };

function measured(text: string) {
  const body = Buffer.from(text);
  return { body, measure: measureBody(body, { records: ['data'], envelope: [], capture: fieldNames(FIELDS) }) };
}

const placesOf = ({ body, measure }: ReturnType<typeof measured>): Places => Places.of(body, measure.spans);

const linesOf = (bytes: Buffer | null): string[] => (bytes?.toString() ?? '').split('\n').slice(0, -1);

const record = fc.record(
  {
    id: fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer()),
    'odd "name"': fc.string(),
    at: fc.constantFrom('2026-11-20T10:00:00Z', 'no time', null),
    amount: fc.oneof(fc.integer(), fc.constantFrom('1.50', null, [1, { a: '\n' }])),
    other: fc.jsonValue(),
  },
  { requiredKeys: [] },
);

describe('the index of a page', () => {
  test('R13: says of every record where its bytes are, their hash, and its read fields as they landed', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 6 }), fc.constantFrom(undefined, 1), (records, indent) => {
        const page = measured(JSON.stringify({ before: 1, data: records }, null, indent));
        const lines = linesOf(indexPage(page, FIELDS)?.bytes() ?? null).map((line) => JSON.parse(line) as Record<string, unknown>);
        expect(lines).toHaveLength(records.length);
        for (const [i, one] of records.entries()) {
          const { s, e, h, r } = lines[i] as { s: number; e: number; h: string; r: unknown };
          const bytes = page.body.subarray(s, e);
          const whole = JSON.parse(bytes.toString()) as Record<string, unknown>;
          expect(whole).toEqual(JSON.parse(JSON.stringify(one)));
          expect(h).toBe(hash('sha256', bytes).slice(0, 32));
          expect(r).toEqual(Object.fromEntries(fieldNames(FIELDS).flatMap((name) => (name in whole ? [[name, whole[name]]] : []))));
          expect(lines[i]?.['i']).toBe(i);
        }
      }),
    );
  });

  test('one taken up again says the same as one made from the body', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 6 }), fc.nat(100_000), (records, number) => {
        const page = measured(JSON.stringify({ data: records }));
        const [landed, made] = [new LineBuffer(), new LineBuffer()];
        numberIndex(landed, indexPage(page, FIELDS)?.bytes() ?? Buffer.alloc(0), number);
        expect(writeIndex(made, page, placesOf(page), FIELDS, number)).toEqual([]);
        expect(landed.bytes().toString()).toBe(made.bytes().toString());
      }),
    );
  });

  test.each([
    ['a key that is no text', '{"id":true}'],
    ['a name that stands twice', '{"id":"a","id":"b"}'],
    ['half of a surrogate pair', String.raw`{"id":"a","note":"\ud800"}`],
    ['a record that is no object', '7'],
    ['a rule over more digits than a double holds', '{"id":"a","amount":0.12345678901234567}'],
  ])('there is none of a page with %s: its records are looked at one by one', (_what, text) => {
    expect(indexPage(measured(`{"data":[{"id":"b"},${text}]}`), FIELDS)).toBeNull();
  });

  test('looked at one by one, a record that may not enter is named, and the others are lines', () => {
    const lines = new LineBuffer();
    const page = measured('{"data":[{"id":"a"},7,{"id":true},{"id":"b","x":1,"x":2}]}');
    const refused = writeIndex(lines, page, placesOf(page), FIELDS, 3);
    expect(refused.map(({ position, refusal }) => [position, refusal.rule])).toEqual([
      [1, 'record'],
      [2, 'key'],
    ]);
    expect(linesOf(lines.bytes()).map((line) => (JSON.parse(line) as { i: number }).i)).toEqual([0, 3]);
  });
});
