import { hash } from 'node:crypto';
import type { Micros } from '../clock.ts';
import { mapConcurrent } from '../concurrency.ts';
import type { Manifest } from '../manifest/documents.ts';
import { checkFormat } from '../manifest/format.ts';
import type { TimeRange } from '../manifest/landed.ts';
import { readReceipt } from '../manifest/receipts.ts';
import { createJson, getJson } from '../store/json.ts';
import { lookDayPrefix, lookKey, parseLookKey, receiptKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { DAY } from '../time.ts';
import type { SeenWindow } from './judge.ts';

/**
 * What certifying needs to know of a window, kept beside the certificates: manifests stand among the pages, and a listing of those would
 * cost more than all else. It says nothing that manifest and receipts do not; where one is missing, its stretch is merely asked once more.
 */
export interface Look extends SeenWindow {
  readonly format: 1;
  readonly stream: string;
}

/** Ways to ask: what was pushed was not asked for, and says nothing of what is missing. */
const KINDS: readonly string[] = ['poll', 'sweep', 'backfill'];

/** Notes a window whose batches are all in the warehouse. Doing it twice changes nothing. */
export async function noteLook(store: ObjectStore, manifestKey: string): Promise<void> {
  const object = await store.get(manifestKey);
  if (!object) return;
  const { stream, window, epoch, pages, gaps, committedAt } = JSON.parse(object.body.toString()) as Manifest;
  if (!KINDS.includes(window.kind)) return;
  // Pages are in the order of their slots: the first was asked before all others.
  const first = pages[0] ? await readReceipt(store, receiptKey(pages[0].key)) : null;
  const { kind, start, end } = window;
  // Of a recovered page nobody knows when it was asked for; but no window asks for what is yet to come.
  const askedAt = first === null || first.verdict === 'recovered' ? end : first.requestedAt;
  const sha256 = hash('sha256', object.body);
  const look: Look = { format: 1, stream, kind, start, end, manifest: manifestKey, sha256, askedAt, committedAt, gaps };
  await createJson(store, lookKey(stream, window, kind, epoch), look);
}

const READERS = 16;

/** Every noted window that reaches into the range, in the order in which they were committed. */
export async function readLooks(store: ObjectStore, stream: string, range: TimeRange, now: Micros): Promise<SeenWindow[]> {
  const keys: string[] = [];
  for (let day = Math.floor(range.from / DAY) * DAY; day <= now; day += DAY) {
    for await (const { key } of store.list(lookDayPrefix(stream, day))) {
      const window = parseLookKey(key);
      if (window && window.start < range.to && window.end > range.from) keys.push(key);
    }
  }
  const looks = await mapConcurrent(keys, READERS, (key) => readLook(store, key));
  return looks.flat().sort((a, b) => a.committedAt - b.committedAt || KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || a.start - b.start);
}

async function readLook(store: ObjectStore, key: string): Promise<SeenWindow[]> {
  const document = await getJson<Look>(store, key);
  if (!document) return [];
  checkFormat(key, document.value);
  const { format: _, stream: _of, ...seen } = document.value;
  return [seen];
}
