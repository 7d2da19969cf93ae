import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { measureBody } from '../../src/json/measure.ts';
import { emptyShape, mergeShape, type Shape, shapeFromJson, shapeToJson } from '../../src/schema/shape.ts';
import { LEAF_LIMIT, schemaOf, unionSchemas } from '../../src/schema/union.ts';

const NOTHING_FIXED = { columns: [], fields: [] };
const shapeOf = (...records: unknown[]): Shape =>
  measureBody(Buffer.from(`[${records.map((record) => (typeof record === 'string' ? record : JSON.stringify(record))).join(',')}]`), {
    records: [],
    envelope: [],
    capture: [],
  }).shape;
const typesOf = (...records: unknown[]) =>
  Object.fromEntries(schemaOf(shapeOf(...records), NOTHING_FIXED, 1).fields.map((field) => [field.name, field.type]));
const merged = (shapes: readonly Shape[]): Shape => {
  const into = emptyShape();
  for (const shape of shapes) mergeShape(into, shape);
  return into;
};
const record = fc.dictionary(fc.constantFrom('a', 'b', 'A', 'c d', ''), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 });

describe('schema union', () => {
  it('R10: is the same in whatever order, grouping and repetition the records came', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 6 }), fc.nat(), (records, at) => {
        const whole = shapeToJson(shapeOf(...records));
        const apart = records.map((one) => shapeFromJson(shapeToJson(shapeOf(one))));
        const turned = [...apart.slice(at % apart.length), ...apart.slice(0, at % apart.length), ...apart];
        expect(shapeToJson(merged(turned))).toEqual(whole);
      }),
    );
  });

  it('R10: widens so that every value is kept, and turns conflicts into JSON', () => {
    expect(typesOf({ n: 1 }, { n: 2.5 })).toEqual({ n: { kind: 'decimal', precision: 18, scale: 1 } });
    expect(typesOf('{"n":123456789012345678}', '{"n":0.25}')).toEqual({ n: { kind: 'decimal', precision: 38, scale: 2 } });
    expect(typesOf('{"n":1e60}')).toEqual({ n: { kind: 'number-text' } });
    expect(typesOf({ n: 1 }, { n: 'x' })).toEqual({ n: { kind: 'json' } });
    expect(typesOf({ n: null }, { n: {} })).toEqual({});
    expect(typesOf({ n: [] }, { n: [{ a: 1 }] })).toEqual({
      n: { kind: 'list', element: { kind: 'struct', members: [{ name: 'a', type: { kind: 'integer' } }] } },
    });
  });

  it('keeps names that no column can bear apart: twins by case, empty ones, our own', () => {
    const schema = schemaOf(shapeOf({ Amount: 1, amount: 2, '': 3, _page: 4, 'a.b': 5, 'q"': 6 }), NOTHING_FIXED, 1);
    expect(schema.overflow).toEqual(['', 'Amount', '_page', 'amount']);
    expect(schema.fields.map((field) => field.name)).toEqual(['a.b', 'q"']);
    expect(typesOf({ o: { Amount: 1, amount: 2 } })).toEqual({ o: { kind: 'json' } });
  });

  it('R6: keeps a field that bears the name of a configured constant', () => {
    const schema = schemaOf(shapeOf({ environment: 'sandbox', id: 1 }), { columns: ['environment', 'id'], fields: ['id'] }, 1);
    expect(schema).toEqual({ version: 1, fields: [], overflow: ['environment'] });
  });

  it('takes objects with hundreds of names for data, in any order', () => {
    const wide = (from: number) => ({ o: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${from + i}`, 1])) });
    expect(typesOf(wide(0))['o']?.kind).toBe('struct');
    expect(typesOf(wide(0), wide(300))).toEqual({ o: { kind: 'json' } });
    expect(shapeToJson(merged([shapeOf(wide(300)), shapeOf(wide(0))]))).toEqual(shapeToJson(shapeOf(wide(0), wide(300))));
  });

  it('R10: keeps what is nested below the level at which leaves become too many as JSON, and the levels above it as columns', () => {
    const crowd = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));
    const wide = (count: number) => ({ id: 1, a: { b: crowd(count), c: [crowd(count)] }, e: { f: 'x' } });
    expect(LEAF_LIMIT).toBe(1000);
    const struct = (members: Record<string, unknown>) => ({
      kind: 'struct',
      members: Object.entries(members).map(([name, type]) => ({ name, type })),
    });
    const [json, text] = [{ kind: 'json' }, { kind: 'text' }];
    expect(typesOf(wide(499))['a']).toMatchObject(struct({ b: { kind: 'struct' }, c: { kind: 'list', element: { kind: 'struct' } } }));
    const cut = {
      id: { kind: 'integer' },
      a: struct({ b: json, c: { kind: 'list', element: json } }),
      e: struct({ f: text }),
    };
    expect(typesOf(wide(500))).toEqual(cut);
    expect(typesOf(wide(500), { e: { f: 'y', g: { h: 1 } } })).toEqual({ ...cut, e: struct({ f: text, g: json }) });
  });

  it('a union of schemas holds what either holds', () => {
    fc.assert(
      fc.property(record, record, (a, b) => {
        const both = unionSchemas(schemaOf(shapeOf(a), NOTHING_FIXED, 1), schemaOf(shapeOf(b), NOTHING_FIXED, 2));
        expect(unionSchemas(both, schemaOf(shapeOf(a), NOTHING_FIXED, 1))).toEqual(both);
        expect(unionSchemas(both, schemaOf(shapeOf(b), NOTHING_FIXED, 2))).toEqual(both);
        expect(unionSchemas(schemaOf(shapeOf(b), NOTHING_FIXED, 2), schemaOf(shapeOf(a), NOTHING_FIXED, 1))).toEqual(both);
      }),
    );
  });
});
