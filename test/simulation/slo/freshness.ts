import type { Micros } from '../../../src/clock.ts';
import type { Engine } from '../../../src/engine.ts';
import type { RecordSource } from '../../../src/partner/record-source.ts';

/** One version of one event: when the partner could show it first, and when the table had it, or a later one of its event. */
export interface Sighting {
  readonly visibleAt: Micros;
  /** Null as long as the table has neither. */
  committedAt: Micros | null;
}

interface Awaited extends Sighting {
  readonly updatedAt: Micros;
  readonly version: number;
}

interface Row {
  readonly key: string;
  readonly time: Micros;
  readonly version: number;
}

/** Looks at each COMMIT at what is new in the table, and knows of every version that the partner shows within a range when it could do so. */
export class FreshnessWatch {
  readonly sightings: Sighting[] = [];
  /** Versions of which a later one was in the table before they showed. */
  overtaken = 0;
  readonly #engine: Engine;
  readonly #stream: string;
  readonly #awaited = new Map<string, Awaited[]>();
  readonly #batches = new Set<string>();

  constructor(engine: Engine, source: RecordSource, range: { readonly from: Micros; readonly to: Micros }) {
    this.#engine = engine;
    this.#stream = source.stream;
    const { timeline } = source;
    for (let bucket = 0; bucket < timeline.buckets; bucket++)
      for (const entry of timeline.entriesAt(bucket)) {
        if (entry.visibleAt < range.from || entry.visibleAt >= range.to) continue;
        const [, version = 0] = source.versionOf(entry);
        this.#await(source.keyOf(entry).join('/'), {
          visibleAt: entry.visibleAt,
          committedAt: null,
          updatedAt: entry.updatedAt,
          version,
        });
      }
  }

  #await(key: string, awaited: Awaited): void {
    const others = this.#awaited.get(key);
    if (others) others.push(awaited);
    else this.#awaited.set(key, [awaited]);
    this.sightings.push(awaited);
  }

  /** To be called after each COMMIT. */
  async committed(now: Micros): Promise<void> {
    const batches = await this.#newBatches();
    if (batches.length === 0) return;
    const rows = await this.#engine.rows(
      `SELECT environment || '/' || event_id AS key, epoch_us(updated_at) AS time, event_version AS version
       FROM ${this.#stream} WHERE _batch IN (${batches.map((batch) => `'${batch}'`).join(', ')})`,
    );
    for (const { key, time, version } of rows) this.#entered({ key: key as string, time: Number(time), version: Number(version) }, now);
  }

  async #newBatches(): Promise<string[]> {
    const [table] = await this.#engine.rows(
      "SELECT 1 AS found FROM duckdb_tables() WHERE schema_name = 'tidemark' AND table_name = 'ledger'",
    );
    if (!table) return [];
    const rows = await this.#engine.rows(`SELECT batch FROM tidemark.ledger WHERE entry > ${this.#batches.size}`);
    const found = rows.map(({ batch }) => batch as string).filter((batch) => !this.#batches.has(batch));
    for (const batch of found) this.#batches.add(batch);
    return found;
  }

  #entered({ key, time, version }: Row, now: Micros): void {
    const awaited = this.#awaited.get(key);
    if (!awaited) return;
    const left = awaited.filter((each) => each.updatedAt > time || (each.updatedAt === time && each.version > version));
    for (const each of awaited) if (!left.includes(each)) this.#settle(each, now);
    if (left.length === 0) this.#awaited.delete(key);
    else this.#awaited.set(key, left);
  }

  #settle(sighting: Awaited, now: Micros): void {
    sighting.committedAt = now;
    if (sighting.visibleAt > now) this.overtaken += 1;
  }
}
