import type { Micros } from '../../src/clock.ts';
import type { Warehouse } from '../../src/load/warehouse.ts';
import type { RecordSource } from '../../src/partner/record-source.ts';
import type { Stream } from '../../src/stream.ts';

/** From when the partner could show the version that a row has, to when the row was loaded. */
export interface RowFreshness {
  readonly visibleAt: Micros;
  readonly took: Micros;
}

/** @returns one for each row of the table whose version showed from `from` on. A row says when it was loaded, but not what stood there before. */
export async function freshnessOf(warehouse: Warehouse, stream: Stream, source: RecordSource, from: Micros): Promise<RowFreshness[]> {
  const shown = visibleTimes(source, from);
  const found: RowFreshness[] = [];
  for await (const { key, version, loadedAt } of warehouse.contents(stream)) {
    const visibleAt = shown.get(nameOf(key, version));
    if (visibleAt !== undefined) found.push({ visibleAt, took: loadedAt - visibleAt });
  }
  return found;
}

function visibleTimes(source: RecordSource, from: Micros): Map<string, Micros> {
  const { timeline } = source;
  const shown = new Map<string, Micros>();
  for (let bucket = 0; bucket < timeline.buckets; bucket++) {
    for (let index = 0; index < timeline.eventsIn(bucket); index++) {
      for (const entry of timeline.entriesOf(bucket, index)) {
        const [, ...integers] = source.versionOf(entry);
        if (entry.visibleAt >= from) shown.set(nameOf(source.keyOf(entry), [entry.updatedAt, ...integers]), entry.visibleAt);
      }
    }
  }
  return shown;
}

const nameOf = (key: readonly string[], version: readonly number[]): string => `${key.join('/')} ${version.join('/')}`;
