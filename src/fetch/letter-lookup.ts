import { TidemarkError } from '../errors.ts';
import type { DeadLetter } from '../manifest/documents.ts';
import type { Lease } from '../manifest/lease.ts';
import type { Stream } from '../stream.ts';
import { type DeadLetterEntry, noteLookups, resolveDeadLetter, showDeadLetter } from './dead-letter.ts';
import type { FetchEffects } from './effects.ts';
import { type LookupKey, lookupUrl } from './lookup.ts';
import { type Lookups, lookUp } from './lookups.ts';

/** Asking for the records of a gap one by one, where their ids are known. */

export interface LetterRepair extends Lookups {
  readonly letter: DeadLetter;
  readonly outcome: 'already' | 'resolved' | 'open';
}

export interface RepairOptions {
  /** Keys that are asked for whether or not they were before; besides them, the record that the error itself names. */
  readonly keys: readonly LookupKey[];
  readonly by: string;
  /** Why these records are all that the gap lacked, in the words of whoever knows; null where nobody says so. */
  readonly complete: string | null;
}

/**
 * Looks up records in place of a letter's page, and notes on the letter what came of it. It stays open, since nobody can know by that
 * whether the gap lacked others too, unless somebody vouches for it; a later window that covers the gap resolves it as well.
 * @throws NOT_FOUND; otherwise as `lookUp`.
 */
export async function repairByLookup(
  effects: FetchEffects,
  stream: Stream,
  lease: Lease,
  id: string,
  { keys, by, complete }: RepairOptions,
): Promise<LetterRepair> {
  const entry = await showDeadLetter(effects.store, stream.name, id);
  const { letter } = entry;
  if (entry.resolution) return { letter, outcome: 'already', lookedUp: [], fetched: null };
  const asked = distinct([...keys, ...unasked(stream, entry)]);
  const lookups = await lookUp(effects, stream, lease, asked);
  if (lookups.lookedUp.length > 0) await noteLookups(effects, letter, lookups.lookedUp, by);
  if (complete === null) return { letter, outcome: 'open', ...lookups };
  const answered = await assertAnswered(effects, stream, id);
  await resolveDeadLetter(effects, letter, `${answered} looked up one by one, said to be all: ${complete}`, { by });
  return { letter, outcome: 'resolved', ...lookups };
}

/** Keys that an open letter's own error names, and that nobody has had an answer for. Empty where the source has no lookup. */
export function unasked(stream: Stream, { letter, lookups }: DeadLetterEntry): readonly LookupKey[] {
  const key = stream.source.lookup === null ? null : culpritOf(stream, letter);
  if (!key || lookupUrl(stream, key) === null) return [];
  const answered = lookups.flatMap(({ lookedUp }) => lookedUp).filter(({ outcome }) => outcome !== 'failed');
  return answered.some((other) => sameKey(other.key, key)) ? [] : [key];
}

/** Whoever vouches for a gap must have an answer for each record that was asked for. @returns how many there are. */
async function assertAnswered({ store }: FetchEffects, stream: Stream, id: string): Promise<string> {
  const all = (await showDeadLetter(store, stream.name, id)).lookups.flatMap(({ lookedUp }) => lookedUp);
  const answered = all.filter(({ outcome }) => outcome !== 'failed');
  const failed = all.find(({ key, outcome }) => outcome === 'failed' && !answered.some((other) => sameKey(other.key, key)));
  const count = distinct(answered.map(({ key }) => key)).length;
  if (!failed) return count === 1 ? '1 record' : `${count} records`;
  throw new TidemarkError({
    code: 'SOURCE_UNAVAILABLE',
    message: `${failed.key.filter((value) => value !== null).join('/')} could not be looked up: ${failed.reason}`,
    hint: `Dead letter ${id} stays open, and what came is kept. Look it up again, or leave it to a later sweep.`,
    transient: true,
  });
}

/** The record that the last attempt failed for, where the body of the error names it as `response.culprit` says. */
export function culpritOf({ source, key }: Stream, { body }: DeadLetter): LookupKey | null {
  if (!source.culprit || body === null) return null;
  const named = at(parsed(Buffer.from(body, 'base64').toString()), source.culprit);
  if (Array.isArray(named)) return named.length === key.length ? named.map(textOf) : null;
  if (typeof named === 'object' && named !== null) {
    return key.map(({ name, constant }) => constant ?? textOf((named as Record<string, unknown>)[name]));
  }
  const own = key.filter(({ constant }) => constant === null);
  const text = textOf(named);
  return own.length === 1 && text !== null ? key.map(({ constant }) => constant ?? text) : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (here, name) => (typeof here === 'object' && here !== null ? (here as Record<string, unknown>)[name] : undefined),
    value,
  );

function textOf(value: unknown): string | null {
  if (typeof value === 'string' && value !== '') return value;
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : null;
}

const sameKey = (a: LookupKey, b: LookupKey): boolean => a.length === b.length && a.every((value, i) => value === b[i]);

export const distinct = (keys: readonly LookupKey[]): LookupKey[] =>
  keys.filter((key, i) => keys.findIndex((other) => sameKey(key, other)) === i);
