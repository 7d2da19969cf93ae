import { TidemarkError } from '../errors.ts';
import { DEPTH_LIMIT, FIELD_LIMIT, SEEN, type Shape } from './shape.ts';
import { type ColumnType, DERIVED, LINEAGE, type Member, OVERFLOW, type RecordSchema } from './types.ts';

const KINDS = SEEN.boolean | SEEN.number | SEEN.text | SEEN.array | SEEN.object;

/** Longest name of a struct member or column that every engine takes. */
const NAME_LIMIT = 255;

/** Most leaves of a schema: a Parquet writer keeps buffers for each. Objects below the level at which there are more become JSON. */
export const LEAF_LIMIT = 1000;

/** Most columns that records' fields get. Those beyond have their values in `_overflow`. */
export const COLUMN_LIMIT = 500;

/** The narrowest type that holds every value of that shape exactly; objects `levels` deep are JSON. */
export function typeOf(shape: Shape, levels = DEPTH_LIMIT): ColumnType {
  const kinds = shape.seen & KINDS;
  if (kinds === 0) return { kind: 'unknown' };
  if (shape.seen & (SEEN.crowded | SEEN.deep)) return { kind: 'json' };
  if (kinds === SEEN.boolean) return { kind: 'boolean' };
  if (kinds === SEEN.text) return { kind: 'text' };
  if (kinds === SEEN.number) return numberType(shape.integerDigits, shape.scale);
  if (kinds === SEEN.array) return { kind: 'list', element: shape.element ? typeOf(shape.element, levels) : { kind: 'unknown' } };
  return kinds === SEEN.object ? structType(shape, levels) : { kind: 'json' };
}

function numberType(integerDigits: number, scale: number): ColumnType {
  if (scale === 0 && integerDigits <= 18) return { kind: 'integer' };
  if (integerDigits + scale <= 18) return { kind: 'decimal', precision: 18, scale };
  return integerDigits + scale <= 38 ? { kind: 'decimal', precision: 38, scale } : { kind: 'number-text' };
}

/** Members without a value yet are left out; an object without any is as good as null. */
function structType(shape: Shape, levels: number): ColumnType {
  const members = membersOf(shape, levels - 1);
  if (members.length === 0) return { kind: 'unknown' };
  if (levels === 0) return { kind: 'json' };
  const names = new Set(members.map((member) => member.name.toLowerCase()));
  return names.size < members.length || !members.every(isNameable) ? { kind: 'json' } : { kind: 'struct', members };
}

function membersOf(shape: Shape, levels: number): Member[] {
  const members = [...(shape.members ?? [])].map(([name, member]) => ({ name, type: typeOf(member, Math.max(levels, 0)) }));
  return members.filter((member) => member.type.kind !== 'unknown').sort((a, b) => (a.name < b.name ? -1 : 1));
}

const isNameable = ({ name }: Member): boolean => name !== '' && name.length <= NAME_LIMIT && !name.includes('\0') && name.isWellFormed();

/** Down to the deepest level at which the limit holds: a shape that grows never gets a deeper one, so that types only widen. */
function fieldsWithin(shape: Shape, overflow: ReadonlySet<string>): Member[] {
  for (let levels = DEPTH_LIMIT; ; levels--) {
    const fields = membersOf(shape, levels).filter(({ name }) => !overflow.has(name));
    if (levels === 0 || countLeaves(fields) <= LEAF_LIMIT) return fields;
  }
}

const countLeaves = (members: readonly Member[]): number => members.reduce((count, { type }) => count + leavesIn(type), 0);

function leavesIn(type: ColumnType): number {
  if (type.kind === 'list') return leavesIn(type.element);
  return type.kind === 'struct' ? countLeaves(type.members) : 1;
}

/** Top-level fields that no column can hold: names that differ by case alone, that are ours, that no engine takes. */
function overflowing(fields: readonly Member[], fixed: readonly string[]): Set<string> {
  const taken = [...fixed, ...Object.values(LINEAGE), OVERFLOW, DERIVED].map((name) => name.toLowerCase());
  const count = new Map<string, number>(taken.map((name) => [name, 1]));
  for (const { name } of fields) count.set(name.toLowerCase(), (count.get(name.toLowerCase()) ?? 0) + 1);
  const odd = fields.filter((field) => !isNameable(field) || (count.get(field.name.toLowerCase()) ?? 0) > 1);
  return new Set(odd.map((field) => field.name));
}

export interface FixedColumns {
  /** Key and version columns, which the table has anyway. */
  readonly columns: readonly string[];
  /** Those of them that are read from the records' fields of that name. */
  readonly fields: readonly string[];
}

const NOTHING: RecordSchema = { version: 0, fields: [], overflow: [] };

