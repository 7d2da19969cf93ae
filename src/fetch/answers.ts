import type { Micros } from '../clock.ts';
import { readBody } from '../store/compress.ts';
import type { Stream } from '../stream.ts';
import type { ChainState } from './chain-state.ts';
import { lookalikeOf } from './chain-state.ts';
import type { WindowJob } from './effects.ts';
import type { Page } from './judge.ts';
import { timeReader } from './judge.ts';
import { isNewestFirst } from './order.ts';

/** How two answers to the same question relate, record by record, by their bytes. */
export type Relation = 'same' | 'superset' | 'subset' | 'other';

/** @returns what `second` is to `first`. */
export function relate(first: Page, second: Page): Relation {
  if (first.sha256 === second.sha256) return 'same';
  const before = recordTexts(first);
  const after = recordTexts(second);
  if (before.isSubsetOf(after)) return after.size > before.size || second.measure.records > first.measure.records ? 'superset' : 'same';
  return after.isSubsetOf(before) ? 'subset' : 'other';
}

/** @returns the least version time of the records that `previous` does not hold, or, newest first, the greatest; null where there are none. */
export function nearestNew(stream: Stream, previous: Page, page: Page): Micros | null {
  const before = recordTexts(previous);
  const timeAt = timeReader(stream, page);
  const nearer = isNewestFirst(stream.source) ? Math.max : Math.min;
  let nearest: Micros | null = null;
  for (let i = 0; i < page.measure.records; i++) {
    const time = before.has(recordText(page, i)) ? null : timeAt(i);
    if (time !== null) nearest = nearest === null ? time : nearer(nearest, time);
  }
  return nearest;
}

const recordText = ({ body, measure }: Page, i: number): string => body.toString('latin1', measure.spans[2 * i], measure.spans[2 * i + 1]);

function recordTexts(page: Page): Set<string> {
  const texts = new Set<string>();
  for (let i = 0; i < page.measure.records; i++) texts.add(recordText(page, i));
  return texts;
}

/** @returns the key of a landed page of this window that holds the very same record bytes, or null. */
export async function findDuplicate(job: WindowJob, state: ChainState, page: Page): Promise<string | null> {
  const { records, span } = page.measure;
  const keys = state.lookalikes.get(lookalikeOf({ records, span, minTime: page.minTime, maxTime: page.maxTime })) ?? [];
  const bytes = page.body.subarray(span.start, span.end);
  for (const key of keys) {
    const earlier = state.pages.get(key);
    const body = await readBody(job.effects.store, key);
    if (earlier && body?.subarray(earlier.span.start, earlier.span.end).equals(bytes)) return key;
  }
  return null;
}
