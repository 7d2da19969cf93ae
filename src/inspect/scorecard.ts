import type { Micros } from '../clock.ts';
import type { Batch, FetchTotals } from '../manifest/documents.ts';
import type { TimeRange } from '../manifest/landed.ts';
import { readSchema, type SchemaVersion } from '../normalize/schema-store.ts';
import type { Stream } from '../stream.ts';
import { DAY, formatInstant, SECOND } from '../time.ts';
import { publishedBatches } from './batches.ts';
import type { Inspection } from './inspection.ts';
import { NO_LATENESS, type RecordFigures, recordFigures } from './scorecard-records.ts';
import type { RequestCounts, Scorecard, ScorecardDay } from './scorecard-report.ts';
import { type ScoredWindow, scoredWindows } from './scorecard-windows.ts';
import { withScratch } from './scratch.ts';

export interface ScorecardOptions {
  /** Widened to whole days (UTC). */
  readonly from: Micros;
  readonly to: Micros;
}

/**
 * What the partner did, day by day, from what was recorded as it happened: totals of manifests, receipts, sightings, the schema's history.
 * What was asked for in windows that were never committed is in no count. @throws STORE, CORRUPT.
 */
export async function scorecard({ store, configuration }: Inspection, stream: Stream, options: ScorecardOptions): Promise<Scorecard> {
  const range = { from: dayFloor(options.from), to: dayFloor(options.to + DAY - 1) };
  const windows = await scoredWindows(store, stream, range);
  const batches = (await publishedBatches(store, stream.name)).batches.filter((batch) => batch.createdAt < range.to);
  const records = await withScratch(configuration, (scratch) =>
    recordFigures(store, stream, windows, withEarlier(batches, range), range, scratch),
  );
  const history = (await readSchema(store, stream.name))?.history ?? [];
  const days = daysOf(range)
    .map((day) => dayOf(day, windows, batches, records, history))
    .filter((day) => day.requests.asked + day.pushes + day.pages + day.typeChanges.length > 0);
  return {
    stream: stream.name,
    from: formatInstant(range.from),
    to: formatInstant(range.to),
    bounds: { latenessSeconds: stream.poll.lateness / SECOND },
    days,
    total: totalOf(days, records),
    examples: { silentChanges: records.silentExamples, tooLate: records.tooLateExamples },
    unreadable: records.unreadable,
  };
}

const dayFloor = (instant: Micros): Micros => Math.floor(instant / DAY) * DAY;

const daysOf = ({ from, to }: TimeRange): Micros[] => Array.from({ length: Math.max(0, (to - from) / DAY) }, (_, i) => from + i * DAY);

/** The range's batches, and those before it that may hold the same versions: what is in them was seen before. */
function withEarlier(batches: readonly Batch[], { from }: TimeRange): readonly Batch[] {
  const own = batches.filter((batch) => batch.createdAt >= from);
  const first = own.reduce((least, { minTime }) => Math.min(least, minTime ?? least), Number.POSITIVE_INFINITY);
  return batches.filter((batch) => batch.createdAt >= from || (batch.maxTime !== null && batch.maxTime >= first));
}

function dayOf(
  from: Micros,
  windows: readonly ScoredWindow[],
  batches: readonly Batch[],
  records: RecordFigures,
  history: readonly SchemaVersion[],
): ScorecardDay {
  const isWithin = (instant: Micros): boolean => instant >= from && instant < from + DAY;
  const day = from / DAY;
  const manifests = windows.map(({ manifest }) => manifest).filter(({ committedAt }) => isWithin(committedAt));
  const asked = manifests.filter(({ window }) => window.kind !== 'push');
  return {
    day: formatInstant(from).slice(0, 10),
    requests: requestCounts(asked.map(({ totals }) => totals)),
    pushes: sum(manifests.filter(({ window }) => window.kind === 'push').map(({ totals }) => totals.asked)),
    pages: sum(manifests.map(({ totals }) => totals.pages)),
    records: sum(manifests.map(({ totals }) => totals.records)),
    refusedRecords: sum(
      batches.filter(({ origin, createdAt }) => origin === 'live' && isWithin(createdAt)).map(({ counts }) => counts.quarantined),
    ),
    repeatedRecords: records.repeated.get(day) ?? 0,
    silentChanges: records.silent.get(day) ?? 0,
    lateness: records.lateness.get(day) ?? NO_LATENESS,
    typeChanges: history.filter(({ at }) => isWithin(at)).flatMap(({ changes }) => changes.filter(({ from: before }) => before !== null)),
  };
}

/** Manifests of earlier versions lack some of the counts. */
function requestCounts(totals: readonly Partial<FetchTotals>[]): RequestCounts {
  const of = (name: keyof FetchTotals): number => sum(totals.map((each) => each[name] ?? 0));
  return {
    asked: of('asked'),
    limited: of('limited'),
    failed: of('failed'),
    reset: of('reset'),
    stalled: of('stalled'),
    noPage: of('refused') - of('cut'),
    short: of('short'),
    duplicated: of('duplicated'),
  };
}

function totalOf(days: readonly ScorecardDay[], { whole }: RecordFigures): Scorecard['total'] {
  const of = (read: (day: ScorecardDay) => number): number => sum(days.map(read));
  const names = Object.keys(requestCounts([])) as (keyof RequestCounts)[];
  return {
    requests: Object.fromEntries(names.map((name) => [name, of(({ requests }) => requests[name])])) as unknown as RequestCounts,
    pushes: of(({ pushes }) => pushes),
    pages: of(({ pages }) => pages),
    records: of((day) => day.records),
    refusedRecords: of(({ refusedRecords }) => refusedRecords),
    repeatedRecords: of(({ repeatedRecords }) => repeatedRecords),
    silentChanges: of(({ silentChanges }) => silentChanges),
    lateness: whole,
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
