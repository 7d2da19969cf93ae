import type { Stream } from '../stream.ts';
import { formatInstant } from '../time.ts';

/** One accepted observation, as a batch's sightings name it. */
export interface Sighting {
  readonly key: readonly string[];
  /** Microseconds, then digits: exact, however many there are. */
  readonly version: readonly string[];
  readonly contentHash: string;
  readonly page: string;
  readonly position: number;
  readonly batch: string;
}

export type Ranked = Pick<Sighting, 'version' | 'contentHash'>;

/** The law's order, the greatest first: by version, then by content hash. 0 for the same content. */
export function compareByLaw(a: Ranked, b: Ranked): number {
  const difference = firstDifference(a, b);
  if (difference !== null) return difference.greater ? -1 : 1;
  return a.contentHash === b.contentHash ? 0 : a.contentHash > b.contentHash ? -1 : 1;
}

/** The first version column in which two differ. */
function firstDifference(a: Ranked, b: Ranked): { column: number; greater: boolean } | null {
  const column = a.version.findIndex((value, at) => BigInt(value) !== BigInt(b.version[at] ?? 0));
  return column < 0 ? null : { column, greater: BigInt(a.version[column] ?? 0) > BigInt(b.version[column] ?? 0) };
}

/** Why `loser` is not the row, in a few words. */
export function whyLost(stream: Stream, winner: Ranked, loser: Ranked): string {
  const difference = firstDifference(winner, loser);
  if (difference) return `smaller ${stream.version[difference.column]?.name ?? 'version'}`;
  return winner.contentHash === loser.contentHash ? 'the same content, landed again' : 'same version, smaller content hash';
}

/** Why `winner` is greater than the next content: `greater event_version: 4 > 3`. */
export function whyWon(stream: Stream, winner: Ranked, next: Ranked | undefined): string {
  if (!next) return 'the only content that was ever seen';
  const difference = firstDifference(winner, next);
  if (!difference)
    return `same version as another content; the greater content hash: ${winner.contentHash.slice(0, 8)}… > ${next.contentHash.slice(0, 8)}…`;
  const { column } = difference;
  const values = [winner, next].map(({ version }) => versionText(version[column] ?? '', column));
  return `greater ${stream.version[column]?.name ?? 'version'}: ${values.join(' > ')}`;
}

const versionText = (value: string, column: number): string => (column === 0 ? formatInstant(Number(value)) : value);

/** By column: the time in ISO 8601, the rest as digits. */
export function versionRecord(stream: Stream, version: readonly string[]): Record<string, string> {
  return Object.fromEntries(stream.version.map(({ name }, column) => [name, versionText(version[column] ?? '', column)]));
}

export const keyRecord = (stream: Stream, key: readonly (string | null)[]): Record<string, string> =>
  Object.fromEntries(stream.key.map(({ name }, column) => [name, key[column] ?? '']));
