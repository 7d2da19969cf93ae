import type { Micros } from '../clock.ts';
import { mapConcurrent } from '../concurrency.ts';
import { rawScope } from '../landing/scope.ts';
import type { Manifest, Receipt } from '../manifest/documents.ts';
import { landedManifests, type TimeRange } from '../manifest/landed.ts';
import { readManifest } from '../manifest/manifests.ts';
import { readReceipt } from '../manifest/receipts.ts';
import { receiptKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Stream } from '../stream.ts';

/** Documents that are read at once. */
const READERS = 16;

/** A committed window, and how far earlier polls had asked by then: what is new and lies before that came late. */
export interface ScoredWindow {
  readonly manifest: Manifest;
  /** Null for the first poll, for backfills, and for pushes, which are not asked for. */
  readonly asked: Micros | null;
}

/** The windows that reach into the range or were begun shortly before, in the order of commit. */
export async function scoredWindows(store: ObjectStore, stream: Stream, range: TimeRange): Promise<ScoredWindow[]> {
  const keys: string[] = [];
  const reach = { from: range.from - stream.poll.lateness - stream.poll.every, to: range.to };
  for await (const key of landedManifests(store, rawScope(stream), reach)) keys.push(key);
  const manifests = await mapConcurrent(keys, READERS, (key) => readManifest(store, key));
  let polled: Micros | null = null;
  return manifests
    .sort((a, b) => a.committedAt - b.committedAt)
    .map((manifest) => {
      const asked = manifest.window.kind === 'poll' || manifest.window.kind === 'sweep' ? polled : null;
      if (manifest.window.kind === 'poll') polled = Math.max(polled ?? manifest.window.end, manifest.window.end);
      return { manifest, asked };
    });
}

/** One answer of a window, as a row of the scratch tables. */
export interface ScoredPage {
  readonly page: string;
  readonly win: number;
  readonly slot: number;
  readonly kind: string;
  readonly landed: Micros;
  readonly asked: Micros | null;
}

export async function* scoredPages(store: ObjectStore, windows: readonly ScoredWindow[]): AsyncIterable<ScoredPage> {
  for (const [win, { manifest, asked }] of windows.entries()) {
    const receipts = await mapConcurrent(manifest.pages, READERS, ({ key }) => readReceipt(store, receiptKey(key)));
    for (const [index, { key, slot }] of manifest.pages.entries())
      yield { page: key, win, slot, kind: manifest.window.kind, landed: landedAt(receipts[index], manifest), asked };
  }
}

const landedAt = (receipt: Receipt | null | undefined, manifest: Manifest): Micros => receipt?.landedAt ?? manifest.committedAt;
