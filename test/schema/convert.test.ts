import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Engine, openEngine } from '../../src/engine.ts';
import { canConvert, convertSql } from '../../src/schema/convert.ts';
import { duckdbType } from '../../src/schema/duckdb-types.ts';
import type { ColumnType } from '../../src/schema/types.ts';
import { literal } from '../../src/sql.ts';
import { canonical, type Json, number } from '../support/canonical-json.ts';
import { decimal, integer, json, list, struct, text, valueSql } from '../support/typed-sql.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine({ path: ':memory:', threads: 1, memoryBytes: 256 << 20, tempDirectory: '/tmp' });
});
afterAll(() => engine.close());

async function evaluate(expression: string): Promise<unknown> {
  const rows = await engine.rows(`SELECT ${expression} AS value`);
  return rows[0]?.['value'];
}

interface Typed {
  readonly type: ColumnType;
  readonly value: Json;
}

const textValue = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('\u001b', '\\', '"', 'u001B', '\u0301', '\u200d', '👩', '\r', '\n', '\0', '\u2028', 'e') }),
);
const name = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', '_', '.', '"', "'", 'é', '\u{1F600}', '\uFFFD', ' '), minLength: 1, maxLength: 3 }),
  fc.constantFrom('amount', 'constructor', '__proto__x'),
);
const orNull = (values: fc.Arbitrary<Json>): fc.Arbitrary<Json> => fc.option(values, { nil: null, freq: 5 });

function decimalValue(precision: number, scale: number): fc.Arbitrary<Json> {
  const limit = 10n ** BigInt(precision) - 1n;
  return fc.bigInt({ min: -limit, max: limit }).map((unscaled) => number(unscaled, scale));
}

const leaf: fc.Arbitrary<{ type: ColumnType; values: fc.Arbitrary<Json> }> = fc.oneof(
  fc.constant({ type: { kind: 'boolean' }, values: orNull(fc.boolean()) }),
  fc.constant({ type: integer, values: orNull(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }).map((whole) => number(whole, 0))) }),
  fc
    .tuple(fc.constantFrom(18 as const, 38 as const), fc.nat(38))
    .map(([precision, scale]) => ({ precision, scale: Math.min(precision, scale) }))
    .map(({ precision, scale }) => ({ type: decimal(precision, scale), values: orNull(decimalValue(precision, scale)) })),
  fc.constant({ type: text, values: orNull(textValue) }),
  fc.constant({ type: { kind: 'unknown' }, values: fc.constant(null as Json) }),
);

const { node } = fc.letrec<{ node: { type: ColumnType; values: fc.Arbitrary<Json> } }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    tie('node').map((element) => ({ type: list(element.type), values: orNull(fc.array(element.values, { maxLength: 3 })) })),
    fc.uniqueArray(fc.tuple(name, tie('node')), { minLength: 1, maxLength: 3, selector: ([key]) => key.toLowerCase() }).map((members) => ({
      type: struct({ ...Object.fromEntries(members.map(([key, member]) => [key, member.type])), zz: text }),
      values: orNull(
        fc.record({
          ...Object.fromEntries(members.map(([key, member]) => [key, member.values])),
          zz: orNull(textValue),
        }) as fc.Arbitrary<Json>,
      ),
    })),
  ),
}));
const typed: fc.Arbitrary<Typed> = node.chain(({ type, values }) => values.map((value) => ({ type, value })));

/** A type that is wider than `type` in some way, or the same. */
function widened(type: ColumnType, dice: () => number): ColumnType {
  if (dice() < 0.15) return json;
  if (type.kind === 'unknown') return dice() < 0.5 ? struct({ x: integer }) : list(text);
  if (type.kind === 'integer') return dice() < 0.5 ? decimal(38, 6) : { kind: 'number-text' };
  if (type.kind === 'decimal') return type.precision === 18 ? decimal(38, Math.min(20, type.scale + 2)) : { kind: 'number-text' };
  if (type.kind === 'list') return list(widened(type.element, dice));
  if (type.kind !== 'struct') return type;
  return struct({ ...Object.fromEntries(type.members.map((member) => [member.name, widened(member.type, dice)])), zzz_new: integer });
}

