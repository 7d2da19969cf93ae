import { createHash } from 'node:crypto';
import { keyFields, type ReadFields, readFields } from '../page/fields.ts';
import type { ContractTerm, Stream, Transform } from '../stream.ts';

/** What normalizing needs to know of a stream. */
export interface Definition {
  readonly stream: string;
  readonly key: Stream['key'];
  readonly version: Stream['version'];
  /** Path of the record array in a body. */
  readonly records: readonly string[];
  readonly rules: readonly RowCheck[];
  /** Absent or empty where every field may come in. */
  readonly contract?: readonly ContractTerm[];
  /** Absent or null where rows hold the records and no more. */
  readonly transform?: Transform | null;
}

/** A row rule, as SQL: normalizing knows nothing of the language that it was written in. */
export interface RowCheck {
  /** As quarantine names it: `amount: present and >= 0`. */
  readonly name: string;
  readonly field: string;
  /** A condition over the field's JSON value, TRUE where the record may enter, never NULL. */
  passes(valueSql: string): string;
}

/** Record fields that key and version columns are read from. */
export function fixedFields(definition: Pick<Definition, 'key' | 'version'>): readonly string[] {
  return [...keyFields(definition), ...definition.version.map((column) => column.name)];
}

/** What the narrow pass reads of a record. */
export const fieldsOf = (definition: Definition): ReadFields =>
  readFields(
    definition,
    definition.rules.map((rule) => rule.field),
  );

/** Columns of the curated table that are there whatever the records hold. */
export function fixedColumns({ key, version }: Pick<Definition, 'key' | 'version'>): readonly string[] {
  return [...key.map((column) => column.name), ...version.map((column) => column.name)];
}

/** Changes with everything that decides which observations are accepted and how they are ordered. */
export function fingerprint(definition: Definition): string {
  const { key, version, rules, contract = [] } = definition;
  // What is discarded changes how a record is read, not whether it is accepted.
  const frozen = contract.some(({ mode }) => mode === 'freeze') ? [contract] : [];
  const said = JSON.stringify([key, version, rules.map((rule) => [rule.name, rule.passes('value')]), ...frozen]);
  return createHash('sha256').update(said).digest('hex').slice(0, 16);
}

/** How accepted records become rows. */
export interface Reading {
  readonly version: number;
  /** Changes with everything that decides what a row holds; empty where it holds the record and no more. */
  readonly hash: string;
}

export function readingOf({ contract = [], transform = null }: Pick<Definition, 'contract' | 'transform'>): Reading {
  const discards = contract.some(({ mode }) => mode === 'discard') ? contract : [];
  const columns = transform?.columns ?? [];
  const version = transform?.version ?? 0;
  if (discards.length + columns.length === 0) return { version, hash: '' };
  return {
    version,
    hash: createHash('sha256')
      .update(JSON.stringify([discards, columns]))
      .digest('hex')
      .slice(0, 16),
  };
}
