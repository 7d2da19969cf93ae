import type { Micros } from '../../src/clock.ts';
import type { CuratedRow, Warehouse } from '../../src/load/warehouse.ts';
import type { RecordSource } from '../../src/partner/record-source.ts';
import type { Stream } from '../../src/stream.ts';

/** From when the partner could show the version that a row has, to when the row was loaded. */
export interface RowFreshness {
  readonly visibleAt: Micros;
  readonly took: Micros;
}

/** Takes the freshness of each row that passes whose version showed from `from` on. A row says when it was loaded, but not what stood there before. */
export class FreshnessMeter {
  readonly rows: RowFreshness[] = [];
  private readonly warehouse: Warehouse;
  private readonly shown: ReadonlyMap<string, Micros>;

  constructor(warehouse: Warehouse, source: RecordSource, from: Micros) {
    this.warehouse = warehouse;
    this.shown = visibleTimes(source, from);
  }

  async *contents(stream: Stream): AsyncIterable<CuratedRow> {
    for await (const row of this.warehouse.contents(stream)) {
      const visibleAt = this.shown.get(nameOf(row.key, row.version));
      if (visibleAt !== undefined) this.rows.push({ visibleAt, took: row.loadedAt - visibleAt });
      yield row;
    }
  }
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
