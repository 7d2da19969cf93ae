import type { Micros } from '../clock.ts';
import type { StreamName } from './options.ts';
import type { Entry, Timeline } from './timeline.ts';

/** One stream of the world: when its records are, and what they say. */
export interface RecordSource {
  readonly stream: StreamName;
  readonly timeline: Timeline;
  /** The exact JSON text that the API serves for this record, always. */
  textOf(entry: Entry): string;
  /** The values of the configured key columns. */
  keyOf(entry: Entry): string[];
  /** The values of the configured version columns, as written in the record. */
  versionOf(entry: Entry): readonly [updatedAt: string, ...integers: number[]];
  /** Why the quality rules refuse every version of this record, or null. */
  refusalOf(entry: Entry): string | null;
  /** Where the event with this id begins, or null where there is none. */
  find(id: string): EventPlace | null;
}

export interface EventPlace {
  readonly bucket: number;
  readonly index: number;
}

/** Orders the versions of one key; contents of one and the same version are equal here. */
function compareVersions(a: Entry, b: Entry): number {
  return a.updatedAt - b.updatedAt || (a.copy === 1 ? 1 : 0) - (b.copy === 1 ? 1 : 0);
}

/** The greatest visible version of each environment's record among the versions of one id; all contents of it where there is a conflict. */
export function winnersOf(entries: readonly Entry[], environment: 0 | 1, now: Micros): Entry[] {
  let winners: Entry[] = [];
  for (const entry of entries) {
    if (entry.environment !== environment || entry.visibleAt > now) continue;
    const order = winners[0] === undefined ? 1 : compareVersions(entry, winners[0]);
    if (order > 0) winners = [entry];
    else if (order === 0) winners.push(entry);
  }
  return winners;
}
