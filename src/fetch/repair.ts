import { TidemarkError } from '../errors.ts';
import { rawScope } from '../landing/scope.ts';
import type { DeadLetter, Window } from '../manifest/documents.ts';
import type { Lease } from '../manifest/lease.ts';
import { parseRawKey, windowPrefix } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Stream } from '../stream.ts';
import { SECOND } from '../time.ts';
import { resolveDeadLetter, showDeadLetter } from './dead-letter.ts';
import type { FetchEffects } from './effects.ts';
import { type FetchedWindow, fetchWindow } from './window.ts';

export type RetryOutcome =
  | { readonly outcome: 'already'; readonly letter: DeadLetter }
  | { readonly outcome: 'resolved' | 'open'; readonly letter: DeadLetter; readonly fetched: FetchedWindow };

/**
 * Asks a dead letter's gap again, as a backfill window of its own. Resolved once that window was committed without gaps; what it
 * landed counts either way. @throws NOT_FOUND; otherwise as `fetchWindow`.
 */
export async function retryDeadLetter(effects: FetchEffects, stream: Stream, lease: Lease, id: string): Promise<RetryOutcome> {
  const { letter, resolution } = await showDeadLetter(effects.store, stream.name, id);
  if (resolution !== null) return { outcome: 'already', letter };
  if (letter.gap === null) {
    // The process that wrote it died before it could write the resolution beside it.
    await resolveDeadLetter(effects, letter, 'smaller pages brought everything that the window asks for');
    return { outcome: 'already', letter };
  }
  const fetched = await fetchWindow(effects, stream, await windowOfGap(effects.store, stream, letter.gap), lease);
  return { outcome: fetched.manifest.gaps.length === 0 ? 'resolved' : 'open', letter, fetched };
}

const RETRY_LIMIT = 1_000;

/** Every retry has a window with a name of its own, a microsecond longer each time: what earlier ones landed stays theirs. */
async function windowOfGap(store: ObjectStore, stream: Stream, gap: NonNullable<DeadLetter['gap']>): Promise<Window> {
  const end = Math.max(gap.to, gap.from + SECOND);
  for (let count = 0; count < RETRY_LIMIT; count++) {
    const window: Window = { kind: 'backfill', start: gap.from, end: end + count };
    if (!(await isClosed(store, stream, window))) return window;
  }
  throw new TidemarkError({
    code: 'SOURCE_UNAVAILABLE',
    message: `the gap of ${stream.name} was asked again ${RETRY_LIMIT} times`,
    hint: 'What those attempts landed is kept. Ask the partner why this stretch of time cannot be read.',
  });
}

async function isClosed(store: ObjectStore, stream: Stream, window: Window): Promise<boolean> {
  for await (const { key } of store.list(windowPrefix(rawScope(stream), window))) {
    if (parseRawKey(key)?.file.kind === 'manifest') return true;
  }
  return false;
}
