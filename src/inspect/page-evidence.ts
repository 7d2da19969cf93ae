import { hash } from 'node:crypto';
import { messageOf } from '../errors.ts';
import { measureRecords } from '../json/measure.ts';
import type { Receipt } from '../manifest/documents.ts';
import { readReceipt } from '../manifest/receipts.ts';
import { measureForeign } from '../normalize/body.ts';
import { contentHash } from '../page/record.ts';
import { readBody } from '../store/compress.ts';
import { receiptKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { openStore } from '../store/open.ts';
import type { Configuration, StoreConfig, Stream } from '../stream.ts';
import type { Inspection } from './inspection.ts';
import type { WhyProof } from './why-report.ts';

/** A stored page, read again: its bytes against its receipt, and where its records are. */
export interface PageEvidence {
  readonly page: WhyProof['page'];
  readonly sha256: string | null;
  readonly receipt: Receipt | null;
  readonly problem: string | null;
  /** Decoded; null where it cannot be read. */
  readonly body: Buffer | null;
  /** Start and end of each record. */
  readonly spans: Uint32Array | null;
}

export interface RecordEvidence {
  readonly span: { readonly start: number; readonly end: number } | null;
  readonly proof: WhyProof;
  readonly bytes: Buffer | null;
}

/** Never rejects for what is wrong with the page: that is its answer. @param key as lineage names it: a key of the store, or a URL. */
export async function readEvidence(inspection: Inspection, stream: Stream, key: string): Promise<PageEvidence> {
  try {
    return await examine(await placeOf(inspection, key), stream);
  } catch (error) {
    return { page: 'unreadable', sha256: null, receipt: null, problem: messageOf(error), body: null, spans: null };
  }
}

interface Place {
  readonly store: ObjectStore;
  readonly key: string;
  readonly name: string;
}

async function placeOf({ store, configuration }: Inspection, name: string): Promise<Place> {
  const own = `${store.url}/`;
  if (name.startsWith(own)) return { store, key: name.slice(own.length), name };
  const foreign = foreignPlace(configuration, name);
  return foreign ? { store: await openStore(foreign.config), key: foreign.key, name } : { store, key: name, name };
}

/** Where a URL of lineage leads: the folder or bucket, and the key in it. Null for a key of the stream's own store. */
function foreignPlace(configuration: Configuration, name: string): { config: StoreConfig; key: string } | null {
  if (name.startsWith('file:')) {
    const slash = name.lastIndexOf('/');
    return { config: { kind: 'file', path: name.slice('file:'.length, slash) || '/' }, key: name.slice(slash + 1) };
  }
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(name) ?? [];
  if (bucket === undefined || key === undefined) return null;
  const own = configuration.store.kind === 's3' ? configuration.store : null;
  const { region, endpoint, pathStyle = false } = own ?? { region: undefined, endpoint: undefined };
  return { config: { kind: 's3', bucket, prefix: '', region, endpoint, pathStyle, kmsKey: undefined, tags: true }, key };
}

async function examine({ store, key, name }: Place, stream: Stream): Promise<PageEvidence> {
  const body = await readBody(store, key);
  if (!body) return { page: 'missing', sha256: null, receipt: null, problem: `${name} is not there any more`, body: null, spans: null };
  const receipt = key.endsWith('.json.zst') ? await readReceipt(store, receiptKey(key)) : null;
  const sha256 = hash('sha256', body);
  const differs = receipt !== null && receipt.sha256 !== sha256;
  const spans = differs ? null : spansOf(body, receipt, name, stream);
  const problem = differs ? `its SHA-256 is ${sha256}, its receipt says ${receipt.sha256}` : null;
  return { page: receipt ? (differs ? 'differs' : 'verified') : 'no receipt', sha256, receipt, problem, body, spans };
}

const spansOf = (body: Buffer, receipt: Receipt | null, name: string, stream: Stream): Uint32Array =>
  receipt ? measureRecords(body, receipt.span, []).spans : measureForeign(body, name, stream.source.records, []).spans;

/** The bytes of one record of the page, and whether they are the ones with that content hash. */
export function recordEvidence(evidence: PageEvidence, position: number, expected: string): RecordEvidence {
  const { body, spans, sha256, receipt } = evidence;
  const [start, end] = spans?.subarray(2 * position, 2 * position + 2) ?? [];
  const proof = { page: evidence.page, sha256, receiptSha256: receipt?.sha256 ?? null };
  if (!body || start === undefined || end === undefined) {
    const problem = evidence.problem ?? `there is no record ${position} in the page`;
    return { span: null, proof: { ...proof, record: 'unknown', problem }, bytes: null };
  }
  const bytes = body.subarray(start, end);
  const found = contentHash(bytes);
  const problem = found === expected ? evidence.problem : `the record's content hash is ${found}, the sighting says ${expected}`;
  return { span: { start, end }, proof: { ...proof, record: found === expected ? 'verified' : 'differs', problem }, bytes };
}
