import { hash } from 'node:crypto';
import { canonicalJson, type ExactObject, type ExactValue, isObject, parseExact } from '../json/exact.ts';
import type { CuratedRow, Warehouse } from '../load/warehouse.ts';
import type { StreamName } from '../partner/options.ts';
import type { Partner } from '../partner/server.ts';
import { DERIVED, LINEAGE, OVERFLOW } from '../schema/types.ts';
import type { Stream } from '../stream.ts';
import { formatInstant, parseInstant } from '../time.ts';

/** The warehouse held against the partner's own truth, value by value. */
export interface Proof {
  /** Keys of the truth. */
  readonly keys: number;
  rows: number;
  /** Keys that the warehouse does not have. */
  missing: number;
  /** Rows of a key beyond its first. */
  duplicated: number;
  /** Rows of another version than the truth's greatest. */
  stale: number;
  /** Rows of that version of which a value, or the content hash, differs. */
  altered: number;
  /** Rows of keys that the truth does not have. */
  foreign: number;
  /** Up to three of each, for a look. */
  readonly samples: string[];
}

interface Expected {
  /** Of the canonical text of all values: millions of texts would not fit into memory. */
  readonly values: string;
  readonly version: string;
  readonly contentHash: string;
  seen: boolean;
}

const SAMPLES = 12;

/** Columns that the configuration alone gives a value are not part of the partner's truth. */
export async function prove(warehouse: Pick<Warehouse, 'contents'>, stream: Stream, partner: Pick<Partner, 'truth'>): Promise<Proof> {
  const expected = new Map<string, Expected>();
  for (const { key, body, rivals } of partner.truth(stream.name as StreamName)) {
    expected.set(JSON.stringify(key), winner([body, ...rivals].map((text) => expectation(stream, text))));
  }
  const proof: Proof = { keys: expected.size, rows: 0, missing: 0, duplicated: 0, stale: 0, altered: 0, foreign: 0, samples: [] };
  for await (const row of warehouse.contents(stream)) judge(proof, stream, row, expected.get(JSON.stringify(sourceKey(stream, row))));
  for (const [key, item] of expected) if (!item.seen) note(proof, 'missing', key);
  return proof;
}

const sourceKey = (stream: Stream, row: CuratedRow): string[] => row.key.filter((_, column) => stream.key[column]?.constant === null);

const digest = (text: string): string => hash('sha256', text, 'hex');

/** Of contents with the same version, the law takes the one with the greatest hash. */
const winner = (candidates: readonly Expected[]): Expected =>
  candidates.reduce((best, other) => (other.contentHash > best.contentHash ? other : best));

function expectation(stream: Stream, body: string): Expected {
  const record = parseExact(body) as ExactObject;
  return {
    values: digest(canonicalJson(withInstants(stream, record))),
    version: versionOf(stream, record),
    contentHash: digest(body).slice(0, 32),
    seen: false,
  };
}

function judge(proof: Proof, stream: Stream, row: CuratedRow, item: Expected | undefined): void {
  proof.rows++;
  const key = row.key.join('/');
  if (!item) return note(proof, 'foreign', key);
  if (item.seen) return note(proof, 'duplicated', key);
  item.seen = true;
  const values = valuesOf(stream, row.row);
  if (versionOf(stream, values) !== item.version) return note(proof, 'stale', key);
  if (row.contentHash !== item.contentHash || digest(canonicalJson(values)) !== item.values) note(proof, 'altered', key);
}

function note(proof: Proof, what: 'missing' | 'duplicated' | 'stale' | 'altered' | 'foreign', key: string): void {
  proof[what]++;
  if (proof.samples.length < SAMPLES) proof.samples.push(`${what}: ${key}`);
}

/** A curated row as the record that it came from: without lineage, with the overflow fields back in their place. */
function valuesOf(stream: Stream, row: string): ExactObject {
  const all = parseExact(row) as ExactObject;
  const constants = stream.key.filter((column) => column.constant !== null).map((column) => column.name);
  const ours: readonly string[] = [...Object.values(LINEAGE), OVERFLOW, DERIVED, ...constants];
  const fields = Object.entries(all).filter(([name]) => !ours.includes(name));
  const overflow: ExactValue = all[OVERFLOW] ?? null;
  return Object.fromEntries([...fields, ...(isObject(overflow) ? Object.entries(overflow) : [])]);
}

/** The source writes the version time in its own way; the warehouse holds the instant. */
function withInstants(stream: Stream, record: ExactObject): ExactObject {
  const [time] = stream.version;
  const text = record[time.name];
  const instant = typeof text === 'string' ? parseInstant(text, time.form) : null;
  return instant === null ? record : { ...record, [time.name]: formatInstant(instant) };
}

const versionOf = (stream: Stream, record: ExactObject): string =>
  stream.version.map((column) => canonicalJson(withInstants(stream, record)[column.name] ?? null)).join(' ');

export const isProved = (proof: Proof): boolean =>
  proof.missing + proof.duplicated + proof.stale + proof.altered + proof.foreign === 0 && proof.keys > 0;
