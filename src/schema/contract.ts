import { type ExactObject, type ExactValue, isHollow, isObject } from '../json/exact.ts';
import type { ContractTerm } from '../stream.ts';
import { type FieldHistory, type FieldPath, type FieldTree, fieldsAt, fieldText, hasField, isOpenAt, withOpen } from './known-fields.ts';
import { emptyShape, SEEN, type Shape } from './shape.ts';

/**
 * What becomes of fields that records gain. The longest term whose path leads to a field decides about it. `freeze at 7` and `discard at
 * 7` mean what schema version 7 did not know: that is written in the schema's history and never changes, so whether a record is accepted
 * and how it is read depends on the record and the configuration alone, not on what came before it.
 */
export interface Contract {
  readonly terms: readonly KnownTerm[];
}

export interface KnownTerm extends ContractTerm {
  readonly known: FieldTree;
}

/** A field that a term does not know. */
export interface NewField {
  readonly path: FieldPath;
  readonly term: KnownTerm;
}

/** Whether any field could be kept out at all: where not, the schema's history need not be read. */
export const isBinding = (terms: readonly ContractTerm[]): boolean => terms.some(({ mode }) => mode !== 'evolve');

/** @param fixed fields that the stream is configured by: they are always known. @throws CONFIG for a version that is not there. */
export function knownContract(terms: readonly ContractTerm[], schema: FieldHistory, fixed: readonly string[]): Contract {
  return { terms: terms.map((term) => ({ ...term, known: withOpen(fieldsAt(schema, term.at, termText(term)), fixed) })) };
}

export const termText = ({ path, mode, at }: ContractTerm): string =>
  `contract of ${path.length === 0 ? '$' : fieldText(path)}, ${mode === 'evolve' ? mode : `${mode} at ${at}`}`;

const leads = (path: FieldPath, to: FieldPath): boolean => path.length <= to.length && path.every((name, at) => name === to[at]);

/** The term that keeps a field out; null where it may come. A field on the way to one that may evolve is none by itself. */
function broken({ terms }: Contract, path: FieldPath): KnownTerm | null {
  let term: KnownTerm | null = null;
  for (const one of terms) if (leads(one.path, path) && (term === null || one.path.length > term.path.length)) term = one;
  if (term === null || term.mode === 'evolve' || hasField(term.known, path)) return null;
  return terms.some((one) => one.mode === 'evolve' && leads(path, one.path)) ? null : term;
}

/** Every new field of a record with a value, the outermost of each branch. */
export function newFields(record: ExactObject, contract: Contract): NewField[] {
  const found: NewField[] = [];
  walk(record, [], contract, (field) => found.push(field));
  return found;
}

function walk(value: ExactValue, path: FieldPath, contract: Contract, report: (field: NewField) => void): void {
  if (Array.isArray(value)) for (const element of value as readonly ExactValue[]) walk(element, path, contract, report);
  else if (isObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      if (isHollow(member)) continue;
      const at = [...path, name];
      const term = broken(contract, at);
      if (term) report({ path: at, term });
      else walk(member, at, contract, report);
    }
  }
}

/** The record without what its contract discards, and what that was. */
export function withoutDiscarded(
  record: ExactObject,
  contract: Contract,
): { readonly record: ExactObject; readonly discarded: FieldPath[] } {
  const discarded: FieldPath[] = [];
  const kept = prune(record, [], contract, discarded);
  return { record: kept as ExactObject, discarded };
}

function prune(value: ExactValue, path: FieldPath, contract: Contract, discarded: FieldPath[]): ExactValue {
  if (Array.isArray(value)) return (value as readonly ExactValue[]).map((element) => prune(element, path, contract, discarded));
  if (!isObject(value)) return value;
  const kept = Object.entries(value).flatMap(([name, member]): [string, ExactValue][] => {
    const at = [...path, name];
    if (broken(contract, at)?.mode !== 'discard') return [[name, prune(member, at, contract, discarded)]];
    if (!isHollow(member)) discarded.push(at);
    return [];
  });
  return Object.fromEntries(kept);
}

/** Modes that records of that shape may meet. They are looked at one by one then: a shape cannot tell whose the field is, or that it is one. */
export interface MayMeet {
  readonly freeze: boolean;
  readonly discard: boolean;
}

export function mayMeet(shape: Shape, contract: Contract): MayMeet {
  const modes = new Set<ContractTerm['mode']>();
  meet(shape, [], contract, modes);
  return { freeze: modes.has('freeze'), discard: modes.has('discard') };
}

const VALUES = ~SEEN.null;

function meet(shape: Shape, path: FieldPath, contract: Contract, modes: Set<ContractTerm['mode']>): void {
  if (shape.element) meet(shape.element, path, contract, modes);
  // Names that were not kept may be any.
  if (shape.seen & (SEEN.crowded | SEEN.deep)) for (const term of contract.terms) if (mayBreakBelow(term, path)) modes.add(term.mode);
  for (const [name, member] of shape.members ?? []) {
    if ((member.seen & VALUES) === 0) continue;
    const at = [...path, name];
    const term = broken(contract, at);
    if (term) modes.add(term.mode);
    else meet(member, at, contract, modes);
  }
}

const mayBreakBelow = (term: KnownTerm, path: FieldPath): boolean =>
  (leads(term.path, path) || leads(path, term.path)) && !isOpenAt(term.known, path);

/** The shape of the same records without what their contract discards. */
export function shapeWithoutDiscarded(shape: Shape, contract: Contract, path: FieldPath = []): Shape {
  const element = shape.element && shapeWithoutDiscarded(shape.element, contract, path);
  if (!shape.members) return { ...shape, element };
  const members = new Map<string, Shape>();
  for (const [name, member] of shape.members) {
    const at = [...path, name];
    const isKept = (member.seen & VALUES) === 0 || broken(contract, at)?.mode !== 'discard';
    members.set(name, isKept ? shapeWithoutDiscarded(member, contract, at) : { ...emptyShape(), seen: SEEN.null });
  }
  return { ...shape, element, members };
}
