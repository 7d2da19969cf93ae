import { hash } from 'node:crypto';
import type { Engine } from '../../../src/engine.ts';
import type { RecordSource } from '../../../src/partner/record-source.ts';
import { type Truth, truth } from '../../../src/partner/truth.ts';
import { parseInstant } from '../../../src/time.ts';

/** The table held against the truth, by key, version and the hash of the very bytes; what the values become is proved elsewhere. */
export interface Exactness {
  readonly keys: number;
  readonly rows: number;
  /** Keys that have no row, rows that are not the truth's, and rows of a key beyond its first. */
  readonly missing: number;
  readonly wrong: number;
  readonly repeated: number;
}

export const isExact = ({ keys, missing, wrong, repeated }: Exactness): boolean => keys > 0 && missing + wrong + repeated === 0;

export async function compare(engine: Engine, source: RecordSource, now: number): Promise<Exactness> {
  const expected = expectedRows(truth(source, { now }));
  const keys = expected.size;
  const seen = new Set<string>();
  let [wrong, repeated] = [0, 0];
  const rows = await engine.rows(
    `SELECT environment || '/' || event_id AS key, epoch_us(updated_at) || '/' || event_version || '/' || _content_hash AS held FROM ${source.stream}`,
  );
  for (const { key, held } of rows as { key: string; held: string }[]) {
    if (seen.has(key)) repeated += 1;
    else if (expected.get(key) !== held) wrong += 1;
    seen.add(key);
  }
  const missing = [...expected.keys()].filter((key) => !seen.has(key)).length;
  return { keys, rows: rows.length, missing, wrong, repeated };
}

function expectedRows(items: Truth): Map<string, string> {
  const expected = new Map<string, string>();
  for (const { key, version, body } of items) {
    const [time, number] = version;
    expected.set(key.join('/'), `${parseInstant(time, 'iso')}/${number}/${hash('sha256', body).slice(0, 32)}`);
  }
  return expected;
}
