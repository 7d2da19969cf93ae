import { describe, expect, it } from 'vitest';
import type { PendingWindow, Window } from '../../src/manifest/documents.ts';
import { joinsLoaded, safeWatermark } from '../../src/pipeline/watermark.ts';

const pending = (kind: Window['kind'], start: number, end: number): PendingWindow => ({
  window: { kind, start, end },
  manifest: `${kind} ${start}`,
  batches: null,
});
const head = (...windows: PendingWindow[]) => ({ since: 0, watermark: 100, pending: windows });

describe('the watermark of the warehouse', () => {
  it('R18: is held back by polls on their way and by gaps, not by the one that is being settled', () => {
    const mine = pending('poll', 80, 100);
    expect(safeWatermark(head(mine), mine, [])).toBe(100);
    expect(safeWatermark(head(mine), null, [])).toBe(80);
    expect(safeWatermark(head(mine, pending('poll', 60, 80)), mine, [])).toBe(60);
    expect(safeWatermark(head(mine), mine, [{ from: 70 }])).toBe(70);
    expect(safeWatermark({ since: null, watermark: null, pending: [] }, null, [])).toBeNull();
  });

  it('R8: does not wait for sweeps and backfills', () => {
    expect(safeWatermark(head(pending('sweep', 10, 100), pending('backfill', 20, 30)), null, [])).toBe(100);
  });

  it('R18: does not move past a time that a lost warehouse does not hold any more', () => {
    expect(joinsLoaded(head(), 90, { start: 85 })).toBe(true);
    expect(joinsLoaded(head(), 80, { start: 85 })).toBe(false);
    expect(joinsLoaded(head(), null, { start: 85 })).toBe(false);
    expect(joinsLoaded(head(), null, { start: 0 })).toBe(true);
  });
});