/**
 * The columns of records of that shape.
 * @param before the schema so far: where there are more fields than columns, those that have one keep it.
 * @throws SCHEMA where there are so many fields that their names must be data.
 */
export function schemaOf(shape: Shape, fixed: FixedColumns, version: number, before: RecordSchema = NOTHING): RecordSchema {
  if (shape.seen & SEEN.crowded) throw tooWide();
  const isFixed = (field: Member): boolean => fixed.fields.includes(field.name);
  const all = membersOf(shape, DEPTH_LIMIT).filter((field) => !isFixed(field));
  const odd = overflowing(all, fixed.columns);
  for (const name of withoutColumn(
    all.flatMap((field) => (odd.has(field.name) ? [] : [field.name])),
    before,
  ))
    odd.add(name);
  return { version, fields: fieldsWithin(shape, odd).filter((field) => !isFixed(field)), overflow: [...odd].sort() };
}

/** Names, in ascending order, that there is no column for. */
function withoutColumn(names: readonly string[], before: RecordSchema): readonly string[] {
  if (names.length <= COLUMN_LIMIT) return [];
  const columns = new Set(before.fields.map(({ name }) => name));
  const overflow = new Set(before.overflow);
  const rank = (name: string): number => (columns.has(name) ? 0 : overflow.has(name) ? 2 : 1);
  return names.toSorted((a, b) => rank(a) - rank(b)).slice(COLUMN_LIMIT);
}

function tooWide(): TidemarkError {
  return new TidemarkError({
    code: 'SCHEMA',
    message: `The records have more than ${FIELD_LIMIT} different top-level fields`,
    hint: 'Field names seem to be data. Nothing was loaded; the raw pages are kept. Point response.records at objects with stable fields.',
  });
}

/** The narrowest type that holds every value of both. Wider than the union of the shapes would be where digits are not known any more. */
export function unionTypes(a: ColumnType, b: ColumnType): ColumnType {
  if (a.kind === 'unknown') return b;
  if (b.kind === 'unknown') return a;
  const numbers = unionNumbers(a, b);
  if (numbers) return numbers;
  if (a.kind !== b.kind) return { kind: 'json' };
  if (a.kind === 'list' && b.kind === 'list') return { kind: 'list', element: unionTypes(a.element, b.element) };
  return a.kind === 'struct' && b.kind === 'struct' ? unionStructs(a.members, b.members) : a;
}

function unionStructs(a: readonly Member[], b: readonly Member[]): ColumnType {
  const members = unionMembers(a, b);
  const names = new Set(members.map((member) => member.name.toLowerCase()));
  return names.size < members.length ? { kind: 'json' } : { kind: 'struct', members };
}

function unionNumbers(a: ColumnType, b: ColumnType): ColumnType | null {
  if (!isNumber(a) || !isNumber(b)) return null;
  if (a.kind === 'number-text' || b.kind === 'number-text') return { kind: 'number-text' };
  const [wholeA, scaleA] = digitsOf(a);
  const [wholeB, scaleB] = digitsOf(b);
  return numberType(Math.max(wholeA, wholeB), Math.max(scaleA, scaleB));
}

type NumberType = Extract<ColumnType, { kind: 'integer' | 'decimal' | 'number-text' }>;
const isNumber = (type: ColumnType): type is NumberType => ['integer', 'decimal', 'number-text'].includes(type.kind);
/** Digits before and after the point that a type has room for. */
const digitsOf = (type: Exclude<NumberType, { kind: 'number-text' }>): readonly [number, number] =>
  type.kind === 'integer' ? [18, 0] : [type.precision - type.scale, type.scale];

function unionMembers(a: readonly Member[], b: readonly Member[]): Member[] {
  const types = new Map(a.map((member) => [member.name, member.type]));
  for (const { name, type } of b) {
    const known = types.get(name);
    types.set(name, known ? unionTypes(known, type) : type);
  }
  return [...types].map(([name, type]) => ({ name, type })).sort((x, y) => (x.name < y.name ? -1 : 1));
}

/** The columns that hold the records of both schemas; a name that either keeps in overflow, or that now has a twin, stays there. */
export function unionSchemas(a: RecordSchema, b: RecordSchema): RecordSchema {
  const all = unionMembers(a.fields, b.fields);
  const ofRecords = all.filter(({ name }) => name !== DERIVED);
  const odd = new Set([...a.overflow, ...b.overflow, ...overflowing(ofRecords, [])]);
  return {
    version: Math.max(a.version, b.version),
    // What the transform made stays beside a record's field of that name.
    fields: all.filter(({ name }) => name === DERIVED || !odd.has(name)),
    overflow: [...odd].sort(),
  };
}