describe('canonical JSON in SQL', () => {
  test('every value of every type becomes the text that the canonicalizer writes', async () => {
    await fc.assert(
      fc.asyncProperty(typed, async ({ type, value }) => {
        const found = await evaluate(convertSql(valueSql(value, type), type, json));
        expect(found).toBe(value === null ? null : canonical(value));
      }),
      { numRuns: 300 },
    );
  });

  test('texts are escaped as JSON.stringify does, character by character and mixed', async () => {
    const codes = [...Array(0x300).keys(), 0x7f, 0x2028, 0x2029, 0xfeff, 0xffff, 0x1f600];
    const texts = [
      ...codes.map((code) => String.fromCodePoint(code)),
      '\\u001B',
      '\\\u001b\\u001B',
      '\u001b\u0301',
      '"\u0301\u001f\u0301"',
      '\r\n\u000b\r\n',
    ];
    const rows = await engine.rows(
      texts.map((one, index) => `SELECT ${index} AS i, ${convertSql(literal(one), text, json)} AS j`).join(' UNION ALL '),
    );
    expect(rows.toSorted((a, b) => Number(a['i']) - Number(b['i'])).map((row) => row['j'])).toEqual(
      texts.map((one) => JSON.stringify(one)),
    );
  });

  test('a struct of nulls is {}, a null struct is NULL, nulls in arrays stay', async () => {
    const type = struct({ a: integer, b: text });
    expect(await evaluate(convertSql(valueSql({ a: null, b: null }, type), type, json))).toBe('{}');
    expect(await evaluate(convertSql(valueSql(null, type), type, json))).toBeNull();
    expect(await evaluate(convertSql(valueSql([null, { a: null }], list(type)), list(type), json))).toBe('[null,{}]');
  });
});

describe('widening', () => {
  test('R10: a widened value is the same value: through any wider type, its JSON is the JSON it had', async () => {
    await fc.assert(
      fc.asyncProperty(typed, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), async ({ type, value }, dice) => {
        const wider = widened(type, () => dice.next().value ?? 0);
        const through = convertSql(convertSql(valueSql(value, type), type, wider), wider, json);
        expect(await evaluate(through)).toBe(await evaluate(convertSql(valueSql(value, type), type, json)));
      }),
      { numRuns: 300 },
    );
  });

  test('R10: a widened value has the type of its new column, so that it can be stored there', async () => {
    const from = struct({ amount: integer, items: list(struct({ id: integer })), nothing: list({ kind: 'unknown' }) });
    const to = struct({
      added: text,
      amount: decimal(38, 4),
      items: list(struct({ id: { kind: 'number-text' }, tax: decimal(18, 2) })),
      nothing: list(integer),
    });
    const value = { amount: number(5n, 0), items: [{ id: number(7n, 0) }, null], nothing: [null, null] };
    const expression = convertSql(valueSql(value, from), from, to);
    expect(await evaluate(`typeof(${expression})`)).toBe(await evaluate(`typeof(CAST(NULL AS ${duckdbType(to)}))`));
    expect(await evaluate(expression)).toEqual({
      added: null,
      amount: '5.0000',
      items: [{ id: '7', tax: null }, null],
      nothing: [null, null],
    });
  });

  test('what would lose digits or members is refused', () => {
    const losses: [ColumnType, ColumnType][] = [
      [decimal(38, 4), decimal(18, 4)],
      [decimal(18, 4), decimal(18, 2)],
      [integer, decimal(18, 2)],
      [text, integer],
      [json, text],
      [struct({ a: integer, b: text }), struct({ a: integer })],
      [list(text), list(integer)],
    ];
    for (const [from, to] of losses) {
      expect(canConvert(from, to)).toBe(false);
      expect(() => convertSql('x', from, to)).toThrow(/cannot hold every value/);
    }
  });
});
