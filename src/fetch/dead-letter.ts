import { hash } from 'node:crypto';
import type { Micros } from '../clock.ts';
import { TidemarkError } from '../errors.ts';
import type { DeadLetter, Gap, Window } from '../manifest/documents.ts';
import { createJson, getJson } from '../store/json.ts';
import { deadLetterKey, deadLetterPrefix, parseCompact, slotName, windowName } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { PageFailure } from './ask.ts';
import type { WindowJob } from './effects.ts';
import type { LookedUp } from './lookup.ts';
import { type Position, positionUrl } from './request.ts';

/** At most so much of the last answer is kept. */
const BODY_LIMIT_BYTES = 64 * 1024;

/** A page that could not be had, and what may be missing for it: null where smaller pages brought everything. */
export interface Lost {
  readonly failure: PageFailure;
  readonly slot: number;
  readonly position: Position;
  readonly size: number;
  readonly gap: { readonly from: Micros; readonly to: Micros } | null;
}

/** `<id>.resolved.json`: why a dead letter needs nobody any more. */
export interface Resolution {
  readonly format: 1;
  readonly id: string;
  readonly stream: string;
  readonly reason: string;
  /** Who said so; absent where the program found out by itself. */
  readonly by?: string;
  /** The window that covers the gap; absent where no window does, and where it was written before windows were named. */
  readonly window?: Window;
  readonly at: Micros;
}

/** `<id>.lookup-<time>.json`: records of the gap that were asked for one by one. They are in raw; whether they are all, nobody knows by that. */
export interface LetterLookup {
  readonly format: 1;
  readonly id: string;
  readonly stream: string;
  readonly by: string;
  readonly lookedUp: readonly LookedUp[];
  readonly at: Micros;
}

export interface DeadLetterEntry {
  readonly letter: DeadLetter;
  /** What was asked for one by one, the first first. */
  readonly lookups: readonly LetterLookup[];
  /** Null while it is open. */
  readonly resolution: Resolution | null;
}

/**
 * Writes the letter, and its resolution where nothing is missing. The same loss has the same id, whoever writes it.
 * @returns the id.
 */
export async function writeDeadLetter(job: WindowJob, lost: Lost): Promise<string> {
  const { store, clock, log } = job.effects;
  const letter = letterFor(job, lost, clock.now());
  await createJson(store, deadLetterKey(job.stream.name, letter.id), letter);
  log.warn({ stream: letter.stream, deadLetter: letter.id, gap: letter.gap, reason: letter.reason }, 'page goes to dead letter');
  if (lost.gap === null) await resolveDeadLetter(job.effects, letter, 'smaller pages brought everything that the window asks for');
  return letter.id;
}

function letterFor({ stream, window, ask }: WindowJob, { failure, slot, position, size, gap }: Lost, at: Micros): DeadLetter {
  // The same loss in another ask of the window is another one.
  const content = JSON.stringify([window.kind, position.since, position.cursor, gap, ...(ask > 0 ? [ask] : [])]);
  return {
    format: 1,
    id: `${windowName(window)}-${slotName(slot)}-${hash('sha256', content).slice(0, 8)}`,
    stream: stream.name,
    window,
    ask,
    slot,
    cursor: position.cursor,
    url: positionUrl(stream.source, position, size),
    pageSize: size,
    attempts: failure.attempts,
    reason: failure.reason,
    status: failure.status,
    body: failure.body && failure.body.subarray(0, BODY_LIMIT_BYTES).toString('base64'),
    gap,
    at,
  };
}

/** Notes that a letter needs nobody any more. Doing it twice is no error. */
export async function resolveDeadLetter(
  effects: { readonly store: ObjectStore; readonly clock: { now(): Micros } },
  { id, stream }: Pick<DeadLetter, 'id' | 'stream'>,
  reason: string,
  { by, window }: Pick<Resolution, 'by' | 'window'> = {},
): Promise<void> {
  const named = { ...(by !== undefined && { by }), ...(window && { window }) };
  const resolution: Resolution = { format: 1, id, stream, reason, ...named, at: effects.clock.now() };
  await createJson(effects.store, resolutionKey(stream, id), resolution);
}

const resolutionKey = (stream: string, id: string): string => deadLetterKey(stream, `${id}.resolved`);

/** Where a letter stands, in a word or two. */
export function stateOf({ resolution, lookups }: DeadLetterEntry): string {
  if (resolution) return 'resolved';
  const found = lookups.flatMap(({ lookedUp }) => lookedUp).filter(({ outcome }) => outcome === 'found').length;
  return found > 0 ? `open, ${found} looked up` : 'open';
}

/** Every letter of a stream, by window; `prefix` narrows by the beginning of the id. */
export async function listDeadLetters(
  store: ObjectStore,
  stream: string,
  which: 'open' | 'resolved' | 'all' = 'open',
  prefix = '',
): Promise<DeadLetterEntry[]> {
  const ids = await letterIds(store, stream, prefix);
  const entries: DeadLetterEntry[] = [];
  for (const [id, resolved] of ids) {
    if (which === 'all' || resolved === (which === 'resolved')) entries.push(await showDeadLetter(store, stream, id));
  }
  return entries;
}

