import { TidemarkError } from '../errors.ts';
import type { Decision, QuarantinedRecord } from '../manifest/documents.ts';
import { quarantineDecisionKey, quarantineDecisionPrefix, quarantineKey, quarantinePrefix } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { type DecisionState, readDecision, requireHexId, stateOf, writeDecision } from './decisions.ts';
import { storeRecords, visitRecords } from './quarantine-file.ts';

/** One content in quarantine, however often it was landed and whatever rules it broke. */
export interface QuarantineEntry {
  readonly id: string;
  readonly stream: string;
  readonly state: DecisionState;
  readonly decision: Decision | null;
  readonly releasable: boolean;
  /** Every rule that it broke, and what was found by the first of them. */
  readonly rules: readonly string[];
  readonly value: string | null;
  readonly reason: string;
  readonly key: readonly (string | null)[];
  /** Where its earliest copy is. */
  readonly page: string;
  readonly position: number;
  readonly at: number;
  readonly batches: readonly string[];
}

export interface QuarantineDetail extends QuarantineEntry {
  /** All copies, each with its bytes and its place. */
  readonly records: readonly QuarantinedRecord[];
}

/**
 * Puts a batch's refused records into quarantine. The batch's id names its content, so where the object exists it says the same.
 * @param scratch folder for the file while it is written; the system's where left out.
 * @returns how many records there were; where there are none, nothing is written.
 */
export function writeQuarantine(
  store: ObjectStore,
  stream: string,
  batch: string,
  records: Iterable<QuarantinedRecord> | AsyncIterable<QuarantinedRecord>,
  scratch?: string,
): Promise<number> {
  return storeRecords(store, quarantineKey(stream, batch), records, scratch);
}

/** Records of one batch, `most` of them at most, without what they say; none where nothing was refused. */
export async function readBatchQuarantine(
  store: ObjectStore,
  { stream, id }: { readonly stream: string; readonly id: string },
  most: number,
  scratch?: string,
): Promise<readonly { readonly page: string; readonly position: number; readonly rule: string; readonly contentHash: string }[]> {
  const key = quarantineKey(stream, id);
  const found: { page: string; position: number; rule: string; contentHash: string }[] = [];
  if ((await store.head(key)) === null) return found;
  const visit = ({ page, position, rule, id: contentHash }: QuarantinedRecord): void => {
    if (found.length < most) found.push({ page, position, rule, contentHash });
  };
  await visitRecords(store, key, visit, scratch);
  return found;
}

/** One entry a content, the oldest first. Bodies are not kept in memory. */
export async function listQuarantine(store: ObjectStore, stream: string): Promise<readonly QuarantineEntry[]> {
  const entries = new Map<string, QuarantineEntry>();
  await visitQuarantine(store, stream, (record) => {
    entries.set(record.id, merged(entries.get(record.id), record));
  });
  const decisions = await readDecisions(store, stream);
  return [...entries.values()].map((entry) => decided(entry, decisions.get(entry.id) ?? null)).sort(byAge);
}

/** @throws NOT_FOUND where no such record is in quarantine. */
export async function showQuarantined(store: ObjectStore, stream: string, id: string): Promise<QuarantineDetail> {
  requireHexId(id, 'record id');
  const records: QuarantinedRecord[] = [];
  await visitQuarantine(store, stream, (record) => {
    if (record.id === id) records.push(record);
  });
  const entry = records.reduce<QuarantineEntry | undefined>(merged, undefined);
  if (!entry) throw notQuarantined(stream, id);
  return { ...decided(entry, await readDecision(store, quarantineDecisionKey(stream, id))), records };
}

/**
 * Releases or discards a record; the decision stands for good. A released record enters when its pages are normalized again.
 * @returns the decision that stands.
 * @throws NOT_FOUND, CONFLICT where another decision stands, SCHEMA where it is to be released and has no key or no version.
 */
export async function decideQuarantine(store: ObjectStore, stream: string, id: string, decision: Decision): Promise<Decision> {
  const entry = await showQuarantined(store, stream, id);
  if (decision.decision === 'release' && !entry.releasable) throw notReleasable(entry);
  return writeDecision(store, quarantineDecisionKey(stream, id), decision, `record ${id} of ${stream}`);
}

/** Content hashes that may enter whatever the row rules say. */
export async function releasedHashes(store: ObjectStore, stream: string): Promise<ReadonlySet<string>> {
  const decisions = await readDecisions(store, stream);
  return new Set([...decisions].filter(([, decision]) => decision.decision === 'release').map(([id]) => id));
}

async function visitQuarantine(store: ObjectStore, stream: string, visit: (record: QuarantinedRecord) => void): Promise<void> {
  for await (const { key } of store.list(`${quarantinePrefix(stream)}batch=`)) {
    if (key.endsWith('.ndjson.zst')) await visitRecords(store, key, visit);
  }
}

async function readDecisions(store: ObjectStore, stream: string): Promise<ReadonlyMap<string, Decision>> {
  const decisions = new Map<string, Decision>();
  for await (const { key } of store.list(quarantineDecisionPrefix(stream))) {
    const id = /\/([0-9a-f]+)\.json$/.exec(key)?.[1];
    const decision = id === undefined ? null : await readDecision(store, key);
    if (id !== undefined && decision) decisions.set(id, decision);
  }
  return decisions;
}

/** The entry with one more copy; the earliest copy is the one that it shows. */
function merged(entry: QuarantineEntry | undefined, record: QuarantinedRecord): QuarantineEntry {
  if (!entry) return first(record);
  const earlier = record.at < entry.at ? first(record) : entry;
  return {
    ...earlier,
    releasable: entry.releasable && record.releasable,
    rules: union(entry.rules, record.rule),
    batches: union(entry.batches, record.batch),
  };
}

function first(record: QuarantinedRecord): QuarantineEntry {
  const { id, stream, releasable, rule, value, reason, key, page, position, at, batch } = record;
  return { id, stream, state: 'open', decision: null, releasable, rules: [rule], value, reason, key, page, position, at, batches: [batch] };
}

const union = (values: readonly string[], value: string): readonly string[] => (values.includes(value) ? values : [...values, value]);

const decided = (entry: QuarantineEntry, decision: Decision | null): QuarantineEntry => ({ ...entry, decision, state: stateOf(decision) });

const byAge = (a: QuarantineEntry, b: QuarantineEntry): number => a.at - b.at || (a.id < b.id ? -1 : 1);

const notQuarantined = (stream: string, id: string): TidemarkError =>
  new TidemarkError({
    code: 'NOT_FOUND',
    message: `${stream} has no record ${id} in quarantine`,
    hint: '`tidemark quarantine` lists the records that are there.',
  });

const notReleasable = (entry: QuarantineEntry): TidemarkError =>
  new TidemarkError({
    code: 'SCHEMA',
    message: `record ${entry.id} of ${entry.stream} cannot be released: ${entry.reason}`,
    hint: 'A row needs its key, its version and text that can be stored. The bytes stay in quarantine; discard the record, or have the source send it whole.',
  });
