import { assert } from '../errors.ts';
import { canonicalJson, type ExactObject, type ExactValue, exactJson, isHollow, isObject, JsonNumber, memberOf } from '../json/exact.ts';
import { canonicalNumber } from '../json/number.ts';
import { SEEN, type Shape } from './shape.ts';
import { type Input, inputName, inputText } from './transform.ts';
import { type ColumnType, DERIVED, OVERFLOW, type RecordSchema } from './types.ts';

/** Decimal digits that survive DuckDB's way from JSON to DECIMAL, which goes through a double. */
export const DOUBLE_DIGITS = 15;

/**
 * Whether values of that shape must be rewritten (projectRecord) before DuckDB's JSON reader turns them into `type`, because it would lose
 * digits, or has no reading for them.
 */
export function needsProjection(shape: Shape, type: ColumnType): boolean {
  if ((shape.seen & ~SEEN.null) === 0) return false;
  switch (type.kind) {
    case 'unknown':
    case 'json':
    case 'number-text':
      return true;
    case 'decimal':
      return (shape.seen & SEEN.wide) !== 0 || shape.integerDigits + type.scale > DOUBLE_DIGITS;
    case 'integer':
      return (shape.seen & SEEN.wide) !== 0;
    case 'list':
      return shape.element !== null && needsProjection(shape.element, type.element);
    case 'struct':
      // Of a member named twice the last counts, and it may leave the object hollow.
      return (
        (shape.seen & (SEEN.hollow | SEEN.duplicate)) !== 0 ||
        type.members.some((member) => memberNeedsProjection(shape, member.name, member.type))
      );
    case 'boolean':
    case 'text':
      return false;
  }
}

function memberNeedsProjection(shape: Shape, name: string, type: ColumnType): boolean {
  const member = shape.members?.get(name);
  return member !== undefined && needsProjection(member, type);
}

/** The same for whole records. */
export function recordNeedsProjection(shape: Shape, schema: RecordSchema): boolean {
  return (
    schema.overflow.some((name) => shape.members?.has(name)) ||
    // A field that bears such a name, but never a value, is in neither list: DuckDB would take it for ours.
    [OVERFLOW, DERIVED].some((name) => shape.members?.has(name)) ||
    schema.fields.some(({ name, type }) => name !== DERIVED && memberNeedsProjection(shape, name, type))
  );
}

/**
 * A record as JSON text that DuckDB's reader turns into the schema's types without losing anything: decimals as texts, JSON columns as
 * canonical text, overflow fields as members of `_overflow`.
 * @param fixed key and version fields, which are passed on as they are. @param inputs of the transform that are to be written beside them.
 */
export function projectRecord(record: ExactObject, schema: RecordSchema, fixed: readonly string[], inputs: readonly Input[] = []): string {
  const parts = fixed
    .filter((name) => Object.hasOwn(record, name))
    .map((name) => `${JSON.stringify(name)}:${exactJson(memberOf(record, name))}`);
  for (const { name, type } of schema.fields)
    if (name !== DERIVED && Object.hasOwn(record, name)) parts.push(`${JSON.stringify(name)}:${project(memberOf(record, name), type)}`);
  const odd = schema.overflow.filter((name) => !isHollow(memberOf(record, name)));
  if (odd.length > 0) parts.push(`${JSON.stringify(OVERFLOW)}:${overflow(record, odd)}`);
  if (inputs.length > 0) parts.push(`${JSON.stringify(DERIVED)}:${writtenInputs(record, inputs)}`);
  return `{${parts.join(',')}}`;
}

const writtenInputs = (record: ExactObject, inputs: readonly Input[]): string =>
  `{${inputs.map((path) => `${JSON.stringify(inputName(path))}:${JSON.stringify(inputText(record, path))}`).join(',')}}`;

/** Names are in ascending order in the schema, and so in the map. */
function overflow(record: ExactObject, names: readonly string[]): string {
  return `{${names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(canonicalJson(memberOf(record, name)))}`).join(',')}}`;
}

/** One value as that text. */
export function project(value: ExactValue, type: ColumnType): string {
  if (isHollow(value)) return 'null';
  switch (type.kind) {
    case 'json':
      return JSON.stringify(canonicalJson(value));
    case 'decimal':
    case 'integer':
    case 'number-text':
      assert(value instanceof JsonNumber, `a ${type.kind} column met ${typeof value}`);
      return JSON.stringify(canonicalNumber(value.source));
    case 'list':
      assert(Array.isArray(value), 'a list column met another value');
      return `[${value.map((element: ExactValue) => project(element, type.element)).join(',')}]`;
    case 'struct':
      assert(isObject(value), 'a struct column met another value');
      return projectStruct(value, type.members);
    case 'boolean':
    case 'text':
      assert(typeof value === (type.kind === 'text' ? 'string' : 'boolean'), `a ${type.kind} column met another value`);
      return JSON.stringify(value);
    case 'unknown':
      return 'null';
  }
}

function projectStruct(value: ExactObject, members: Extract<ColumnType, { kind: 'struct' }>['members']): string {
  const present = members.filter((member) => !isHollow(memberOf(value, member.name)));
  return `{${present.map(({ name, type }) => `${JSON.stringify(name)}:${project(memberOf(value, name), type)}`).join(',')}}`;
}
