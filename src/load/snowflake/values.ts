import { canonicalJson, type ExactValue, isObject, memberOf, parseExact } from '../../json/exact.ts';
import { canonicalNumber } from '../../json/number.ts';
import { knownMembers } from '../../schema/duckdb-types.ts';
import type { ColumnType, Member } from '../../schema/types.ts';

/** Values as Snowflake gives them, all as text, into the canonical JSON that every warehouse gives for the same value. */

/** @param text the column's value, of a VARIANT its JSON. @returns canonical JSON; null where there is no value. */
export function scalarJson(type: ColumnType, text: string | null): string | null {
  if (text === null) return null;
  switch (type.kind) {
    case 'boolean':
      return text.toLowerCase();
    case 'integer':
    case 'decimal':
      return canonicalNumber(text);
    case 'number-text':
    case 'json':
      return text;
    case 'unknown':
    case 'text':
      return JSON.stringify(text);
    case 'list':
    case 'struct':
      return variantJson(type, parseExact(text));
  }
}

/** Of a value inside a VARIANT, by the type that it was written with. */
export function variantJson(type: ColumnType, value: ExactValue): string | null {
  if (value === null) return null;
  if (type.kind === 'list') return Array.isArray(value) ? listJson(type.element, value) : canonicalJson(value);
  if (type.kind === 'struct') return structJson(type.members, value);
  if (typeof value !== 'string') return canonicalJson(value);
  if (type.kind === 'json') return value;
  return type.kind === 'text' || type.kind === 'unknown' ? JSON.stringify(value) : scalarJson(type, value);
}

const listJson = (element: ColumnType, items: readonly ExactValue[]): string =>
  `[${items.map((item) => variantJson(element, item) ?? 'null').join(',')}]`;

/** A member without a value is left out, whether Snowflake kept it as null or not at all. */
function structJson(members: readonly Member[], value: ExactValue): string {
  if (!isObject(value)) return canonicalJson(value);
  const parts = knownMembers(members)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ name, type }) => {
      const json = variantJson(type, memberOf(value, name));
      return json === null ? [] : [`${JSON.stringify(name)}:${json}`];
    });
  return `{${parts.join(',')}}`;
}

/**
 * A MAP of Parquet, which comes as an object, or as its list of entries: `{"key_value":[{"key":…,"value":…}]}`, `[{"key":…,"value":…}]`,
 * `[[key, value]]`. @returns canonical JSON by name.
 */
export function overflowEntries(text: string | null): ReadonlyMap<string, string> {
  const value = text === null ? null : parseExact(text);
  return new Map(entriesOf(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== 'null'));
}

function entriesOf(value: ExactValue): (readonly [string, ExactValue])[] {
  if (Array.isArray(value)) return (value as readonly ExactValue[]).map(entryOf);
  if (!isObject(value)) return [];
  const list = memberOf(value, 'key_value');
  return Array.isArray(list) ? entriesOf(list) : Object.entries(value);
}

function entryOf(entry: ExactValue): readonly [string, ExactValue] {
  const [name, value] = Array.isArray(entry)
    ? (entry as readonly ExactValue[])
    : isObject(entry)
      ? [memberOf(entry, 'key'), memberOf(entry, 'value')]
      : [];
  return [typeof name === 'string' ? name : '', value ?? null];
}
