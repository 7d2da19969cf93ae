import type { FaultKind } from './faults.ts';
import type { StreamName } from './options.ts';

/** What the partner saw and did since it started. */
export interface PartnerStats {
  /** By stream; refused requests included. */
  requests: Record<StreamName, { list: number; lookup: number }>;
  /** By kind; 'poison' and 'expired-cursor' are not faults of one request, but of a record and of a cursor. */
  faults: Partial<Record<FaultKind | 'poison' | 'expired-cursor', number>>;
  /** By status; 0 for a connection that was reset or left. */
  statuses: Record<string, number>;
  /** Requests of each key in each minute of real time, the last sixty minutes; refused ones included. */
  requestsPerMinute: Record<string, Record<string, number>>;
  /** Requests that came faster than the rate limit allows. */
  overLimit: number;
  /** Records in list pages that were sent whole, repeated ones included. */
  recordsServed: number;
}

const MINUTES_KEPT = 60;

export function emptyStats(): PartnerStats {
  return {
    requests: { payments: { list: 0, lookup: 0 }, settlements: { list: 0, lookup: 0 } },
    faults: {},
    statuses: {},
    requestsPerMinute: {},
    overLimit: 0,
    recordsServed: 0,
  };
}

/** @param minute the minute's beginning in ISO 8601. */
export function countMinute(stats: PartnerStats, key: string, minute: string): void {
  stats.requestsPerMinute[key] ??= {};
  const minutes = stats.requestsPerMinute[key];
  minutes[minute] = (minutes[minute] ?? 0) + 1;
  const [oldest, ...rest] = Object.keys(minutes);
  if (oldest !== undefined && rest.length >= MINUTES_KEPT) delete minutes[oldest];
}

export function countFault(stats: PartnerStats, kind: FaultKind | 'poison' | 'expired-cursor'): void {
  stats.faults[kind] = (stats.faults[kind] ?? 0) + 1;
}
