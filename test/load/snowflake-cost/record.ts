import type { Shape } from '../../../src/load/snowflake/cost/shape.ts';
import { worldOptions } from '../../../src/partner/options.ts';
import { createPayments } from '../../../src/partner/payments.ts';
import type { Entry } from '../../../src/partner/timeline.ts';
import { HOUR, MINUTE, parseInstant } from '../../../src/time.ts';

/**
 * Records the shape of one batch of the simulated partner. Live polls look back as far as records come out of order, and bring what showed
 * since the poll before; what shows later than that comes with the daily sweep.
 */
export type Kind = 'live' | 'sweep';

const SLICE_MINUTES = 10;
const OUT_OF_ORDER = 2 * HOUR;
const isOf = (kind: Kind, { updatedAt, visibleAt }: Pick<Entry, 'updatedAt' | 'visibleAt'>): boolean =>
  visibleAt - updatedAt > OUT_OF_ORDER === (kind === 'sweep');

/** A late record comes up to 48 h after its time, and the last version of an event 47 h after its first. */
const PAST = 96 * HOUR;

export function recordShape(kind: Kind, minutes: number, recordsPerSecond: number): Omit<Shape, 'recordBytes' | 'rowBytes' | 'keyBytes'> {
  const end = (parseInstant('2026-11-06T12:00:00Z', 'iso') ?? 0) + minutes * MINUTE;
  const begin = end - minutes * MINUTE;
  const { timeline } = createPayments(worldOptions({ seed: 7, start: begin - PAST, end, payments: { recordsPerSecond } }));
  const first = timeline.bucketOf(begin - 48 * HOUR - MINUTE);
  const batch = new Set<string>();
  let newKeys = 0;
  let records = 0;
  let unchanged = 0;
  for (let bucket = Math.max(0, first); bucket < timeline.buckets; bucket++) {
    for (const { bucket: home, index, environment, slot, copy, updatedAt, visibleAt } of timeline.entriesAt(bucket)) {
      if (visibleAt < begin || visibleAt >= end) continue;
      records++;
      if (slot === 0 && copy === 0) newKeys++;
      if (isOf(kind, { updatedAt, visibleAt })) batch.add(`${home}/${index}/${environment}`);
    }
  }
  // A sweep finds what live polls have loaded until it is made.
  const loadedBefore = kind === 'sweep' ? end : begin;
  const slices = new Map<number, number>();
  let inserted = 0;
  for (const key of batch) {
    const [home = 0, index = 0, environment = 0] = key.split('/').map(Number);
    const copies = timeline.entriesOf(home, index).filter((entry) => entry.environment === environment);
    const came = copies.filter((entry) => isOf(kind, entry) && entry.visibleAt >= begin && entry.visibleAt < end);
    const held = copies.filter((entry) => entry.visibleAt < loadedBefore && !came.includes(entry));
    const greatest = (entries: typeof copies): number => Math.max(...entries.map(({ slot, copy, updatedAt }) => updatedAt + slot + copy));
    if (held.length === 0) inserted++;
    else if (greatest(held) >= greatest(came)) unchanged++;
    else {
      const slice = Math.floor((loadedBefore - Math.min(...held.map(({ visibleAt }) => visibleAt))) / (SLICE_MINUTES * MINUTE));
      slices.set(slice, (slices.get(slice) ?? 0) + 1);
    }
  }
  return {
    name: kind === 'live' ? `payments, ${minutes} minutes` : 'payments, daily sweep',
    source: `recorded from the simulated partner at ${recordsPerSecond} records a second`,
    minutes,
    records,
    keys: newKeys,
    inserted,
    unchanged,
    sliceMinutes: SLICE_MINUTES,
    updates: [...slices].toSorted(([a], [b]) => a - b),
  };
}
