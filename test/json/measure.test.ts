import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonError, LayoutError } from '../../src/json/errors.ts';
import { type BodyLayout, measureBody, measureRecords } from '../../src/json/measure.ts';
import { SEEN } from '../../src/schema/shape.ts';

const layout = (records: BodyLayout['records'], capture: readonly string[] = []): BodyLayout => ({
  records,
  envelope: [['next'], ['page', 'more']],
  capture,
});

/** JSON text with the liberties of the grammar: white space anywhere. */
const spaced = (value: unknown): fc.Arbitrary<string> =>
  fc.constantFrom(undefined, 1, '\t').map((indent) => JSON.stringify(value, null, indent));

describe('measureBody', () => {
  it('accepts exactly the texts that JSON.parse accepts', () => {
    const text = fc.json({ depthSize: 'medium' });
    const mutated = fc
      .tuple(text, fc.nat(), fc.constantFrom('', '"', '\\', '{', ']', ',', '0', '-', 'e', '.', '\u0001', ' ', '\\u12', 'tru'))
      .map(([json, at, insert]) => {
        const place = at % (json.length + 1);
        return json.slice(0, place) + insert + json.slice(place + (at % 3));
      });
    fc.assert(
      fc.property(fc.oneof(text, mutated), (record) => {
        const body = `{"data":[${record}]}`;
        expect(accepts(() => measureBody(Buffer.from(body), layout(['data'])))).toBe(
          accepts(() => JSON.parse(body)) && !body.includes('\ufffd'),
        );
      }),
      { numRuns: 3000 },
    );
  });

  it('finds every record, in every spelling of the body, and reading them again finds the same', () => {
    const records = fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 8 });
    fc.assert(
      fc.property(
        records.chain((data) => fc.tuple(fc.constant(data), spaced({ before: [{}], data, next: 'c', page: { more: true } }))),
        ([data, text]) => {
          const body = Buffer.from(text);
          const measure = measureBody(body, layout(['data']));
          const found = slices(body, measure.spans).map((slice) => JSON.parse(slice) as unknown);
          expect(found).toEqual(JSON.parse(JSON.stringify(data)));
          expect(measure.envelope).toEqual(['c', true]);
          expect([...measureRecords(body, measure.span, []).spans]).toEqual([...measure.spans]);
        },
      ),
    );
  });

  it('reads a bare array and NDJSON, and keeps the positions of what is no object', () => {
    expect(measureBody(Buffer.from('[{"a":1},2,null,{"a":3}]'), layout([])).notObjects).toEqual([1, 2]);
    const lines = measureBody(Buffer.from('{"a":1}\r\n\n{"a":2}\n'), layout('lines'));
    expect(lines.records).toBe(2);
    expect(measureBody(Buffer.from('\ufeff[{"a":1}]'), layout([])).records).toBe(1);
  });

  it('captures the bytes of wanted fields, the last one where a name is given twice', () => {
    const body = Buffer.from('[{"t":"x","id":1},{"id":2},{"t":3,"t":"last"}]');
    const { captured } = measureBody(body, layout([], ['t']));
    expect(slices(body, captured)).toEqual(['"x"', '', '"last"']);
  });

  it('says where a text breaks off, and that it does', () => {
    const whole = '{"data":[{"a":"é"},{"a":2}],"next":null}';
    for (let end = 1; end < Buffer.byteLength(whole); end++) {
      const body = Buffer.from(whole).subarray(0, end);
      expect(() => measureBody(body, layout(['data']))).toThrow(JsonError);
    }
    expect(() => measureBody(Buffer.from('<html>'), layout(['data']))).toThrow(/expected a value at byte 0/);
    expect(() => measureBody(Buffer.from(''), layout(['data']))).toThrow(/breaks off/);
    expect(() => measureBody(Buffer.from('{"items":[]}'), layout(['data']))).toThrow(LayoutError);
    expect(() => measureBody(Buffer.from('{"data":{}}'), layout(['data']))).toThrow(/no array at \$\.data/);
  });

  it('refuses nesting that no stack holds', () => {
    const deep = Buffer.from(`[${'['.repeat(100_000)}${']'.repeat(100_000)}]`);
    expect(() => measureBody(deep, layout([]))).toThrow(/nested deeper/);
  });

  it('measures numbers by their digits', () => {
    const number = (text: string) => measureBody(Buffer.from(`[{"n":${text}}]`), layout([])).shape.members?.get('n');
    expect(number('1234567890123456.78')).toMatchObject({ integerDigits: 16, scale: 2, seen: SEEN.number | SEEN.pointed | SEEN.wide });
    expect(number('1.50')).toMatchObject({ integerDigits: 1, scale: 1, seen: SEEN.number | SEEN.pointed });
    expect(number('0.25')).toMatchObject({ integerDigits: 0, scale: 2 });
    expect(number('15e-1')).toMatchObject({ integerDigits: 1, scale: 1 });
    const wide = SEEN.number | SEEN.pointed | SEEN.wide;
    expect(number('1e40')).toMatchObject({ integerDigits: 41, scale: 0, seen: wide | SEEN.exponent });
    expect(number('123456789012345678901')).toMatchObject({ integerDigits: 21, scale: 0, seen: SEEN.number });
  });

  it('marks what the fast path cannot hold: duplicate names, lone surrogates, hollow objects', () => {
    const seen = (record: string) => measureBody(Buffer.from(`[${record}]`), layout([])).shape.members?.get('o')?.seen ?? 0;
    expect(seen('{"o":{"a":1,"a":2}}') & SEEN.duplicate).toBeTruthy();
    expect(seen('{"o":{"a":1,"\\u0061":2}}') & SEEN.duplicate).toBeTruthy();
    expect(seen('{"o":{"a":1,"b":2}}') & SEEN.duplicate).toBe(0);
    expect(seen('{"o":"\\ud83d\\ude00"}') & SEEN.surrogate).toBe(0);
    expect(seen('{"o":"\\ud83d"}') & SEEN.surrogate).toBeTruthy();
    expect(seen('{"o":"\\ude00\\ud83d"}') & SEEN.surrogate).toBeTruthy();
    expect(seen('{"o":{"a":null,"b":{}}}') & SEEN.hollow).toBeTruthy();
    expect(seen('{"o":{"a":null,"b":{"c":0}}}') & SEEN.hollow).toBe(0);
  });
});

function slices(body: Buffer, spans: Uint32Array): string[] {
  return Array.from({ length: spans.length / 2 }, (_, index) => body.toString('utf8', spans[2 * index], spans[2 * index + 1]));
}

function accepts(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}
