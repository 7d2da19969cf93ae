import type { Micros } from '../../../src/clock.ts';
import { HOUR, MINUTE, SECOND } from '../../../src/time.ts';
import type { DayOutcome } from './day.ts';
import type { Sighting } from './freshness.ts';

/** R3. */
export const DEADLINE: Micros = 15 * MINUTE;
export const BUCKET: Micros = 5 * MINUTE;
export const REQUESTS_A_MINUTE = 1000;

/** Of some versions, how long each took from showing to the table. What had not come when the day was over is Infinity. */
export interface Distribution {
  readonly count: number;
  readonly p50: Micros;
  readonly p90: Micros;
  readonly p99: Micros;
  readonly p999: Micros;
  readonly max: Micros;
  /** Share within the deadline. */
  readonly within: number;
}

export interface Bucket extends Distribution {
  readonly from: Micros;
}

export interface Recovery {
  readonly from: Micros;
  readonly to: Micros;
  /** From the brownout's end: from when on 99% of what showed within an hour was in time again. */
  readonly fresh: Micros | null;
  /** When 99% of what had shown during the brownout was in the table. */
  readonly caughtUp: Micros | null;
  /** Of what showed in its last 15 minutes, which alone could still be in time. */
  readonly possible: Distribution;
}

export interface Figures {
  readonly all: Distribution;
  /** What showed while no brownout was on; and what also could be in time whoever had been asked. */
  readonly outside: Distribution;
  readonly possible: Distribution;
  readonly buckets: readonly Bucket[];
  readonly recoveries: readonly Recovery[];
  readonly requests: RequestFigures;
}

export interface RequestFigures {
  readonly total: number;
  /** Of the day's minutes, by the time at which the partner got them. */
  readonly minutes: readonly number[];
  /** In any sixty seconds. */
  readonly most: number;
  /** Mean of the day, as a share of what the key may ask. */
  readonly share: number;
}

/** What the figures are made of. */
export interface Measured extends Pick<DayOutcome, 'sightings' | 'requests' | 'assumed'> {
  readonly times: Pick<DayOutcome['times'], 'midnight' | 'day' | 'dayEnd' | 'end'>;
}

export function figuresOf({ sightings, times, requests, assumed }: Measured): Figures {
  const counted = sightings
    .filter(({ visibleAt, committedAt }) => committedAt === null || committedAt >= visibleAt)
    .map(({ visibleAt, committedAt }) => ({
      visibleAt,
      committedAt: committedAt !== null && committedAt <= times.end ? committedAt : null,
    }));
  const brownouts = assumed.brownouts
    .map(({ from, to }) => ({ from: times.midnight + from, to: times.midnight + to }))
    .filter(({ to }) => to <= times.dayEnd);
  const isIn = (at: Micros, from: Micros, to: Micros): boolean => at >= from && at < to;
  const outside = counted.filter(({ visibleAt }) => !brownouts.some(({ from, to }) => isIn(visibleAt, from, to)));
  const possible = counted.filter(({ visibleAt }) => !brownouts.some(({ from, to }) => isIn(visibleAt, from, to - DEADLINE)));
  const buckets = bucketsOf(counted, times.day, times.dayEnd);
  return {
    all: distributionOf(counted),
    outside: distributionOf(outside),
    possible: distributionOf(possible),
    buckets,
    recoveries: brownouts.map((brownout) => recoveryOf(counted, buckets, brownout)),
    requests: requestsOf(requests, times.day, times.dayEnd),
  };
}

const ageOf = ({ visibleAt, committedAt }: Sighting): Micros => (committedAt === null ? Number.POSITIVE_INFINITY : committedAt - visibleAt);

function distributionOf(sightings: readonly Sighting[]): Distribution {
  const ages = Float64Array.from(sightings, ageOf).sort();
  const at = (share: number): Micros => ages[Math.min(ages.length - 1, Math.ceil(share * ages.length) - 1)] ?? 0;
  const within = ages.findLastIndex((age) => age <= DEADLINE) + 1;
  return {
    count: ages.length,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    max: at(1),
    within: ages.length === 0 ? 1 : within / ages.length,
  };
}

function bucketsOf(sightings: readonly Sighting[], from: Micros, to: Micros): Bucket[] {
  const grouped = Map.groupBy(sightings, ({ visibleAt }) => Math.floor((visibleAt - from) / BUCKET));
  return Array.from({ length: Math.ceil((to - from) / BUCKET) }, (_, index) => ({
    from: from + index * BUCKET,
    ...distributionOf(grouped.get(index) ?? []),
  }));
}

function recoveryOf(
  sightings: readonly Sighting[],
  buckets: readonly Bucket[],
  { from, to }: { readonly from: Micros; readonly to: Micros },
): Recovery {
  const fresh = buckets.find((bucket, index) => bucket.from >= to && isInTime(buckets.slice(index, index + HOUR / BUCKET)));
  const during = sightings.filter(({ visibleAt }) => visibleAt >= from && visibleAt < to);
  const ends = Float64Array.from(during, ({ committedAt }) => committedAt ?? Number.POSITIVE_INFINITY).sort();
  const caughtUp = ends[Math.ceil(0.99 * ends.length) - 1] ?? to;
  return {
    from,
    to,
    fresh: fresh ? fresh.from - to : null,
    caughtUp: Number.isFinite(caughtUp) ? caughtUp - to : null,
    possible: distributionOf(during.filter(({ visibleAt }) => visibleAt >= to - DEADLINE)),
  };
}

const IN_TIME = 0.99;

function isInTime(buckets: readonly Bucket[]): boolean {
  const all = buckets.reduce((sum, { count }) => sum + count, 0);
  const within = buckets.reduce((sum, bucket) => sum + bucket.count * bucket.within, 0);
  return all > 0 && within >= IN_TIME * all;
}

function requestsOf(requests: readonly Micros[], from: Micros, to: Micros): RequestFigures {
  const ofDay = requests.filter((at) => at >= from && at < to);
  const minutes = Array.from({ length: Math.ceil((to - from) / MINUTE) }, () => 0);
  for (const at of ofDay) {
    const minute = Math.floor((at - from) / MINUTE);
    minutes[minute] = (minutes[minute] ?? 0) + 1;
  }
  return {
    total: ofDay.length,
    minutes,
    most: mostWithin(requests, 60 * SECOND),
    share: ofDay.length / (((to - from) / MINUTE) * REQUESTS_A_MINUTE),
  };
}

/** @param instants ascending. */
function mostWithin(instants: readonly Micros[], length: Micros): number {
  let most = 0;
  let first = 0;
  for (const [last, at] of instants.entries()) {
    while (at - (instants[first] ?? at) >= length) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
