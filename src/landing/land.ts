import { hash } from 'node:crypto';
import type { Micros } from '../clock.ts';
import type { BodyMeasure } from '../json/measure.ts';
import type { IndexRef, ManifestPage, Receipt } from '../manifest/documents.ts';
import { fieldNames, streamFields } from '../page/fields.ts';
import { indexPage } from '../page/page-index.ts';
import { shapeToJson } from '../schema/shape.ts';
import { compress, readBody } from '../store/compress.ts';
import { alternativeKey, indexKey, pageKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Stream } from '../stream.ts';

/** How pages come into the raw layout, whichever front end had them: bytes first, then the index; the receipt is the front end's. */

/** A body that was measured with the stream's read fields captured first. */
export interface MeasuredPage {
  readonly body: Buffer;
  /** Of `body`. */
  readonly sha256: string;
  readonly measure: Pick<BodyMeasure, 'records' | 'span' | 'spans' | 'captured' | 'shape' | 'notObjects'>;
  readonly minTime: Micros | null;
  readonly maxTime: Micros | null;
}

/** Where pages land. */
export interface Site {
  readonly store: ObjectStore;
  readonly stream: Stream;
  /** `keys.generationPrefix` of the window. */
  readonly generation: string;
}

/** Where a body stands now. */
export interface LandedBody {
  readonly key: string;
  /** Of the object; null where it may be another that unfolds to the same. */
  readonly storedSha256: string | null;
}

/** The first bytes in a slot own it; others land beside them. A slot that holds these very bytes was ours: an answer of the store was lost. */
export async function landBytes({ store, generation }: Site, slot: number, page: MeasuredPage, stored: Buffer): Promise<LandedBody> {
  const landed = async (key: string): Promise<LandedBody | null> =>
    (await store.create(key, stored)).outcome === 'created' ? { key, storedSha256: hash('sha256', stored) } : null;
  const key = pageKey(generation, slot);
  const own = await landed(key);
  if (own) return own;
  const standing = await readBody(store, key);
  if (standing && hash('sha256', standing) === page.sha256) return { key, storedSha256: null };
  const alternative = alternativeKey(generation, slot, page.sha256);
  return (await landed(alternative)) ?? { key: alternative, storedSha256: null };
}

/** @returns null where the page's records must be looked at one by one. */
export async function landIndex({ store, stream }: Omit<Site, 'generation'>, page: MeasuredPage, key: string): Promise<IndexRef | null> {
  const fields = streamFields(stream);
  const index = indexPage(page, fields);
  if (!index) return null;
  const sha256 = hash('sha256', index.bytes());
  const stored = await compress(index.bytes());
  const { outcome } = await store.create(indexKey(key, sha256), stored);
  const ref = { sha256, fields: fieldNames(fields) };
  return outcome === 'created' ? { ...ref, stored: { sha256: hash('sha256', stored) } } : ref;
}

type PageFacts = Omit<ManifestPage, 'slot' | 'key'>;

/** What a receipt and a manifest both say of a page. */
export function pageFacts(
  { body, sha256, measure, minTime, maxTime }: MeasuredPage,
  storedSha256: string | null,
  index: IndexRef | null,
): PageFacts {
  const { records, span, shape } = measure;
  return { sha256, storedSha256, bytes: body.length, records, span, shape: shapeToJson(shape), index, minTime, maxTime };
}

/** The manifest's entry for a page, from its receipt. */
export function pageOfReceipt(receipt: Receipt): ManifestPage {
  const { slot, page, sha256, storedSha256 = null, bytes, records, span, shape, index = null, minTime, maxTime } = receipt;
  return { slot, key: page, sha256, storedSha256, bytes, records, span, shape, index, minTime, maxTime };
}
