import { describe, expect, test } from 'vitest';
import { resolveDeadLetter } from '../../src/fetch/dead-letter.ts';
import type { LedgerEntry } from '../../src/load/warehouse.ts';
import type { PendingWindow, Window } from '../../src/manifest/documents.ts';
import { newHead } from '../../src/manifest/head.ts';
import type { Lease } from '../../src/manifest/lease.ts';
import type { Context } from '../../src/pipeline/context.ts';
import { mayGoOn, unloadedRepairs, waitsAtRepaired } from '../../src/pipeline/repaired-gaps.ts';
import { createJson } from '../../src/store/json.ts';
import { backfillHead, deadLetterKey, headKey, windowName } from '../../src/store/keys.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { HOUR, MINUTE } from '../../src/time.ts';
import { instant, streamOf } from '../fetch/fixture.ts';

const stream = streamOf('http://a.example/');
const NOW = instant('2026-11-20T12:00:00Z');
const GAP = { from: NOW - 3 * HOUR, to: NOW - 3 * HOUR + MINUTE };
const POLL: Window = { kind: 'poll', start: NOW - 4 * HOUR, end: NOW - 2 * HOUR };

async function repaired(isResolved = true, by?: Window): Promise<ObjectStore> {
  const store = memoryStore();
  const id = `${windowName(POLL)}-page-000002-12345678`;
  await createJson(store, deadLetterKey('payments', id), {
    id,
    stream: 'payments',
    window: POLL,
    gap: GAP,
    at: NOW,
  });
  if (isResolved)
    await resolveDeadLetter({ store, clock: { now: () => NOW } }, { id, stream: 'payments' }, 'asked again', by && { window: by });
  return store;
}

const pending = (kind: Window['kind'], start = GAP.from - HOUR): PendingWindow => ({
  window: { kind, start, end: NOW },
  manifest: kind,
  batches: null,
});
const leaseOf = (...windows: PendingWindow[]): Pick<Lease, 'head'> => ({ head: () => ({ ...newHead('payments'), pending: windows }) });

describe('R18: a gap that was asked again holds the watermark back until what came is loaded', () => {
  test('while the sweep that went over it is on its way, and not once it is settled', async () => {
    const store = await repaired();
    const sweep = pending('sweep');
    expect(await unloadedRepairs({ store }, stream, leaseOf(sweep), GAP.from, null)).toEqual([GAP]);
    expect(await unloadedRepairs({ store }, stream, leaseOf(sweep), GAP.from, sweep), 'it is loaded').toEqual([]);
    expect(await unloadedRepairs({ store }, stream, leaseOf(pending('sweep', GAP.to)), GAP.from, null), 'it left the gap out').toEqual([]);
    expect(await unloadedRepairs({ store }, stream, leaseOf(pending('poll')), GAP.from, null), 'polls hold it themselves').toEqual([]);
    expect(await unloadedRepairs({ store }, stream, leaseOf(sweep), GAP.from + 1, null), 'it was passed long ago').toEqual([]);
  });

  test('but for no other window over that time than the one that covers the gap', async () => {
    const [sweep, other] = [pending('sweep'), pending('sweep', GAP.from - 2 * HOUR)];
    const store = await repaired(true, sweep.window);
    expect(await unloadedRepairs({ store }, stream, leaseOf(other, sweep), GAP.from, null)).toEqual([GAP]);
    expect(await unloadedRepairs({ store }, stream, leaseOf(other), GAP.from, null), 'nobody may ever load it').toEqual([]);
    const again = { ...sweep, manifest: 'another generation' };
    expect(await unloadedRepairs({ store }, stream, leaseOf(again), GAP.from, null), 'asked anew').toEqual([GAP]);
  });

  test('also where it was a backfill, which has a head of its own', async () => {
    const store = await repaired();
    expect(await unloadedRepairs({ store }, stream, leaseOf(), GAP.from, null)).toEqual([]);
    await createJson(store, headKey(backfillHead('payments')), { ...newHead(backfillHead('payments')), pending: [pending('backfill')] });
    expect(await unloadedRepairs({ store }, stream, leaseOf(), GAP.from, null)).toEqual([GAP]);
  });
});

describe('R18: a watermark that waited at such a gap', () => {
  const holding = (store: ObjectStore, windowEnd: number): Context =>
    ({ store, warehouse: { ledger: async () => [{ windowKind: 'poll', windowEnd } as LedgerEntry] } }) as unknown as Context;

  test('goes on from there, though no window joins it any more', async () => {
    const store = await repaired();
    expect(await waitsAtRepaired({ store }, stream, GAP.from)).toBe(true);
    expect(await mayGoOn(holding(store, NOW), stream, { watermark: NOW }, GAP.from)).toBe(true);
  });

  test('does not where the gap is open, where it stands elsewhere, or where the warehouse is an older copy', async () => {
    const store = await repaired();
    expect(await mayGoOn(holding(await repaired(false), NOW), stream, { watermark: NOW }, GAP.from)).toBe(false);
    expect(await mayGoOn(holding(store, NOW), stream, { watermark: NOW }, GAP.from - 1)).toBe(false);
    expect(await mayGoOn(holding(store, NOW - HOUR), stream, { watermark: NOW }, GAP.from)).toBe(false);
    expect(await mayGoOn(holding(store, NOW), stream, { watermark: NOW }, null)).toBe(false);
  });
});
