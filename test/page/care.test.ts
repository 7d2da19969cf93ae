import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { measureBody } from '../../src/json/measure.ts';
import { recordNeedsCare } from '../../src/page/care.ts';
import { needsCare } from '../../src/page/record.ts';
import type { Shape } from '../../src/schema/shape.ts';
import { members, write } from '../normalize/records.ts';

const FIELDS = { keys: ['a', 'b'], versions: ['é'], ruled: ['x y'] };
const shapeOf = (text: string): Shape => measureBody(Buffer.from(`[${text}]`), { records: [], envelope: [], capture: [] }).shape;

describe('care for one record among others', () => {
  test('is taken wherever a page of that record alone would need it', () => {
    const found = { careful: 0, plain: 0 };
    fc.assert(
      fc.property(members, (all) => {
        const text = write({ kind: 'object', members: all });
        const needed = recordNeedsCare(Buffer.from(text), FIELDS);
        found[needed ? 'careful' : 'plain']++;
        if (!needed) expect(needsCare(shapeOf(text), FIELDS), text).toBe(false);
      }),
      { numRuns: 1000 },
    );
    expect(Math.min(found.careful, found.plain)).toBeGreaterThan(50);
  });

  test.each([
    ['{"a":"x","b":7,"é":1700000000.123456,"x y":1.25,"o":{"n":1,"m":[{"n":1},{"n":2}]}}', false],
    ['{"a":"x","o":{"n":1,"m":[{"n":1,"n":2}]}}', true],
    ['{"a":"x","t":"\\ud800"}', true],
    ['{"a":"x","\\u0061":"y"}', true],
    ['{"a":1.5}', true],
    ['{"a":true}', true],
    ['{"a":{"c":1}}', true],
    ['{"a":null,"b":12}', false],
    ['{"é":1700000000.1234567}', true],
    ['{"é":1.7e9}', true],
    ['{"x y":1234567890123456.5}', true],
    ['{"x y":1e2}', true],
    ['{"o":{"a":1.5,"x y":1e2}}', false],
    ['[1]', true],
  ])('%s: %s', (text, needed) => {
    expect(recordNeedsCare(Buffer.from(text), FIELDS)).toBe(needed);
  });
});
