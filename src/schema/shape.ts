/**
 * The shape of JSON values: which types were found at each path, and how wide the numbers were. Merging shapes is commutative,
 * associative and idempotent, so the union of a window is the same in whatever order its pages arrived.
 */
export interface Shape {
  /** A bit set of SEEN. */
  seen: number;
  /** Digits before the point, at most, of the numbers at this path (0 where there were none; leading zeros not counted). */
  integerDigits: number;
  /** Digits after the point, at most, once exponents are resolved and trailing zeros dropped. */
  scale: number;
  /** Shape of the elements of arrays at this path. */
  element: Shape | null;
  /** Shapes of the members of objects at this path, by name. */
  members: Map<string, Shape> | null;
}

export const SEEN = {
  null: 1,
  boolean: 2,
  number: 4,
  text: 8,
  array: 16,
  object: 32,
  /** A number with a point or an exponent that a double may not carry digit for digit. */
  wide: 64,
  /** An object here named a member twice; the last one counts, as in JSON.parse. */
  duplicate: 128,
  /** A text (or name) here holds a lone surrogate escape, which no UTF-8 text can hold. */
  surrogate: 256,
  /** More than MEMBER_LIMIT (of a record: FIELD_LIMIT) names: they are data, not fields. */
  crowded: 512,
  /** Nested deeper than DEPTH_LIMIT: what is below was not looked at, and is kept as JSON. */
  deep: 1024,
  /** An object here held no value at all: `{}`, `{"a": null}`. Such an object is the same as null. */
  hollow: 2048,
  /** A number with a point or an exponent. */
  pointed: 4096,
  /** A number with an exponent. */
  exponent: 8192,
} as const;

/** Names of one object, over all records, past which they are taken for data. */
export const MEMBER_LIMIT = 500;
/** The same of the records themselves: more of them than a table has columns for, since the rest has its place as well. */
export const FIELD_LIMIT = 2000;
/**
 * Levels below a record's top down to which shapes are taken. DuckDB takes twice the time for each level of arrays in arrays to plan their
 * way into JSON: a third of a second for twelve, half an hour for twenty-four.
 */
export const DEPTH_LIMIT = 12;

export function emptyShape(): Shape {
  return { seen: 0, integerDigits: 0, scale: 0, element: null, members: null };
}

/** Adds what `from` saw of records to `into`, which is changed. */
export const mergeShape = (into: Shape, from: Shape): void => merge(into, from, FIELD_LIMIT);

function merge(into: Shape, from: Shape, limit: number): void {
  into.seen |= from.seen;
  into.integerDigits = Math.max(into.integerDigits, from.integerDigits);
  into.scale = Math.max(into.scale, from.scale);
  if (from.element) merge((into.element ??= emptyShape()), from.element, MEMBER_LIMIT);
  if (from.members) mergeMembers((into.members ??= new Map()), from.members);
  if (into.members && into.members.size > limit) into.seen |= SEEN.crowded;
  if (into.seen & SEEN.crowded) forgetMembers(into);
}

/** Names that are data say nothing, but what must be known before a record is read stays known. */
export function forgetMembers(shape: Shape): void {
  for (const member of shape.members?.values() ?? []) if (holdsAnywhere(member, SEEN.surrogate)) shape.seen |= SEEN.surrogate;
  shape.members = null;
}

/** Whether any of `marks` was seen at this path or below it. */
export function holdsAnywhere(shape: Shape, marks: number): boolean {
  if ((shape.seen & marks) !== 0 || (shape.element !== null && holdsAnywhere(shape.element, marks))) return true;
  return shape.members !== null && [...shape.members.values()].some((member) => holdsAnywhere(member, marks));
}

function mergeMembers(into: Map<string, Shape>, from: ReadonlyMap<string, Shape>): void {
  for (const [name, shape] of from) {
    let member = into.get(name);
    if (!member) into.set(name, (member = emptyShape()));
    merge(member, shape, MEMBER_LIMIT);
  }
}

/** The shape as JSON: `[seen, integerDigits, scale, element, [[name, shape], …]]`, cut after the last part that says something. */
export type ShapeJson = readonly [number, number?, number?, (ShapeJson | null)?, (readonly (readonly [string, ShapeJson])[])?];

export function shapeToJson(shape: Shape): ShapeJson {
  const members = shape.members && [...shape.members].sort(byName).map(([name, member]) => [name, shapeToJson(member)] as const);
  if (members) return [shape.seen, shape.integerDigits, shape.scale, shape.element && shapeToJson(shape.element), members];
  if (shape.element) return [shape.seen, shape.integerDigits, shape.scale, shapeToJson(shape.element)];
  return shape.seen & SEEN.number ? [shape.seen, shape.integerDigits, shape.scale] : [shape.seen];
}

export function shapeFromJson(json: ShapeJson): Shape {
  const [seen, integerDigits = 0, scale = 0, element = null, members = null] = json;
  return {
    seen,
    integerDigits,
    scale,
    element: element && shapeFromJson(element),
    members: members && new Map(members.map(([name, member]) => [name, shapeFromJson(member)])),
  };
}

const byName = (a: readonly [string, unknown], b: readonly [string, unknown]): number => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0);
