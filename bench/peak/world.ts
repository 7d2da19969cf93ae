import type { Micros } from '../../src/clock.ts';
import { FAULT_PROFILES } from '../../src/partner/faults.ts';
import type { PartnerSettings } from '../../src/partner/options.ts';
import { MINUTE, SECOND } from '../../src/time.ts';

/** Payments as 300 million a day bring them, in real time, with bursts. */
export interface PeakJob {
  readonly settings: PartnerSettings;
  /** Live from here on; what showed before is the first poll's. */
  readonly from: Micros;
  readonly to: Micros;
}

export const KEY = 'peak-key';
export const RECORDS_PER_SECOND = 3472;
export const BURST_FACTOR = 5;
/** Within so much of its version time every record shows. */
export const LATEST = 2 * MINUTE;
const BEFORE = 4 * MINUTE;
/** Most updates of an event come hours later: in a world that began minutes ago, so many of its records are there. */
const SHARE_SO_EARLY = 1.37 / 1.53;

/** @param start when the process begins: the partner's clock is the machine's. */
export function peakJob(start: Micros, minutes: number, seed: number): PeakJob {
  const to = start + minutes * MINUTE;
  const bursts = [0.25, 0.65].map((share) => start + Math.floor((share * (to - start)) / SECOND) * SECOND);
  return {
    from: start,
    to,
    settings: {
      seed,
      start: start - BEFORE,
      end: to,
      now: start,
      pace: 1,
      keys: [KEY],
      payments: {
        recordsPerSecond: RECORDS_PER_SECOND / SHARE_SO_EARLY,
        surges: bursts.map((from) => ({ from, to: from + MINUTE, factor: BURST_FACTOR })),
      },
      settlements: { recordsPerSecond: 0.01 },
      outOfOrder: { share: 0.03, bound: 45 * SECOND },
      late: { share: 0.005, bound: LATEST },
      faults: FAULT_PROFILES.hostile,
      poison: [],
    },
  };
}

export const configurationText = (url: string, pollSeconds: number): string => `store: file:./store
warehouse: duckdb:./warehouse.duckdb
workers: { threads: 2, scratch: ./scratch }
streams:
  payments:
    source:
      list: ${url}/events
      lookup: ${url}/events/{event_id}
      auth: { bearer: file:./key }
      query: { since: updated_since, size: page_size, cursor: cursor }
      response: { records: $.data, next: $.next_cursor, more: $.has_more }
      pageSize: 5000
      requestsPerMinute: 1000
      timeout: 5s
    environment: { field: environment }
    key: [environment, event_id]
    version: [updated_at, event_version]
    latestBy: [environment, transaction_id]
    poll: { every: ${pollSeconds}s, outOfOrder: 1m, lateness: 10m, deadline: 15m }
`;

/** In the partner's process: the job that it was started for. */
export const jobOfThisProcess = (): PeakJob => JSON.parse(process.argv[2] ?? '') as PeakJob;
