import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BACKFILL_LIMITS, expectedRecords, expectedRequests, splitRange } from '../../src/fetch/backfill-plan.ts';
import { DAY, HOUR } from '../../src/time.ts';
import { instant, streamOf } from './fixture.ts';

const stream = streamOf('http://a.example/', { pageSize: 100 });
const START = instant('2026-11-01T07:30:00Z');

test('R4: the chains of any range join, cover it, and stay within a day each', () => {
  const lengths = fc.integer({ min: BACKFILL_LIMITS.shortest, max: BACKFILL_LIMITS.longest });
  fc.assert(
    fc.property(fc.nat({ max: 3 * DAY }), lengths, fc.option(fc.nat({ max: 1e9 })), (shift, length, records) => {
      const range = { start: START + shift, end: START + shift + length };
      const chains = splitRange(range, stream, records, 3);
      expect(chains[0]?.start).toBe(range.start);
      expect(chains.at(-1)?.end).toBe(range.end + 3);
      for (const [i, { start, end }] of chains.entries()) {
        if (i > 0) expect(start).toBe((chains[i - 1]?.end ?? 0) - 3);
        expect(Math.floor(start / DAY)).toBe(Math.floor((end - 4) / DAY));
        expect(end).toBeGreaterThan(start);
      }
    }),
  );
});

test('a chain has some tens of pages, but is long beside the stretch that it runs on over', () => {
  const day = { start: instant('2026-11-01T00:00:00Z'), end: instant('2026-11-02T00:00:00Z') };
  const lengthOf = (outOfOrder: number, records: number | null) => {
    const [first] = splitRange(day, { ...stream, poll: { ...stream.poll, outOfOrder } }, records, 0);
    return (first?.end ?? 0) - (first?.start ?? 0);
  };
  expect(lengthOf(0, null)).toBe(HOUR);
  expect(lengthOf(0, 24_000), 'ten pages an hour').toBe(4 * HOUR);
  expect(lengthOf(0, 10), 'hardly any').toBe(DAY);
  expect(lengthOf(2 * HOUR, 1e9)).toBe(8 * HOUR);
});

test('what is expected comes from what loaded batches span of the range', () => {
  const range = { start: START, end: START + 10 * HOUR };
  const batch = (rows: number, from: number, to: number) => ({ rows, minTime: START + from * HOUR, maxTime: START + to * HOUR });
  expect(expectedRecords(range, [])).toBeNull();
  expect(expectedRecords(range, [batch(5, -3, -2)])).toBeNull();
  expect(expectedRecords(range, [batch(1000, -5, 5), batch(10, 3, 3)])).toBe(510);
  const [chain] = splitRange({ start: START, end: START + HOUR }, stream, 1000, 0);
  expect(expectedRequests(chain ? [chain] : [], { start: START, end: START + HOUR }, stream, 1000), 'two more hours, and the last').toBe(
    31,
  );
});
