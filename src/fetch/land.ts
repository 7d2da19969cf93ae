import { hash } from 'node:crypto';
import type { Micros } from '../clock.ts';
import type { IndexRef, ManifestPage, PageVerdict, Receipt } from '../manifest/documents.ts';
import { writeReceipt } from '../manifest/receipts.ts';
import { fieldNames, streamFields } from '../page/fields.ts';
import { indexPage } from '../page/page-index.ts';
import { shapeToJson } from '../schema/shape.ts';
import { compress, readBody } from '../store/compress.ts';
import { alternativeKey, generationPrefix, indexKey, pageKey, receiptKey } from '../store/keys.ts';
import type { AnswerOrigin } from './ask.ts';
import type { WindowJob } from './effects.ts';
import type { Page } from './judge.ts';

/** An answer on its way into a slot. */
export interface Landing {
  readonly slot: number;
  readonly page: Page;
  readonly origin: AnswerOrigin;
  readonly cursorIn: string | null;
  readonly size: number;
  readonly verdict: PageVerdict;
}

/** What earlier processes landed in the same slot: the same bytes need not land twice. */
export interface KnownAnswer {
  readonly key: string;
  readonly sha256: string;
}

export const generationOf = (job: WindowJob): string =>
  generationPrefix({ stream: job.stream.name, environment: job.environment }, job.window, job.epoch);

/** Lands one page: bytes first, then its index, then the receipt. Only then may the cursor move. */
export async function landPage(job: WindowJob, landing: Landing, known: readonly KnownAnswer[]): Promise<ManifestPage> {
  const stored = await compress(landing.page.body);
  const same = known.find((answer) => answer.sha256 === landing.page.sha256);
  const key = same?.key ?? (await landBytes(job, landing, stored));
  const index = await landIndex(job, landing.page, key);
  await writeReceipt(job.effects.store, receiptKey(key), receiptFor(job, landing, key, stored.length, index));
  return manifestPage(landing, key, index);
}

/** @returns null where the page's records must be looked at one by one. */
async function landIndex({ effects, stream }: WindowJob, page: Page, key: string): Promise<IndexRef | null> {
  const fields = streamFields(stream);
  const index = indexPage(page, fields);
  if (!index) return null;
  const sha256 = hash('sha256', index);
  await effects.store.create(indexKey(key, sha256), await compress(index));
  return { sha256, fields: fieldNames(fields) };
}

/** The first bytes in a slot own it; others land beside them. A slot that holds these very bytes was ours: an answer of the store was lost. */
async function landBytes(job: WindowJob, { slot, page }: Landing, stored: Buffer): Promise<string> {
  const { store } = job.effects;
  const key = pageKey(generationOf(job), slot);
  if ((await store.create(key, stored)).outcome === 'created') return key;
  const standing = await readBody(store, key);
  if (standing && hash('sha256', standing) === page.sha256) return key;
  const alternative = alternativeKey(generationOf(job), slot, page.sha256);
  await store.create(alternative, stored);
  return alternative;
}

/** Notes that a slot's answer repeats the page at `earlier`: no bytes, a receipt only. */
export async function landDuplicate(job: WindowJob, landing: Omit<Landing, 'verdict'>, earlier: string): Promise<void> {
  const key = receiptKey(pageKey(generationOf(job), landing.slot));
  await writeReceipt(job.effects.store, key, receiptFor(job, { ...landing, verdict: 'duplicate' }, earlier, 0, null));
}

function receiptFor(job: WindowJob, landing: Landing, key: string, storedBytes: number, index: IndexRef | null): Receipt {
  const { slot, page, origin, cursorIn, size, verdict } = landing;
  return {
    format: 1,
    stream: job.stream.name,
    environment: job.environment,
    window: job.window,
    epoch: job.epoch,
    slot,
    page: key,
    verdict,
    sha256: page.sha256,
    bytes: page.body.length,
    storedBytes,
    records: page.measure.records,
    span: page.measure.span,
    cursorIn,
    cursorOut: page.next,
    more: page.next !== null,
    pageSize: size,
    minTime: page.minTime,
    maxTime: page.maxTime,
    shape: shapeToJson(page.measure.shape),
    index,
    ...origin,
    landedAt: job.effects.clock.now(),
  };
}

function manifestPage({ slot, page }: Pick<Landing, 'slot' | 'page'>, key: string, index: IndexRef | null): ManifestPage {
  return {
    slot,
    key,
    sha256: page.sha256,
    bytes: page.body.length,
    records: page.measure.records,
    span: page.measure.span,
    shape: shapeToJson(page.measure.shape),
    index,
    minTime: page.minTime,
    maxTime: page.maxTime,
  };
}

/** A landed page that has no receipt, because the process that landed it died: measured again from its bytes. */
export interface Orphan {
  readonly key: string;
  readonly slot: number;
  readonly storedBytes: number;
  readonly page: Page;
  readonly cursorIn: string | null;
  /** Of the page before it, as far as anybody knows. */
  readonly url: string;
}

/** @returns the receipt that stands now. */
export async function writeRecoveredReceipt(job: WindowJob, orphan: Orphan, size: number): Promise<Receipt> {
  const now: Micros = job.effects.clock.now();
  const origin: AnswerOrigin = { url: orphan.url, status: 200, requestId: null, attempts: 0, requestedAt: now };
  const index = await landIndex(job, orphan.page, orphan.key);
  const receipt = receiptFor(job, { ...orphan, origin, size, verdict: 'recovered' }, orphan.key, orphan.storedBytes, index);
  return writeReceipt(job.effects.store, receiptKey(orphan.key), receipt);
}

/** The manifest's entry for a page, from its receipt. */
export function pageOfReceipt(receipt: Receipt): ManifestPage {
  const { slot, page, sha256, bytes, records, span, shape, index = null, minTime, maxTime } = receipt;
  return { slot, key: page, sha256, bytes, records, span, shape, index, minTime, maxTime };
}