/** Resolved letters of windows that end after an instant; what only older windows lacked is not read. */
export async function listResolvedSince(store: ObjectStore, stream: string, since: Micros): Promise<DeadLetterEntry[]> {
  const entries: DeadLetterEntry[] = [];
  for (const [id, resolved] of await letterIds(store, stream, '')) {
    const end = parseCompact(id.split(/[_-]/)[1]);
    if (resolved && end !== null && end > since) entries.push(await showDeadLetter(store, stream, id));
  }
  return entries;
}

/** By id: whether it is resolved. */
async function letterIds(store: ObjectStore, stream: string, prefix: string): Promise<Map<string, boolean>> {
  const ids = new Map<string, boolean>();
  const folder = deadLetterPrefix(stream);
  for await (const { key } of store.list(`${folder}${prefix}`)) {
    const [, id, note] = /^(.+?)(\.resolved|\.lookup-\d+)?\.json$/.exec(key.slice(folder.length)) ?? [];
    if (id !== undefined) ids.set(id, ids.get(id) === true || note === '.resolved');
  }
  return ids;
}

/** @throws NOT_FOUND where there is no such letter. */
export async function showDeadLetter(store: ObjectStore, stream: string, id: string): Promise<DeadLetterEntry> {
  const letter = await getJson<DeadLetter>(store, deadLetterKey(stream, id));
  const resolution = await getJson<Resolution>(store, resolutionKey(stream, id));
  if (letter) return { letter: letter.value, lookups: await readLookups(store, stream, id), resolution: resolution?.value ?? null };
  throw new TidemarkError({
    code: 'NOT_FOUND',
    message: `there is no dead letter ${id} of stream ${stream}`,
    hint: 'Nothing was changed. `tidemark dead-letter list` names them.',
  });
}

/** Notes what became of records that were asked for in place of a letter's page. */
export async function noteLookups(
  effects: { readonly store: ObjectStore; readonly clock: { now(): Micros } },
  { id, stream }: Pick<DeadLetter, 'id' | 'stream'>,
  lookedUp: readonly LookedUp[],
  by: string,
): Promise<void> {
  const at = effects.clock.now();
  const note: LetterLookup = { format: 1, id, stream, by, lookedUp, at };
  for (let name = at; ; name++) {
    const { outcome } = await createJson(effects.store, deadLetterKey(stream, `${id}.lookup-${name}`), note);
    if (outcome === 'created') return;
  }
}

async function readLookups(store: ObjectStore, stream: string, id: string): Promise<LetterLookup[]> {
  const lookups: LetterLookup[] = [];
  for await (const { key } of store.list(deadLetterKey(stream, `${id}.lookup-`).replace(/\.json$/, ''))) {
    const note = await getJson<LetterLookup>(store, key);
    if (note) lookups.push(note.value);
  }
  return lookups.sort((a, b) => a.at - b.at);
}

/** The gaps that earlier processes recorded while they fetched this window. */
export async function openGaps({ effects: { store }, stream, window, ask }: WindowJob): Promise<Gap[]> {
  const entries = await listDeadLetters(store, stream.name, 'open', `${windowName(window)}-`);
  return entries.flatMap(({ letter }) =>
    letter.gap !== null && letter.window.kind === window.kind && (letter.ask ?? 0) === ask
      ? [{ ...letter.gap, deadLetter: letter.id }]
      : [],
  );
}

/**
 * Resolves every open letter whose gap lies within a committed window, away from that window's own gaps.
 * @param askedSince what was recorded as missing after the window was asked may be missing from its answers as well.
 * @returns their ids.
 */
export async function resolveCovered(job: WindowJob, gaps: readonly Gap[], askedSince: Micros): Promise<string[]> {
  const { effects, stream, window } = job;
  const open = await listDeadLetters(effects.store, stream.name, 'open');
  // A poll or a sweep is never asked before the time at which it ends.
  const since = window.kind === 'backfill' ? askedSince : Math.max(askedSince, window.end);
  const covered = open.filter(({ letter: { gap, at } }) => gap !== null && at <= since && isCovered(gap, window, gaps));
  for (const { letter } of covered)
    await resolveDeadLetter(effects, letter, `the ${window.kind} window ${windowName(window)} covers the gap`, { window });
  return covered.map(({ letter }) => letter.id);
}

/** Also where it only touches a gap of the window: a gap may be a single instant. */
const isCovered = (gap: NonNullable<DeadLetter['gap']>, window: Window, gaps: readonly Gap[]): boolean =>
  gap.from >= window.start && gap.to <= window.end && gaps.every((other) => other.to < gap.from || other.from > gap.to);
