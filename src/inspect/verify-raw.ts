import { hash } from 'node:crypto';
import type { Micros } from '../clock.ts';
import { mapConcurrent } from '../concurrency.ts';
import { isTidemarkError, messageOf } from '../errors.ts';
import { measureRecords } from '../json/measure.ts';
import { rawScope } from '../landing/scope.ts';
import type { IndexRef, Manifest, ManifestPage, Window } from '../manifest/documents.ts';
import { landedManifests, type TimeRange } from '../manifest/landed.ts';
import { readManifest } from '../manifest/manifests.ts';
import { readReceipt } from '../manifest/receipts.ts';
import { indexLines } from '../page/page-index.ts';
import { readBody } from '../store/compress.ts';
import { indexKey, parseRawKey, rawPrefix, receiptKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Stream } from '../stream.ts';
import { DAY } from '../time.ts';
import type { Findings } from './findings.ts';

/** Bodies that are in memory at once. */
const READERS = 4;

const LONGEST_RANGE: Micros = 60 * DAY;

/** One manifest, by what later checks need of it. */
export interface KnownManifest {
  readonly key: string;
  readonly window: Window;
  readonly epoch: number;
  readonly pages: readonly Pick<ManifestPage, 'key' | 'sha256'>[];
  readonly gaps: Manifest['gaps'];
}

export interface RawFacts {
  readonly manifests: readonly KnownManifest[];
  /** `start end` of every window that has a manifest, readable or not. */
  readonly windows: ReadonlySet<string>;
  /** Records of each page, as its manifest says, by key. */
  readonly pages: ReadonlyMap<string, number>;
  readonly records: number;
  readonly bytes: number;
}

/** Every page that a manifest names is there, byte for byte what its manifest and its receipt say. */
export async function verifyRaw(store: ObjectStore, stream: Stream, range: TimeRange | null, findings: Findings): Promise<RawFacts> {
  const manifests: KnownManifest[] = [];
  const pages = new Map<string, number>();
  const windows = new Set<string>();
  let bytes = 0;
  for await (const key of manifestKeys(store, stream, range)) {
    const name = parseRawKey(key);
    if (name) windows.add(windowId(name.window));
    const manifest = await readable(store, key, findings);
    if (!manifest) continue;
    const fresh = manifest.pages.filter((page) => !pages.has(page.key));
    for (const page of fresh) pages.set(page.key, page.records);
    const sizes = await mapConcurrent(fresh, READERS, (page) => verifyPage(store, page, findings));
    bytes += sizes.reduce((sum, size) => sum + size, 0);
    manifests.push({
      key,
      window: manifest.window,
      epoch: manifest.epoch,
      pages: manifest.pages.map(({ key: page, sha256 }) => ({ key: page, sha256 })),
      gaps: manifest.gaps,
    });
  }
  return { manifests, windows, pages, records: [...pages.values()].reduce((sum, records) => sum + records, 0), bytes };
}

async function* manifestKeys(store: ObjectStore, stream: Stream, range: TimeRange | null): AsyncIterable<string> {
  const scope = rawScope(stream);
  // Days are listed one by one: for a long or open range, one listing of everything is less.
  if (range && range.to - range.from < LONGEST_RANGE) yield* landedManifests(store, scope, range);
  else {
    for await (const { key } of store.list(`${rawPrefix(scope.stream)}env=${scope.environment}/`)) {
      const name = parseRawKey(key);
      if (name?.file.kind === 'manifest' && (range === null || overlaps(name.window, range))) yield key;
    }
  }
}

async function readable(store: ObjectStore, key: string, findings: Findings) {
  try {
    return await readManifest(store, key);
  } catch (error) {
    if (!isTidemarkError(error, 'CORRUPT', 'NOT_FOUND')) throw error;
    findings.add('manifest unreadable', `${key}: ${error.message}`);
    return null;
  }
}

/** @returns its decoded bytes' number. */
async function verifyPage(store: ObjectStore, page: ManifestPage, findings: Findings): Promise<number> {
  await verifyReceipt(store, page, findings);
  if (!(await store.head(page.key))) {
    findings.add('page missing', page.key);
    return 0;
  }
  const body = await bodyOf(store, page.key, (message) => findings.add('page altered', message));
  if (!body) return 0;
  const sha256 = hash('sha256', body);
  if (sha256 !== page.sha256) findings.add('page altered', `${page.key}: its SHA-256 is ${sha256}, the manifest says ${page.sha256}`);
  else {
    const measure = measureRecords(body, page.span, page.index?.fields ?? []);
    if (measure.records !== page.records)
      findings.add('records differ', `${page.key}: holds ${measure.records} records, the manifest says ${page.records}`);
    else if (page.index) await verifyIndex(store, page.key, page.index, indexLines({ body, measure }, page.index.fields).bytes(), findings);
  }
  return body.length;
}

/** An index that is gone is no finding: it is made again where it is needed. */
async function verifyIndex(store: ObjectStore, page: string, { sha256 }: IndexRef, expected: Buffer, findings: Findings): Promise<void> {
  const key = indexKey(page, sha256);
  const index = await bodyOf(store, key, (message) => findings.add('index differs', message));
  if (hash('sha256', expected) !== sha256) findings.add('index differs', `${key}: the page's records say otherwise`);
  else if (index && !index.equals(expected)) findings.add('index differs', `${key}: its bytes are not those that its receipt names`);
}

async function bodyOf(store: ObjectStore, key: string, damaged: (message: string) => void): Promise<Buffer | null> {
  try {
    return await readBody(store, key);
  } catch (error) {
    if (!isTidemarkError(error, 'CORRUPT')) throw error;
    damaged(error.message);
    return null;
  }
}

async function verifyReceipt(store: ObjectStore, page: ManifestPage, findings: Findings): Promise<void> {
  const key = receiptKey(page.key);
  try {
    const receipt = await readReceipt(store, key);
    if (!receipt) findings.add('receipt differs', `${key}: missing`);
    else if (receipt.sha256 !== page.sha256)
      findings.add('receipt differs', `${key}: says SHA-256 ${receipt.sha256}, the manifest says ${page.sha256}`);
    else if (receipt.records !== page.records)
      findings.add('receipt differs', `${key}: says ${receipt.records} records, the manifest says ${page.records}`);
  } catch (error) {
    if (!isTidemarkError(error, 'CORRUPT')) throw error;
    findings.add('receipt differs', `${key}: ${messageOf(error)}`);
  }
}

export const windowId = ({ start, end }: Pick<Window, 'start' | 'end'>): string => `${start} ${end}`;

export const overlaps = (window: Pick<Window, 'start' | 'end'>, range: TimeRange): boolean =>
  window.start < range.to && window.end > range.from;
