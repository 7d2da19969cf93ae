import type { Micros } from '../../../src/clock.ts';
import { FAULT_PROFILES, type FaultProfile } from '../../../src/partner/faults.ts';
import { DAY, HOUR, MINUTE } from '../../../src/time.ts';

/** What a simulated day takes for granted: where a figure was measured, by bench/RESULTS.md; otherwise it is an assumption, and said to be one. */
export interface Assumptions {
  readonly seed: number;
  /** Records of the real stream for each that is simulated. Rate and page size are divided by it, so requests and batches are not. */
  readonly scale: number;
  /** Records of the day, and of each day before it, of the real stream. */
  readonly recordsADay: number;
  readonly recordsADayBefore: number;
  /** How long the day is: the whole of it, unless somebody is in a hurry. */
  readonly length: Micros;
  /** What the table holds already when the day begins: so much before it. */
  readonly history: Micros;
  readonly pageSize: number;
  readonly batchRecords: number;
  /** From sending a request to the last byte of its answer: evenly between these. */
  readonly latencyMs: readonly [least: number, most: number];
  /** Means; each operation's own is drawn around them. */
  readonly storeMs: number;
  readonly statementMs: number;
  /** Records a second, by measurement. Fetching takes the process's one thread, normalizing all of its others. */
  readonly fetchRate: number;
  readonly normalizeRate: number;
  readonly loadRate: number;
  /** What a record costs the normalizer that the table knows already, as a share of a new one. */
  readonly knownCost: number;
  /** Of the records: how many show out of order, and how many later still. */
  readonly outOfOrderShare: number;
  readonly lateShare: number;
  readonly faults: FaultProfile;
  /** From the day's beginning. */
  readonly brownouts: readonly { readonly from: Micros; readonly to: Micros }[];
  /** When the daily sweep comes due, from the day's beginning. */
  readonly sweepAt: Micros;
  /** A range of so many days before the history is pulled beside. */
  readonly backfillDays: number;
  readonly backfillParallel: number;
}

/** One request in sixty goes wrong. */
const FAULTS_OF_HOSTILE = 0.05;

export const PEAK_DAY: Assumptions = {
  seed: 1,
  scale: 2500,
  recordsADay: 300_000_000,
  recordsADayBefore: 120_000_000,
  length: DAY,
  history: 3 * DAY,
  pageSize: 5000,
  batchRecords: 1_000_000,
  latencyMs: [300, 800],
  storeMs: 35,
  statementMs: 50,
  fetchRate: 80_000,
  normalizeRate: 159_489,
  loadRate: 157_226,
  knownCost: 0.5,
  outOfOrderShare: 0.004,
  lateShare: 0.001,
  faults: faintly(FAULTS_OF_HOSTILE),
  brownouts: [
    { from: 10 * HOUR + 20 * MINUTE, to: 11 * HOUR },
    { from: 19 * HOUR + 20 * MINUTE, to: 20 * HOUR },
  ],
  sweepAt: 3 * HOUR,
  backfillDays: 0,
  backfillParallel: 4,
};

/** The partner's usual faults at lower rates. */
function faintly(share: number): FaultProfile {
  const rates = Object.fromEntries(Object.entries(FAULT_PROFILES.hostile.rates).map(([kind, rate]) => [kind, rate * share]));
  return { rates, mostPerIdentity: 2, mostStalls: 20, expiredCursors: 0 };
}

export function toldAssumptions(a: Assumptions): string[] {
  const millions = (count: number): string => `${Math.round(count / 1e6)}M`;
  return [
    `${millions(a.recordsADay)} records a day (${millions(a.recordsADayBefore)} on the days before), 1 of ${a.scale} simulated; pages of ${a.pageSize} as pages of ${a.pageSize / a.scale}`,
    `assumed: an answer ${a.latencyMs.join('–')} ms, a store operation ${a.storeMs} ms, a statement of the warehouse ${a.statementMs} ms (means)`,
    'the rate has its low at 03:00, its high at 15:00, and is twice the usual from 19:00 to 20:30; a brownout is 40 minutes of 503',
    `measured: fetch and landing ${a.fetchRate}/s in the process's one thread, normalize ${a.normalizeRate}/s, load ${a.loadRate} rows/s; assumed: a record that the table knows costs the normalizer ${a.knownCost} of a new one`,
    `assumed: ${percent(a.outOfOrderShare)} show up to 2 h late, ${percent(a.lateShare)} up to 48 h late, evenly; ${percent(totalOf(a.faults))} of the requests go wrong`,
    ...(a.backfillDays > 0
      ? [
          `beside it, in a process of its own, backfill --parallel ${a.backfillParallel} of ${a.backfillDays} days that the table does not have`,
        ]
      : []),
  ];
}

const totalOf = ({ rates }: FaultProfile): number => Object.values(rates).reduce((sum, rate) => sum + rate, 0);
const percent = (share: number): string => `${Number((100 * share).toFixed(2))}%`;
