import * as fc from 'fast-check';
import { type ExactValue, JsonNumber, parseExact } from '../../src/json/exact.ts';

/** A JSON value as it will be written: numbers by their source, members in order and possibly twice. */
export type Tree =
  | { readonly kind: 'literal'; readonly value: null | boolean }
  | { readonly kind: 'number'; readonly source: string }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'array'; readonly elements: readonly Tree[] }
  | { readonly kind: 'object'; readonly members: readonly Member[] };
export type Member = readonly [name: string, value: Tree];

const ODD_TEXTS = [
  '',
  'null',
  'NaN',
  '1e5',
  '2026-11-20',
  "'; DROP TABLE t; --",
  '"',
  '\\u0041',
  '\0',
  'a\0b',
  '\u2028\u2029',
  '\r\n\t',
  '\u001b',
  '😀',
  '\ufeffa',
  'LONGEST_LINE',
];
const ODD_NAMES = [
  'a',
  'b',
  'A',
  'a.b',
  '"q"',
  "it's",
  '',
  '__proto__',
  'constructor',
  'toString',
  'select',
  'é',
  'É',
  '😀',
  'x y',
  'n\0l',
  '\u2028',
  '1',
  '0',
  'environment',
  'ID',
  'Id',
  '_page',
  '_OVERFLOW',
  '_overflow',
  'p',
  'i',
  'h',
  'r',
  'k0',
  't',
  'element',
  'key',
  'x'.repeat(300),
];

const digits = (min: number, max: number): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: min, maxLength: max }).map((all) => all.join(''));
const whole = fc.oneof(
  fc.constant('0'),
  fc.tuple(fc.integer({ min: 1, max: 9 }), digits(0, 40)).map(([first, rest]) => `${first}${rest}`),
);
const smallWhole = fc.nat({ max: 100_000 }).map(String);
const sign = fc.constantFrom('', '', '-');

/** Every way in which a number can be written, whatever a double makes of it. */
const numberSource = fc.oneof(
  fc.constantFrom('0', '-0', '0.0', '1.10', '9007199254740993', '9223372036854775807', '-9223372036854775808', '18446744073709551616'),
  fc.constantFrom(
    '1234567890123456.78',
    '0.1000000000000000000001',
    '1e400',
    '1E-400',
    '-1.5e+3',
    '0e99',
    '12345678901234567890e-10',
    '1e15',
  ),
  fc.tuple(sign, smallWhole).map(([s, w]) => s + w),
  fc.tuple(sign, smallWhole, digits(1, 4)).map(([s, w, f]) => `${s}${w}.${f}`),
  fc.tuple(sign, whole).map(([s, w]) => s + w),
  fc.tuple(sign, whole, digits(1, 25)).map(([s, w, f]) => `${s}${w}.${f}`),
  fc.tuple(sign, smallWhole, fc.constantFrom('e', 'E+', 'e-'), fc.nat({ max: 30 })).map(([s, w, e, x]) => `${s}${w}${e}${x}`),
);

const anyText = fc.string({ unit: 'binary', maxLength: 8 });
const text = fc.oneof(fc.constantFrom(...ODD_TEXTS), anyText);
const name = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...ODD_NAMES) }, { weight: 1, arbitrary: anyText });

const { value } = fc.letrec<{ value: Tree; members: Member[] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'value' },
    fc.constantFrom(null, null, true, false).map((one): Tree => ({ kind: 'literal', value: one })),
    numberSource.map((source): Tree => ({ kind: 'number', source })),
    text.map((one): Tree => ({ kind: 'text', value: one })),
    fc.array(tie('value'), { maxLength: 3, depthIdentifier: 'value' }).map((elements): Tree => ({ kind: 'array', elements })),
    tie('members').map((members): Tree => ({ kind: 'object', members })),
  ),
  // Names may repeat: the last one counts.
  members: fc.array(fc.tuple(name, tie('value')), { maxLength: 4, depthIdentifier: 'value' }),
}));

/** Members of a record besides those that the stream is configured by. */
export const members: fc.Arbitrary<Member[]> = fc
  .array(fc.tuple(name, value), { maxLength: 7 })
  .map((all) => all.filter(([one]) => !['id', 'updated_at', 'v'].includes(one)));

/** JSON text; `spell` writes texts, `gap` stands between tokens. */
export function write(tree: Tree, spell: (text: string) => string = JSON.stringify, gap = ''): string {
  if (tree.kind === 'literal') return String(tree.value);
  if (tree.kind === 'number') return tree.source;
  if (tree.kind === 'text') return spell(tree.value);
  if (tree.kind === 'array') return `[${gap}${tree.elements.map((one) => write(one, spell, gap)).join(`${gap},${gap}`)}${gap}]`;
  const parts = tree.members.map(([one, inner]) => `${spell(one)}${gap}:${gap}${write(inner, spell, gap)}`);
  return `{${gap}${parts.join(`${gap},${gap}`)}${gap}}`;
}

/** Every code unit as an escape: another way to write the same text. */
export const spelledOut = (one: string): string =>
  `"${[...Array(one.length).keys()].map((at) => `\\u${one.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`;

/** Path → value of every leaf that is not null. */
export type Leaves = Map<string, string>;

export function leavesOf(tree: Tree, path: readonly (string | number)[] = [], into: Leaves = new Map()): Leaves {
  if (tree.kind === 'array') tree.elements.forEach((one, at) => leavesOf(one, [...path, at], into));
  else if (tree.kind === 'object') for (const [one, inner] of new Map(tree.members)) leavesOf(inner, [...path, one], into);
  else if (tree.kind === 'number') into.set(JSON.stringify(path), numberForm(tree.source));
  else if (tree.value !== null) into.set(JSON.stringify(path), JSON.stringify(tree.value));
  return into;
}

/** The value of a number by its digits alone: significant digits and the power of ten that they are multiplied by. */
export function numberForm(source: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = /^(-?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(source) ?? [];
  const all = (whole + fraction).replace(/^0+/, '');
  const significant = all.replace(/0+$/, '');
  if (significant === '') return '0';
  return `${sign}${significant}e${BigInt(exponent) - BigInt(fraction.length) + BigInt(all.length - significant.length)}`;
}

/** The same of a curated row's fields. */
export function leavesOfFields(fields: ReadonlyMap<string, string>): Leaves {
  const into: Leaves = new Map();
  for (const [field, text] of fields) exactLeaves(parseExact(text), [field], into);
  return into;
}

function exactLeaves(found: ExactValue, path: readonly (string | number)[], into: Leaves): void {
  if (found === null) return;
  if (found instanceof JsonNumber) into.set(JSON.stringify(path), numberForm(found.source));
  else if (Array.isArray(found)) found.forEach((one: ExactValue, at) => exactLeaves(one, [...path, at], into));
  else if (typeof found === 'object') for (const [one, inner] of Object.entries(found)) exactLeaves(inner, [...path, one], into);
  else into.set(JSON.stringify(path), JSON.stringify(found));
}
