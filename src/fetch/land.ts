import type { Micros } from '../clock.ts';
import { type LandedBody, landBytes, landIndex, pageFacts, type Site } from '../landing/land.ts';
import type { IndexRef, ManifestPage, PageVerdict, Receipt } from '../manifest/documents.ts';
import { writeReceipt } from '../manifest/receipts.ts';
import { compress } from '../store/compress.ts';
import { generationPrefix, pageKey, receiptKey } from '../store/keys.ts';
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
  const site = siteOf(job);
  const { key, storedSha256 } = same ? { key: same.key, storedSha256: null } : await landBytes(site, landing.slot, landing.page, stored);
  const index = await landIndex(site, landing.page, key);
  const landed = { key, storedSha256, storedBytes: stored.length, index };
  await writeReceipt(job.effects.store, receiptKey(key), receiptFor(job, landing, landed));
  return { slot: landing.slot, key, ...pageFacts(landing.page, storedSha256, index) };
}

/** What stands in the store of a page. */
export interface Landed extends LandedBody {
  readonly storedBytes: number;
  readonly index: IndexRef | null;
}

const siteOf = (job: WindowJob): Site => ({ store: job.effects.store, stream: job.stream, generation: generationOf(job) });

/** Notes that a slot's answer repeats the page at `earlier`: no bytes, a receipt only. */
export async function landDuplicate(job: WindowJob, landing: Omit<Landing, 'verdict'>, earlier: string): Promise<void> {
  const key = receiptKey(pageKey(generationOf(job), landing.slot));
  await writeReceipt(job.effects.store, key, receiptFor(job, { ...landing, verdict: 'duplicate' }, { key: earlier, ...NOTHING_LANDED }));
}

const NOTHING_LANDED = { storedSha256: null, storedBytes: 0, index: null } as const;

export function receiptFor(job: WindowJob, landing: Landing, { key, storedSha256, storedBytes, index }: Landed): Receipt {
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
    ...pageFacts(page, storedSha256, index),
    storedBytes,
    cursorIn,
    cursorOut: page.next,
    more: page.next !== null || page.end === 'lost',
    pageSize: size,
    disorder: page.disorder,
    ...origin,
    landedAt: job.effects.clock.now(),
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
  const index = await landIndex(siteOf(job), orphan.page, orphan.key);
  const receipt = receiptFor(job, { ...orphan, origin, size, verdict: 'recovered' }, { ...orphan, storedSha256: null, index });
  return writeReceipt(job.effects.store, receiptKey(orphan.key), receipt);
}
