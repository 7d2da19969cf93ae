import { TidemarkError } from '../errors.ts';
import type { ColumnType, RecordSchema } from './types.ts';

/**
 * The field names of records as a tree. What stands in an array counts as if it stood beside it, so that `items.tax` is a field of each
 * item. Below an open field any name is known: it is a JSON column, and its names were never fields.
 */
export interface FieldTree {
  readonly open: boolean;
  readonly members: ReadonlyMap<string, FieldTree>;
}

export type FieldPath = readonly string[];

/** A field that a schema version added, or made open. */
export interface KnownField {
  readonly path: FieldPath;
  readonly open?: true;
}

/** What of a schema's history tells which fields were known at a version. */
export interface FieldHistory {
  readonly schema: RecordSchema;
  readonly history: readonly { readonly version: number; readonly known?: readonly KnownField[] }[];
}

const OPEN: FieldTree = { open: true, members: new Map() };
export const NO_FIELDS: FieldTree = { open: false, members: new Map() };

export function fieldTree({ fields, overflow }: Pick<RecordSchema, 'fields' | 'overflow'>): FieldTree {
  const columns = fields.map(({ name, type }) => [name, typeTree(type)] as const);
  return { open: false, members: new Map([...columns, ...overflow.map((name) => [name, OPEN] as const)]) };
}

function typeTree(type: ColumnType): FieldTree {
  if (type.kind === 'json') return OPEN;
  if (type.kind === 'list') return typeTree(type.element);
  if (type.kind !== 'struct') return NO_FIELDS;
  return { open: false, members: new Map(type.members.map(({ name, type: inner }) => [name, typeTree(inner)])) };
}

/** The tree with those top-level fields in it, open. */
export const withOpen = ({ open, members }: FieldTree, names: readonly string[]): FieldTree => ({
  open,
  members: new Map([...members, ...names.map((name) => [name, OPEN] as const)]),
});

/** Whether the tree has a field of that path, or an open one above it. */
export function hasField(tree: FieldTree, path: FieldPath): boolean {
  return isOpenAt(tree, path) || nodeAt(tree, path) !== null;
}

/** Whether every name below the path is known. */
export function isOpenAt(tree: FieldTree, path: FieldPath): boolean {
  let node: FieldTree | undefined = tree;
  for (const name of path) {
    if (node.open) return true;
    node = node.members.get(name);
    if (!node) return false;
  }
  return node.open;
}

function nodeAt(tree: FieldTree, path: FieldPath): FieldTree | null {
  let node: FieldTree | undefined = tree;
  for (const name of path) node = node?.members.get(name);
  return node ?? null;
}

/** What `after` has and `before` has not. Types only widen, so nothing is ever taken away but what an open field makes needless. */
export function fieldChanges(before: FieldTree, after: FieldTree, path: FieldPath = []): KnownField[] {
  if (after.open) return before.open ? [] : [{ path, open: true }];
  return [...after.members].flatMap(([name, member]) => {
    const at = [...path, name];
    const known = before.members.get(name);
    const added = known || member.open ? [] : [{ path: at }];
    return [...added, ...fieldChanges(known ?? NO_FIELDS, member, at)];
  });
}

/**
 * The fields that were known at a version. It never changes once that version exists, whatever comes later.
 * @throws CONFIG where there is no such version, or its history was written before fields were noted.
 */
export function fieldsAt({ schema, history }: FieldHistory, version: number, said: string): FieldTree {
  if (version === 0) return NO_FIELDS;
  if (version > schema.version) throw noVersion(said, `the schema is at version ${schema.version} so far`);
  const until = history.filter((entry) => entry.version <= version);
  if (until.at(-1)?.known) return foldFields(until);
  if (version === schema.version) return fieldTree(schema);
  throw noVersion(said, 'the fields of so old a version were not noted');
}

export function foldFields(history: FieldHistory['history']): FieldTree {
  const root = { open: false, members: new Map<string, MutableTree>() };
  for (const { known = [] } of history) for (const field of known) addField(root, field);
  return root;
}

interface MutableTree {
  open: boolean;
  readonly members: Map<string, MutableTree>;
}

function addField(root: MutableTree, { path, open }: KnownField): void {
  let node = root;
  for (const name of path) {
    let next = node.members.get(name);
    if (!next) node.members.set(name, (next = { open: false, members: new Map() }));
    node = next;
  }
  if (open) node.open = true;
}

const noVersion = (said: string, why: string): TidemarkError =>
  new TidemarkError({
    code: 'CONFIG',
    message: `${said}: ${why}`,
    hint: 'Nothing was changed. `tidemark schema history` lists the versions; write one of them, or 0 where every field is new.',
  });

/** As people read it: `payload.customer.email`. */
export const fieldText = (path: FieldPath): string => path.map((name) => (/^[^.\s"]+$/.test(name) ? name : JSON.stringify(name))).join('.');
