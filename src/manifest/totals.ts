import type { FetchTotals } from './documents.ts';

export type MutableTotals = { -readonly [Name in keyof FetchTotals]: FetchTotals[Name] };

export const noTotals = (): MutableTotals => ({
  asked: 0,
  retried: 0,
  limited: 0,
  failed: 0,
  reset: 0,
  cut: 0,
  stalled: 0,
  duplicated: 0,
  short: 0,
  refused: 0,
  pages: 0,
  records: 0,
});
