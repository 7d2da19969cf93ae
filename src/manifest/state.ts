import type { Clock } from '../clock.ts';
import { isTidemarkError, TidemarkError } from '../errors.ts';
import { createJson, getJson, replaceJson } from '../store/json.ts';
import { headKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Head } from './documents.ts';
import { checkFormat } from './format.ts';
import { assertHead, assertSuccessor, newHead, type Transition } from './head.ts';

/** How often one change is tried against other writers, and in a row against a store that does not answer. */
const UPDATE_LIMITS = { conflicts: 100, failures: 6, pauseMs: 100 } as const;

export interface UpdateEffects {
  readonly clock: Clock;
  /** A fresh random name for each write. */
  readonly randomId: () => string;
}

export interface HeadDocument {
  readonly head: Head;
  readonly tag: string;
}

/** @returns the stream's head, or null where the stream was never begun. @throws CORRUPT */
export async function readHead(store: ObjectStore, stream: string): Promise<HeadDocument | null> {
  const key = headKey(stream);
  const document = await getJson<Head>(store, key);
  if (!document) return null;
  checkFormat(key, document.value);
  assertHead(document.value);
  return { head: document.value, tag: document.tag };
}

/**
 * Applies a transition to the head as it stands, by compare-and-set, until one attempt holds. A transition that returns the very head
 * that it was given writes nothing. The head is created where there is none.
 * @param epoch the holder's epoch, or null for whoever holds nothing (takeover, inspection). @returns the head that now stands.
 * @throws FENCED where the head's epoch is another; CONFLICT where other writers won every attempt; STORE where the store stayed away,
 *   and then whether the change was made is unknown: applying the transition again is right.
 */
export async function updateHead(
  store: ObjectStore,
  stream: string,
  transition: Transition,
  epoch: number | null,
  effects: UpdateEffects,
): Promise<Head> {
  const written = new Set<string>();
  let failures = 0;
  for (let conflicts = 0; conflicts < UPDATE_LIMITS.conflicts; ) {
    try {
      const head = await attempt(store, stream, transition, epoch, written, effects);
      if (head) return head;
      conflicts += 1;
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!isTidemarkError(error, 'STORE') || !error.transient || failures >= UPDATE_LIMITS.failures) throw error;
      await effects.clock.sleep(UPDATE_LIMITS.pauseMs * 2 ** failures);
    }
  }
  throw new TidemarkError({
    code: 'CONFLICT',
    message: `the head of ${stream} changed under each of ${UPDATE_LIMITS.conflicts} attempts to change it`,
    hint: 'Nothing was changed. Run again when fewer processes work on this stream.',
    transient: true,
  });
}

/** @returns the head where this attempt, or an earlier one with a lost answer, holds; null where another writer came first. */
async function attempt(
  store: ObjectStore,
  stream: string,
  transition: Transition,
  epoch: number | null,
  written: Set<string>,
  { randomId }: UpdateEffects,
): Promise<Head | null> {
  const document = await readHead(store, stream);
  const before = document?.head ?? newHead(stream);
  if (written.has(before.opId)) return before;
  if (epoch !== null && before.epoch !== epoch) throw fenced(stream, epoch, before);
  const changed = transition(before);
  if (changed === before) return before;
  const after: Head = { ...changed, seq: before.seq + 1, opId: randomId() };
  assertHead(after);
  assertSuccessor(before, after);
  written.add(after.opId);
  return (await put(store, after, document?.tag ?? null)) ? after : null;
}

async function put(store: ObjectStore, head: Head, tag: string | null): Promise<boolean> {
  const key = headKey(head.stream);
  if (tag === null) return (await createJson(store, key, head)).outcome === 'created';
  return (await replaceJson(store, key, head, tag)) !== null;
}

/** This process was taken over. */
function fenced(stream: string, epoch: number, head: Head): TidemarkError {
  const by = head.holder ? ` by ${head.holder.host} (process ${head.holder.pid})` : '';
  return new TidemarkError({
    code: 'FENCED',
    message: `${stream} was taken over${by}: this process held epoch ${epoch}, the stream is at ${head.epoch}`,
    hint: 'What this process landed is kept and is adopted by the new holder. Nothing needs to be done; start again only if the new holder is gone.',
    data: { stream, epoch, current: head.epoch },
  });
}
