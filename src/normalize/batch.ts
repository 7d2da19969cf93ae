import { createHash } from 'node:crypto';
import type { Micros } from '../clock.ts';
import type { Batch, Manifest, ManifestPage, Window } from '../manifest/documents.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Definition, Reading } from './definition.ts';

/** One page that is to be normalized. */
export interface PageSource {
  /** As lineage names it: the store's key, or the URL of a foreign body. */
  readonly key: string;
  readonly store: ObjectStore;
  /** Its key in `store`. */
  readonly object: string;
  /** What its receipt says; null for a body that nobody measured. */
  readonly measured: Pick<ManifestPage, 'sha256' | 'storedSha256' | 'span' | 'shape' | 'records' | 'index'> | null;
}

/** What one batch is made of. */
export interface BatchInput {
  readonly definition: Definition;
  readonly pages: readonly PageSource[];
  readonly origin: Batch['origin'];
  readonly window: Window | null;
  /** Content hashes that may enter whatever the rules say. */
  readonly released: readonly string[];
  /** Tells which records came late; null or absent where nobody can tell. */
  readonly seen?: Seen | null;
  /** Batches that the warehouse holds now: what they have brought need not be brought again. */
  readonly loaded: readonly LoadedBatch[];
}

/** When records were first seen, and up to where everything was asked before: what is new and lies before that came late. */
export interface Seen {
  readonly watermark: Micros;
  readonly at: Micros;
}

export interface LoadedBatch {
  readonly batch: string;
  readonly minTime: number | null;
  readonly maxTime: number | null;
}

/** A window's pages, sliced so that no batch has many more records than `limit`: memory is bounded by it, not by the window. */
export function slicePages<P extends { readonly records: number }>(pages: readonly P[], limit: number): P[][] {
  const slices: P[][] = [];
  let records = Number.POSITIVE_INFINITY;
  for (const page of pages) {
    if (records + page.records > limit) {
      slices.push([]);
      records = 0;
    }
    slices.at(-1)?.push(page);
    records += page.records;
  }
  return slices;
}

/** Every answer that landed counts as observations: the pages and their alternatives. */
export function manifestPages(store: ObjectStore, manifest: Manifest): PageSource[] {
  return manifest.pages.map((page) => ({ key: page.key, store, object: page.key, measured: page }));
}

/**
 * A batch's name says what went into it: the same pages, rules and basis give the same batch, on whatever machine.
 * @param pages key and hash of each: windows without records have pages of the same bytes, and each of them is to be in a batch.
 */
export function batchId(
  definition: string,
  reading: Reading,
  stream: string,
  pages: readonly string[],
  basis: readonly string[],
  released: readonly string[],
): string {
  const read = reading.version === 0 && reading.hash === '' ? [] : [reading.version, reading.hash];
  const said = JSON.stringify([stream, definition, [...pages].sort(), [...basis].sort(), [...released].sort(), ...read]);
  return createHash('sha256').update(said).digest('hex').slice(0, 32);
}
