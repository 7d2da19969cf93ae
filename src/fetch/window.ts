import type { Micros } from '../clock.ts';
import { pageOfReceipt } from '../landing/land.ts';
import { rawScope } from '../landing/scope.ts';
import type { FetchTotals, Manifest, ManifestPage, Window } from '../manifest/documents.ts';
import { beginWindow, commitWindow, sameWindow } from '../manifest/head.ts';
import type { LandedAnswer } from '../manifest/landed.ts';
import type { Lease } from '../manifest/lease.ts';
import { readManifest, type StoredManifest, writeManifest } from '../manifest/manifests.ts';
import { readReceipt } from '../manifest/receipts.ts';
import { noTotals } from '../manifest/totals.ts';
import { provesNothing } from '../manifest/window-kind.ts';
import { emptyShape, mergeShape, type ShapeJson, shapeToJson } from '../schema/shape.ts';
import { parseRawKey, type RawScope, receiptKey, windowPrefix } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Stream } from '../stream.ts';
import { type Intern, runChain } from './chain.ts';
import { type ChainState, distinctShapes, notePage, shapeInterner } from './chain-state.ts';
import { resolveCovered } from './dead-letter.ts';
import type { FetchEffects, WindowJob } from './effects.ts';
import { sweptBound } from './plan.ts';
import { revealCredentials } from './request.ts';
import { ownReceipt, recoverOrphan, resumeChain } from './resume.ts';

export interface FetchedWindow extends StoredManifest {
  /** What this process asked. The manifest's totals are those of the process that closed the window. */
  readonly totals: FetchTotals;
  /** Dead letters that this window resolved. */
  readonly resolved: readonly string[];
}

/**
 * Fetches one window to its end and commits it: every page with its receipt, the manifest, and then the head, which makes it known to
 * later stages. Where an earlier process died in the middle of it, goes on behind the last page that it landed.
 * @throws SOURCE_UNAVAILABLE (transient), SOURCE_SHAPE, SOURCE_REFUSED where the source does not play along; STORE; FENCED where
 *   another process took over. What has landed is kept and the window stays open.
 */
export async function fetchWindow(effects: FetchEffects, stream: Stream, window: Window, lease: Lease): Promise<FetchedWindow> {
  const begun = lease.head().open.some((open) => sameWindow(open, window));
  await lease.update(beginWindow(window));
  const earlier = await newestManifest(effects.store, rawScope(stream), window);
  const job = jobFor(effects, stream, window, lease, earlier?.epoch ?? 0);
  const stored = begun && earlier?.isLast ? await finished(job, earlier.key) : await fetchPages(job, lease.head().watermark);
  await lease.update(
    commitWindow({
      window,
      manifest: stored.key,
      swept: provesNothing(window.kind) || stored.cutShort ? null : sweptBound(stream.poll, window, lease.head().sweptAt),
      records: stored.manifest.totals.records,
    }),
  );
  const resolved = provesNothing(window.kind) ? [] : await resolveCovered(job, stored.manifest.gaps, stored.askedSince);
  return { key: stored.key, manifest: stored.manifest, totals: { ...job.totals }, resolved };
}

/** A manifest, and when the first of the questions was asked that it answers. */
interface Answered extends StoredManifest {
  readonly askedSince: Micros;
  /** It ended by the order of what it was given, and not by the bound within which records come out of order: it is no sweep. */
  readonly cutShort: boolean;
}

/** What an earlier process closed, and died before it could tell the head. */
async function finished({ effects: { store } }: WindowJob, key: string): Promise<Answered> {
  const manifest = await readManifest(store, key);
  const [first] = manifest.pages;
  const receipt = first ? await readReceipt(store, receiptKey(first.key)) : null;
  const askedSince = receipt && receipt.verdict !== 'recovered' ? receipt.requestedAt : 0;
  return { key, manifest, askedSince, cutShort: true };
}

export function jobFor(effects: FetchEffects, stream: Stream, window: Window, lease: Lease, ask: number): WindowJob {
  const signal = effects.signal ? AbortSignal.any([effects.signal, lease.lost]) : lease.lost;
  const { environment } = rawScope(stream);
  const credentials = revealCredentials(stream.source.auth);
  return { effects: { ...effects, signal }, stream, environment, window, epoch: lease.epoch, credentials, ask, totals: noTotals() };
}

interface EarlierManifest {
  readonly key: string;
  readonly epoch: number;
  /** Nothing landed in a later generation: its writer died before it could tell the head. */
  readonly isLast: boolean;
}

async function newestManifest(store: ObjectStore, scope: RawScope, window: Window): Promise<EarlierManifest | null> {
  let found: { key: string; epoch: number } | null = null;
  let lastEpoch = 0;
  for await (const { key } of store.list(windowPrefix(scope, window))) {
    const name = parseRawKey(key);
    if (!name) continue;
    lastEpoch = Math.max(lastEpoch, name.epoch);
    if (name.file.kind === 'manifest' && name.epoch >= (found?.epoch ?? 0)) found = { key, epoch: name.epoch };
  }
  return found && { ...found, isLast: lastEpoch === found.epoch };
}

async function fetchPages(job: WindowJob, watermark: Micros | null): Promise<Answered> {
  const intern = shapeInterner();
  const state = await resumeChain(job, intern);
  // Lookups are no chain: what they landed is all there is.
  if (job.window.kind === 'lookup') state.position = null;
  await runChain(job, state, intern);
  await adoptStragglers(job, state, intern);
  return {
    ...(await writeManifest(job.effects.store, manifestFor(job, state, watermark))),
    askedSince: state.askedSince,
    cutShort: state.cutShort,
  };
}

/** Pages that no cursor of this chain leads to, but that landed for the window: another process may still have been at work. */
async function adoptStragglers(job: WindowJob, state: ChainState, intern: Intern): Promise<void> {
  const { store } = job.effects;
  for await (const object of store.list(windowPrefix({ stream: job.stream.name, environment: job.environment }, job.window))) {
    const name = parseRawKey(object.key);
    if (name?.file.kind !== 'page' || name.epoch <= job.ask || state.pages.has(object.key)) continue;
    const { slot, alternative } = name.file;
    const receipt = await readReceipt(store, receiptKey(object.key));
    const answer: LandedAnswer = { key: object.key, epoch: name.epoch, slot, alternative, object, receipt };
    const own = ownReceipt(answer) ?? (await recoverOrphan(job, answer, { since: job.window.start, cursor: null }));
    if (own) notePage(state, pageOfReceipt(own), intern);
  }
}

function manifestFor(
  { effects, stream, environment, window, epoch, totals }: WindowJob,
  state: ChainState,
  watermark: Micros | null,
): Manifest {
  const pages = [...state.pages.values()].sort((a, b) => a.slot - b.slot || (a.key < b.key ? -1 : 1));
  const records = pages.reduce((sum, page) => sum + page.records, 0);
  return {
    format: 1,
    stream: stream.name,
    environment,
    window,
    epoch,
    pages,
    totals: { ...totals, pages: pages.length, records },
    gaps: state.gaps,
    watermark,
    shape: unionOf(pages),
    committedAt: effects.clock.now(),
  };
}

function unionOf(pages: readonly ManifestPage[]): ShapeJson {
  const union = emptyShape();
  for (const shape of distinctShapes(pages)) mergeShape(union, shape);
  return shapeToJson(union);
}
