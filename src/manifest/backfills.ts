import type { WindowRef } from '../store/keys.ts';
import { backfillsPrefix, parseBackfillKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Ranges that somebody began to pull again from the source and did not finish, in the order of time. */
export async function unfinishedBackfills(store: ObjectStore, stream: string): Promise<readonly WindowRef[]> {
  const begun = new Map<string, WindowRef>();
  const done = new Set<string>();
  for await (const { key } of store.list(backfillsPrefix(stream))) {
    const { range, number, what } = parseBackfillKey(key) ?? {};
    if (!range) continue;
    const pull = `${range.start} ${range.end} ${number}`;
    if (what === 'done') done.add(pull);
    else begun.set(pull, range);
  }
  return [...begun].filter(([pull]) => !done.has(pull)).map(([, range]) => range);
}
