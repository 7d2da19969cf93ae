import { assert } from '../errors.ts';
import { canonicalJson, type ExactObject, type ExactValue, isHollow, isObject, JsonNumber, memberOf } from '../json/exact.ts';
import { canonicalNumber, decomposeNumber } from '../json/number.ts';
import type { Column } from '../parquet/column.ts';
import { parseInstant, type TimeForm } from '../time.ts';
import { KIND, type RecordField } from './record-field.ts';

/** A number in units of its last digit after the point. @param text a JSON number. @param scale at least as many digits as it has there. */
export function scaled(text: string, scale: number): bigint {
  const { negative, digits, point } = decomposeNumber(text);
  if (digits === '') return 0n;
  const units = BigInt(digits) * 10n ** BigInt(scale - (digits.length - point));
  return negative ? -units : units;
}

/** Appends a record that was read into an object. */
export function appendRecord(root: RecordField, record: ExactObject, timeForm: TimeForm): void {
  for (const member of root.members) {
    for (let field: RecordField | null = member; field !== null; field = field.also)
      appendValue(field, memberOf(record, field.name), 0, timeForm);
  }
}

/** Appends the value at a field's path. @param repetition 0 where a record begins with it. */
export function appendValue(field: RecordField, value: ExactValue, repetition: number, timeForm: TimeForm): void {
  if (isHollow(value)) for (const leaf of field.leaves) leaf.null(field.definition - 1, repetition);
  else if (field.kind === KIND.struct) appendStruct(field, value, repetition, timeForm);
  else if (field.kind === KIND.list) appendList(field, value, repetition, timeForm);
  else if (field.column) appendScalar(field, field.column, value, repetition, timeForm);
}

function appendStruct({ members }: RecordField, value: ExactValue, repetition: number, timeForm: TimeForm): void {
  assert(isObject(value), 'a struct column met another value');
  for (const member of members) appendValue(member, memberOf(value, member.name), repetition, timeForm);
}

function appendList(field: RecordField, values: ExactValue, repetition: number, timeForm: TimeForm): void {
  assert(Array.isArray(values) && field.element, 'a list column met another value');
  if (values.length === 0) for (const leaf of field.leaves) leaf.null(field.definition, repetition);
  for (const [at, value] of (values as readonly ExactValue[]).entries())
    appendValue(field.element, value, at === 0 ? repetition : field.repetition, timeForm);
}

function appendScalar({ kind, scale }: RecordField, column: Column, value: ExactValue, repetition: number, timeForm: TimeForm): void {
  switch (kind) {
    case KIND.number:
      assert(value instanceof JsonNumber, 'a number column met another value');
      column.whole(scaled(value.source, scale), repetition);
      return;
    case KIND.boolean:
      assert(typeof value === 'boolean', 'a boolean column met another value');
      column.boolean(value, repetition);
      return;
    case KIND.time: {
      const micros = parseInstant(scalar(value), timeForm);
      assert(micros !== null, 'a record that was accepted has a version time');
      column.whole(BigInt(micros), repetition);
      return;
    }
    case KIND.version:
      column.whole(BigInt(scalar(value)), repetition);
      return;
    case KIND.text:
      assert(typeof value === 'string', 'a text column met another value');
      column.text(value, repetition);
      return;
    case KIND.json:
      column.text(canonicalJson(value), repetition);
      return;
    case KIND.numberText:
      column.text(canonicalNumber(scalar(value)), repetition);
      return;
    case KIND.scalar:
      column.text(scalar(value), repetition);
      return;
    case KIND.struct:
    case KIND.list:
    case KIND.overflow:
    case KIND.hollow:
      assert(false, 'a path without values met one');
  }
}

/** Text or digits. */
function scalar(value: ExactValue): string {
  if (value instanceof JsonNumber) return value.source;
  assert(typeof value === 'string', 'a text column met another value');
  return value;
}
