import type { Micros } from '../../src/clock.ts';
import type { Engine } from '../../src/engine.ts';
import type { DeadLetter, Window } from '../../src/manifest/documents.ts';
import type { TruthItem } from '../../src/partner/truth.ts';
import { windowName } from '../../src/store/keys.ts';
import { parseInstant } from '../../src/time.ts';
import { Violation } from './scheduler.ts';

type Gap = NonNullable<DeadLetter['gap']>;

/** Winners among what the partner has shown at an instant, by stream. */
export type Shown = (stream: string, at: Micros) => Iterable<Pick<TruthItem, 'key' | 'version'>>;

/** Columns of the curated tables that hold the partner's key and version. */
const COLUMNS: Readonly<Record<string, { readonly key: readonly string[]; readonly version: string }>> = {
  payments: { key: ['environment', 'event_id'], version: 'event_version' },
  settlements: { key: ['vendor_txn_id'], version: '0' },
};

/**
 * Knows what the partner had to show when a poll began. Once the watermark has passed the poll, the table holds it: a sweep that brings
 * it later would hide that the watermark had lied.
 */
export class Witness {
  readonly #engine: Engine;
  readonly #shown: Shown;
  /** When each poll was first seen to be open, and which were looked at, by stream and window. */
  readonly #begun = new Map<string, Micros>();
  readonly #done = new Set<string>();

  constructor(engine: Engine, shown: Shown) {
    this.#engine = engine;
    this.#shown = shown;
  }

  /** Polls of a stream that have begun by now. */
  saw(stream: string, open: readonly Window[], now: Micros): void {
    for (const window of open.filter(({ kind }) => kind === 'poll')) {
      const name = `${stream} ${windowName(window)}`;
      if (!this.#begun.has(name)) this.#begun.set(name, now);
    }
  }

  /** @param polls that the watermark has passed. @param gaps where the program has said that something is missing, repaired or not. */
  async check(stream: string, polls: readonly Window[], gaps: readonly Gap[]): Promise<void> {
    const fresh = polls.filter((window) => !this.#done.has(`${stream} ${windowName(window)}`));
    if (fresh.length === 0) return;
    const rows = await this.#rows(stream);
    for (const window of fresh) {
      const name = `${stream} ${windowName(window)}`;
      this.#done.add(name);
      for (const { key, version } of this.#shown(stream, this.#begun.get(name) ?? 0)) {
        const [time, integer] = [parseInstant(version[0], 'iso') ?? 0, version[1] ?? 0];
        if (time < window.start || time >= window.end || gaps.some(({ from, to }) => time >= from && time <= to)) continue;
        const row = rows.get(JSON.stringify(key));
        if (!row || row.time < time || (row.time === time && row.integer < integer))
          throw new Violation(
            `R18: the warehouse's watermark passes ${name}, and the table has no ${key.join('/')} of ${version.join(' ')}`,
          );
      }
    }
  }

  async #rows(stream: string): Promise<ReadonlyMap<string, { readonly time: Micros; readonly integer: number }>> {
    const { key, version } = COLUMNS[stream] ?? { key: [], version: '0' };
    const rows = await this.#engine.rows(`SELECT ${key.join(', ')}, epoch_us(updated_at) AS time, ${version} AS integer FROM ${stream}`);
    return new Map(
      rows.map((row) => [JSON.stringify(key.map((name) => row[name])), { time: Number(row['time']), integer: Number(row['integer']) }]),
    );
  }
}
