import { afterEach, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.ts';
import { createRequestBudget } from '../../src/fetch/budget.ts';
import { createHttpClient } from '../../src/fetch/client.ts';
import { type FetchedWindow, fetchWindow } from '../../src/fetch/window.ts';
import { silentLog } from '../../src/log.ts';
import { acquireLease } from '../../src/manifest/lease.ts';
import { type FaultProfileName } from '../../src/partner/faults.ts';
import { type Partner, startPartner } from '../../src/partner/server.ts';
import { readBody } from '../../src/store/compress.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { DAY, HOUR } from '../../src/time.ts';
import { dyingStore, instant, streamOf, virtualClock } from './fixture.ts';

const FROM = instant('2026-11-01T00:00:00Z');
let partner: Partner | undefined;
const stalls = (): number => partner?.stats().faults.stall ?? 0;
/** The deadline of a request passes once the partner lets it stall, and not because a machine is busy. */
const untilItStalls: Clock['sleep'] = async (_, signal) => {
  const before = stalls();
  while (stalls() === before) await systemClock.sleep(5, signal);
};
const http = createHttpClient({ ...systemClock, sleep: untilItStalls });
afterEach(async () => partner?.close());

async function fetchDay(faults: FaultProfileName, store: ObjectStore, view: ObjectStore = store): Promise<FetchedWindow> {
  partner ??= await startPartner({
    seed: 7,
    start: FROM,
    end: FROM + DAY,
    payments: { recordsPerSecond: 0.2 },
    faults,
    requestsPerMinute: 1_000_000,
  });
  const token = { reference: 'env:PARTNER_KEY', reveal: () => 'partner-key' };
  const stream = streamOf(`${partner.url}/events`, { auth: { kind: 'bearer', token }, pageSize: 500, attempts: 6 });
  const clock = virtualClock(FROM + DAY + 3 * DAY);
  const randomId = (): string => `${Math.random()}`;
  const lease = await acquireLease({
    store,
    stream: 'payments',
    clock: systemClock,
    log: silentLog,
    holder: { id: randomId(), host: 'test', pid: 1 },
    randomId,
    wait: false,
  });
  const effects = {
    store: view,
    clock,
    random: Math.random,
    randomId,
    exchange: http.exchange,
    budget: createRequestBudget(clock, 60_000),
    log: silentLog,
  };
  partner.setNow(FROM + 4 * DAY);
  try {
    return await fetchWindow(effects, stream, { kind: 'poll', start: FROM, end: FROM + DAY }, lease);
  } finally {
    await lease.release();
  }
}

/** Every distinct record that landed. */
async function landedRecords(store: ObjectStore, { manifest }: FetchedWindow): Promise<Set<string>> {
  const texts = new Set<string>();
  for (const { key, span } of manifest.pages) {
    const body = await readBody(store, key);
    for (const record of JSON.parse(body?.toString('utf8', span.start, span.end) ?? '[]') as object[]) texts.add(JSON.stringify(record));
  }
  return texts;
}

describe('against the simulated partner', () => {
  test.each(['none', 'hostile'] as const)('R9, R11, R21: %s: everything that it has lands, without a gap', async (faults) => {
    partner = undefined;
    const store = memoryStore();
    const fetched = await fetchDay(faults, store);
    const { totals } = (() => {
      const truth = (partner as Partner | undefined)?.truth('payments', { refused: 'include' });
      if (!truth) throw new Error('no partner');
      for (const _ of truth);
      return truth;
    })();
    expect(fetched.manifest.gaps).toEqual([]);
    expect((await landedRecords(store, fetched)).size).toBe(totals.observations + totals.refusedObservations);
  });

  test('R18: brutal: what could not be had is named in gaps, and everything outside them lands', async () => {
    partner = undefined;
    const store = memoryStore();
    const fetched = await fetchDay('brutal', store);
    const landed = await landedRecords(store, fetched);
    const missing = [...((partner as Partner | undefined)?.truth('payments', { refused: 'include' }) ?? [])].filter(
      ({ body }) => !landed.has(JSON.stringify(JSON.parse(body))),
    );
    const outside = missing.filter(
      ({ version: [updatedAt] }) => !fetched.manifest.gaps.some(({ from, to }) => instant(updatedAt) >= from && instant(updatedAt) < to),
    );
    expect(outside).toEqual([]);
    expect(fetched.manifest.gaps.length).toBeGreaterThan(0);
  });

  test('R20: hostile, and killed again and again: nothing is missing in the end', async () => {
    partner = undefined;
    const store = memoryStore();
    for (let nth = 2; nth <= 12; nth += 2)
      await expect(fetchDay('hostile', store, dyingStore(store, /page-/, nth))).rejects.toThrow('died');
    const fetched = await fetchDay('hostile', store);
    const truth = (partner as Partner | undefined)?.truth('payments', { refused: 'include' });
    for (const _ of truth ?? []);
    expect((await landedRecords(store, fetched)).size).toBe((truth?.totals.observations ?? 0) + (truth?.totals.refusedObservations ?? 0));
    expect(fetched.manifest.gaps).toEqual([]);
    expect(fetched.manifest.window.end - fetched.manifest.window.start).toBe(24 * HOUR);
  });
});
