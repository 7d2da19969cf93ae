import type { Micros } from '../clock.ts';
import type { Poison } from './options.ts';
import type { RecordSource } from './record-source.ts';
import type { Entry } from './timeline.ts';
import type { World } from './world.ts';

/** A poisoned record, found in its world. */
export interface PoisonedRecord extends Poison {
  readonly key: string[];
  readonly updatedAt: Micros;
}

export function poisonedRecords(world: World, poisons: readonly Poison[]): PoisonedRecord[] {
  return poisons.flatMap((poison) => {
    const source = world[poison.stream];
    const entry = firstUndelayed(source, poison.at);
    return entry ? [{ ...poison, key: source.keyOf(entry), updatedAt: entry.updatedAt }] : [];
  });
}

function firstUndelayed(source: RecordSource, at: Micros): Entry | null {
  const { timeline } = source;
  for (let bucket = Math.max(0, timeline.bucketOf(at)); bucket < timeline.buckets; bucket += 1) {
    const entry = timeline.entriesAt(bucket).find((each) => each.updatedAt >= at && each.visibleAt === each.updatedAt);
    if (entry) return entry;
  }
  return null;
}

/** The poisoned record that makes this page fail, or null. */
export function poisonOfPage(
  source: RecordSource,
  poisoned: readonly PoisonedRecord[],
  page: { entries: readonly Entry[]; size: number; now: Micros },
): PoisonedRecord | null {
  const holds = (poison: PoisonedRecord): boolean =>
    poison.stream === source.stream &&
    page.size > poison.largestPage &&
    !(poison.healsAt !== undefined && page.now >= poison.healsAt) &&
    page.entries.some((entry) => entry.updatedAt === poison.updatedAt && source.keyOf(entry).join() === poison.key.join());
  return poisoned.find(holds) ?? null;
}
