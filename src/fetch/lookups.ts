import { landBytes, landIndex } from '../landing/land.ts';
import { rawScope } from '../landing/scope.ts';
import type { Window } from '../manifest/documents.ts';
import { beginWindow } from '../manifest/head.ts';
import type { Lease } from '../manifest/lease.ts';
import { writeReceipt } from '../manifest/receipts.ts';
import { compress } from '../store/compress.ts';
import { receiptKey } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import { type FetchEffects, reportProgress, type WindowJob } from './effects.ts';
import { generationOf, receiptFor } from './land.ts';
import { askLookup, type LookedUp, type LookupAnswer, type LookupKey, lookupUrl } from './lookup.ts';
import { type FetchedWindow, fetchWindow, jobFor } from './window.ts';

export interface Lookups {
  readonly lookedUp: readonly LookedUp[];
  /** Its totals count the requests too; null where there was nothing to ask. */
  readonly fetched: FetchedWindow | null;
}

/**
 * Asks for records one by one. Each answer lands like a page, also the one that a record is not there, in a window of its own that is
 * named by the time of asking; committing it makes the records known to later stages. It proves nothing of what was not asked for.
 * @param keys each at most once; those that leave a column open which the address takes have failed already.
 * @throws CONFIG where the source has no lookup; SOURCE_REFUSED; STORE; FENCED. What has landed is kept, and the next run commits it.
 */
export async function lookUp(effects: FetchEffects, stream: Stream, lease: Lease, keys: readonly LookupKey[]): Promise<Lookups> {
  if (keys.length === 0) return { lookedUp: [], fetched: null };
  const now = effects.clock.now();
  const window: Window = { kind: 'lookup', start: now, end: now + 1 };
  const job = jobFor(effects, stream, window, lease, 0);
  const lookedUp: LookedUp[] = [];
  await lease.update(beginWindow(window));
  for (const [index, key] of keys.entries()) {
    job.effects.signal?.throwIfAborted();
    lookedUp.push(await lookUpOne(job, index + 1, key));
    reportProgress(job);
  }
  const fetched = await fetchWindow(effects, stream, window, lease);
  return { lookedUp, fetched: { ...fetched, totals: { ...job.totals } } };
}

async function lookUpOne(job: WindowJob, slot: number, key: LookupKey): Promise<LookedUp> {
  const url = lookupUrl(job.stream, key);
  const answer: LookupAnswer =
    url === null ? { kind: 'failed', reason: 'the key is not complete', says: null } : await askLookup(job, key, url);
  if (answer.kind === 'failed') {
    job.effects.log.warn({ stream: job.stream.name, key, reason: answer.reason }, 'lookup failed');
    return { key, outcome: 'failed', page: null, records: 0, reason: answer.reason };
  }
  const page = await land(job, slot, key, answer);
  return { key, outcome: answer.kind, page, records: answer.page.measure.records, reason: null };
}

/** Bytes, index, receipt, in that order. */
async function land(
  job: WindowJob,
  slot: number,
  key: LookupKey,
  { page, origin }: Exclude<LookupAnswer, { kind: 'failed' }>,
): Promise<string> {
  const { effects, stream, totals } = job;
  const site = { store: effects.store, stream, generation: generationOf(job) };
  const stored = await compress(page.body);
  const { key: name, storedSha256 } = await landBytes(site, slot, page, stored);
  const index = page.measure.records === 0 ? null : await landIndex(site, page, name);
  const landing = { slot, page, origin, cursorIn: null, size: 1, verdict: 'full' as const };
  await writeReceipt(effects.store, receiptKey(name), {
    ...receiptFor(job, landing, { key: name, storedSha256, storedBytes: stored.length, index }),
    ...rawScope(stream),
    key,
  });
  totals.pages += 1;
  totals.records += page.measure.records;
  return name;
}
