import type { Micros } from '../src/clock.ts';
import { hits, mix } from '../src/partner/hash.ts';
import type { RecordSource } from '../src/partner/record-source.ts';
import type { Entry, Timeline } from '../src/partner/timeline.ts';
import { parseInstant } from '../src/time.ts';
import { eventText, ODDITIES } from './event.ts';

/**
 * Exactly so many payments events, one after the other in `updated_at`, each a function of its number and the seed: 29 leaf fields and
 * about 740 bytes, three more fields under `payload.risk` from the middle on. 3% of them are a later version of an earlier event.
 */
export interface Workload {
  readonly seed: number;
  readonly events: number;
  /** Share of the records of which one value is not as in the others; none unless said otherwise. */
  readonly odd?: number;
}

export const DEFAULT_WORKLOAD: Workload = { seed: 7, events: 1_000_000 };

export const WORKLOAD_START: Micros = parseInstant('2026-11-20T00:00:00Z', 'iso') ?? 0;
/** 120M events a day are 1,389 a second. */
const APART: Micros = 720;
const REPEAT_SHARE = 0.03;
/** An event comes again within so many events. */
const REPEAT_REACH = 200_000;
/** Events that the partner looks at together. */
const BUCKET = 500;

export const workloadEnd = ({ events }: Workload): Micros => WORKLOAD_START + events * APART;

/** The workload as the simulated partner serves it. */
export function workloadSource(workload: Workload): RecordSource {
  return {
    stream: 'payments',
    timeline: timelineOf(workload),
    textOf: (entry) => textOf(workload, numberOf(entry)),
    keyOf: (entry) => {
      const { environment, event_id: id } = parsed(workload, entry);
      return [environment, id];
    },
    versionOf: (entry) => {
      const { updated_at: updatedAt, event_version: version } = parsed(workload, entry);
      return [updatedAt, version];
    },
    refusalOf: () => null,
    find: () => null,
  };
}

const numberOf = (entry: Entry): number => entry.bucket * BUCKET + entry.index;

interface Parsed {
  readonly environment: string;
  readonly event_id: string;
  readonly updated_at: string;
  readonly event_version: number;
}
const parsed = (workload: Workload, entry: Entry): Parsed => JSON.parse(textOf(workload, numberOf(entry))) as Parsed;

/** The JSON text of event number `n`, counted from 0. */
export function textOf({ seed, events, odd = 0 }: Workload, n: number): string {
  const event = eventOf(seed, n);
  const draw = mix(mix(seed, n), 4);
  return eventText({
    eventHash: mix(seed, event),
    hash: mix(mix(seed, n), 3),
    number: event,
    version: 1 + n - event,
    createdAt: WORKLOAD_START + event * APART,
    updatedAt: WORKLOAD_START + n * APART,
    hasRisk: n >= events / 2,
    odd: hits(draw, odd) ? (ODDITIES[mix(draw, 1) % ODDITIES.length] ?? null) : null,
  });
}

export function distinctKeys({ seed, events }: Workload): number {
  let distinct = 0;
  for (let n = 0; n < events; n += 1) if (eventOf(seed, n) === n) distinct += 1;
  return distinct;
}

/** The first event of which number `n` is a later version; `n` itself for most. */
function eventOf(seed: number, n: number): number {
  let event = n;
  for (;;) {
    const draw = mix(mix(seed, event), 1);
    if (event === 0 || !hits(draw, REPEAT_SHARE)) return event;
    event -= 1 + (mix(draw, 2) % Math.min(event, REPEAT_REACH));
  }
}

function timelineOf({ seed, events }: Workload): Timeline {
  const eventsIn = (bucket: number): number => (bucket < 0 ? 0 : Math.max(0, Math.min(BUCKET, events - bucket * BUCKET)));
  return {
    start: WORKLOAD_START,
    width: BUCKET * APART,
    buckets: Math.ceil(events / BUCKET),
    reach: 0,
    bucketOf: (instant) => Math.floor((instant - WORKLOAD_START) / (BUCKET * APART)),
    eventsIn,
    entriesAt: (bucket) => Array.from({ length: eventsIn(bucket) }, (_, index) => entryAt(seed, bucket, index)),
    entriesOf: (bucket, index) => [entryAt(seed, bucket, index)],
  };
}

function entryAt(seed: number, bucket: number, index: number): Entry {
  const n = bucket * BUCKET + index;
  const updatedAt = WORKLOAD_START + n * APART;
  return {
    bucket,
    index,
    environment: 0,
    slot: 1,
    copy: 0,
    eventHash: mix(seed, n),
    hash: n,
    createdAt: updatedAt,
    updatedAt,
    visibleAt: updatedAt,
  };
}
