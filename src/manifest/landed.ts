import type { Micros } from '../clock.ts';
import { dayPrefix, parseRawKey, type RawName, type RawScope, receiptKey, type WindowRef, windowPrefix } from '../store/keys.ts';
import type { ObjectInfo, ObjectStore } from '../store/object-store.ts';
import { DAY } from '../time.ts';
import type { Receipt } from './documents.ts';
import { HEAD_LIMITS } from './head.ts';
import { readReceipt } from './receipts.ts';

/** Receipts that are read at once. */
const READERS = 8;

/** One answer that landed in a slot of a window. */
export interface LandedAnswer {
  /** Key of the page's bytes; for a duplicate, which has none of its own, the key that they would have. */
  readonly key: string;
  readonly epoch: number;
  readonly slot: number;
  /** Start of the bytes' SHA-256 where another answer owns the slot; null for the owner. */
  readonly alternative: string | null;
  /** The bytes; null for a duplicate, whose receipt names the page that landed before. */
  readonly object: ObjectInfo | null;
  /** Null where the process died between the page and its receipt. */
  readonly receipt: Receipt | null;
}

export interface LandedSlot {
  readonly slot: number;
  /** By generation; in each, the owner of the slot before its alternatives. Never empty. */
  readonly answers: readonly LandedAnswer[];
}

/** Everything that any generation landed for a window, by slot: resume adopts the unbroken chain from it. */
export async function landedSlots(store: ObjectStore, scope: RawScope, window: WindowRef): Promise<readonly LandedSlot[]> {
  const names = await answerNames(store, windowPrefix(scope, window));
  const answers = await readAnswers(store, [...names.values()]);
  const slots = Map.groupBy(answers.sort(byPlace), (answer) => answer.slot);
  return [...slots].map(([slot, landed]) => ({ slot, answers: landed })).sort((a, b) => a.slot - b.slot);
}

interface AnswerName {
  readonly key: string;
  readonly name: RawName;
  object: ObjectInfo | null;
  hasReceipt: boolean;
}

/** By page key; a page and its receipt are one answer. */
async function answerNames(store: ObjectStore, prefix: string): Promise<ReadonlyMap<string, AnswerName>> {
  const answers = new Map<string, AnswerName>();
  for await (const object of store.list(prefix)) {
    const name = parseRawKey(object.key);
    if (!name || name.file.kind === 'manifest') continue;
    const key = object.key.replace(/\.receipt\.json$/, '.json.zst');
    const answer = answers.get(key) ?? { key, name, object: null, hasReceipt: false };
    if (name.file.kind === 'page') answer.object = object;
    else answer.hasReceipt = true;
    answers.set(key, answer);
  }
  return answers;
}

async function readAnswers(store: ObjectStore, names: readonly AnswerName[]): Promise<LandedAnswer[]> {
  const answers: LandedAnswer[] = [];
  for (let i = 0; i < names.length; i += READERS) {
    answers.push(...(await Promise.all(names.slice(i, i + READERS).map((name) => readAnswer(store, name)))));
  }
  return answers;
}

async function readAnswer(store: ObjectStore, { key, name, object, hasReceipt }: AnswerName): Promise<LandedAnswer> {
  const { slot, alternative } = name.file.kind === 'manifest' ? { slot: 0, alternative: null } : name.file;
  const receipt = hasReceipt ? await readReceipt(store, receiptKey(key)) : null;
  return { key, epoch: name.epoch, slot, alternative, object, receipt };
}

function byPlace(a: LandedAnswer, b: LandedAnswer): number {
  return a.epoch - b.epoch || (a.alternative ?? '').localeCompare(b.alternative ?? '');
}

/** Of `updated_at`, half open. */
export interface TimeRange {
  readonly from: Micros;
  readonly to: Micros;
}

export interface LandedPage {
  readonly key: string;
  readonly size: number;
  readonly window: WindowRef;
  readonly epoch: number;
  readonly slot: number;
  readonly alternative: string | null;
}

/** Every page, alternatives included, of each window that reaches into the range; by the windows' start. Memory stays flat. */
export async function* landedPages(store: ObjectStore, scope: RawScope, range: TimeRange): AsyncIterable<LandedPage> {
  for await (const { object, name } of landedObjects(store, scope, range)) {
    if (name.file.kind !== 'page') continue;
    const { slot, alternative } = name.file;
    yield { key: object.key, size: object.size, window: name.window, epoch: name.epoch, slot, alternative };
  }
}

/** Key of every manifest of each window that reaches into the range. A window may have several: one a generation that closed it. */
export async function* landedManifests(store: ObjectStore, scope: RawScope, range: TimeRange): AsyncIterable<string> {
  for await (const { object, name } of landedObjects(store, scope, range)) if (name.file.kind === 'manifest') yield object.key;
}

/** A window stands under the day that it starts on, so a window that reaches into the range may stand under an earlier one. */
async function* landedObjects(store: ObjectStore, scope: RawScope, range: TimeRange): AsyncIterable<{ object: ObjectInfo; name: RawName }> {
  const firstDay = Math.floor((range.from - HEAD_LIMITS.windowLength) / DAY) * DAY;
  for (let day = firstDay; day < range.to; day += DAY) {
    for await (const object of store.list(dayPrefix(scope, day))) {
      const name = parseRawKey(object.key);
      if (name && name.window.start < range.to && name.window.end > range.from) yield { object, name };
    }
  }
}
