import { describe, expect, it } from 'vitest';
import type { Manifest, Receipt, Window } from '../../src/manifest/documents.ts';
import { type LandedPage, landedManifests, landedPages, landedSlots, type TimeRange } from '../../src/manifest/landed.ts';
import { readManifest, writeManifest } from '../../src/manifest/manifests.ts';
import { readReceipt, writeReceipt } from '../../src/manifest/receipts.ts';
import { noTotals } from '../../src/manifest/totals.ts';
import { alternativeKey, generationPrefix, manifestKey, pageKey, receiptKey } from '../../src/store/keys.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { DAY, HOUR, parseInstant } from '../../src/time.ts';

const noon = parseInstant('2026-11-20T12:00:00Z', 'iso') ?? 0;
const scope = { stream: 'payments', environment: 'prod' };
const poll = (start: number, end: number): Window => ({ start, end, kind: 'poll' });
const window = poll(noon, noon + HOUR);
const generation = (epoch: number, of: Window = window): string => generationPrefix(scope, of, epoch);
const sha = 'ab'.repeat(32);

function receipt(page: string, slot: number, of: Partial<Receipt> = {}): Receipt {
  return {
    format: 1,
    ...scope,
    window,
    epoch: 1,
    slot,
    page,
    verdict: 'full',
    sha256: sha,
    bytes: 10,
    storedBytes: 4,
    records: 1,
    span: { start: 0, end: 10 },
    cursorIn: null,
    cursorOut: null,
    more: false,
    pageSize: 5000,
    minTime: null,
    maxTime: null,
    shape: [32],
    requestId: null,
    url: 'http://partner/events',
    status: 200,
    attempts: 1,
    requestedAt: noon,
    landedAt: noon,
    ...of,
  };
}

async function land(store: ObjectStore, key: string, slot: number): Promise<void> {
  await store.create(key, Buffer.from(key));
  await writeReceipt(store, receiptKey(key), receipt(key, slot));
}

describe('receipts', () => {
  it('come back as they were written, and the first one stands', async () => {
    const store = memoryStore();
    const key = receiptKey(pageKey(generation(1), 1));
    expect(await readReceipt(store, key)).toBeNull();
    const first = receipt('page', 1);
    expect(await writeReceipt(store, key, first)).toEqual(first);
    expect(await writeReceipt(store, key, { ...first, attempts: 7 })).toEqual(first);
    expect(await readReceipt(store, key)).toEqual(first);
  });
});

describe('R20: the landed slots of a window', () => {
  it('are none where nothing landed', async () => {
    expect(await landedSlots(memoryStore(), scope, window)).toEqual([]);
  });

  it('are told in order, with each answer of each generation, its receipt, and what has none', async () => {
    const store = memoryStore();
    await land(store, pageKey(generation(1), 1), 1);
    await land(store, pageKey(generation(1), 2), 2);
    const torn = pageKey(generation(1), 10);
    await store.create(torn, Buffer.from('died before the receipt'));
    const alternative = alternativeKey(generation(1), 2, sha);
    await land(store, alternative, 2);
    await land(store, pageKey(generation(2), 2), 2);
    const duplicate = pageKey(generation(2), 3);
    await writeReceipt(store, receiptKey(duplicate), receipt(pageKey(generation(1), 1), 3, { verdict: 'duplicate' }));
    await store.create(manifestKey(generation(1)), Buffer.from('{}'));
    await land(store, pageKey(generation(1, poll(noon, noon + 2 * HOUR)), 4), 4);

    const slots = await landedSlots(store, scope, window);
    const told = slots.map(({ slot, answers }) => [
      slot,
      answers.map((answer) => [answer.key, answer.epoch, answer.object !== null, answer.receipt?.verdict]),
    ]);
    expect(told).toEqual([
      [1, [[pageKey(generation(1), 1), 1, true, 'full']]],
      [
        2,
        [
          [pageKey(generation(1), 2), 1, true, 'full'],
          [alternative, 1, true, 'full'],
          [pageKey(generation(2), 2), 2, true, 'full'],
        ],
      ],
      [3, [[duplicate, 2, false, 'duplicate']]],
      [10, [[torn, 1, true, undefined]]],
    ]);
    expect(slots[1]?.answers.map((answer) => answer.alternative)).toEqual([null, sha.slice(0, 16), null]);
  });
});

describe('the landed pages of a time range', () => {
  const pagesOf = async (store: ObjectStore, range: TimeRange): Promise<string[]> => {
    const pages: LandedPage[] = [];
    for await (const page of landedPages(store, scope, range)) pages.push(page);
    return pages.map((page) => page.key);
  };

  it('R4: are those of each window that reaches into it, however early that starts', async () => {
    const store = memoryStore();
    const windows = {
      longBefore: poll(noon - 40 * DAY, noon - 39 * DAY),
      reachesIn: poll(noon - 30 * DAY, noon + 1),
      endsThere: poll(noon - HOUR, noon),
      inside: poll(noon + 5, noon + 6),
      overMidnight: poll(noon + 12 * HOUR, noon + 13 * HOUR),
      startsAfter: poll(noon + DAY, noon + 2 * DAY),
    };
    for (const each of Object.values(windows)) await land(store, pageKey(generation(1, each), 1), 1);
    await store.create(alternativeKey(generation(1, windows.inside), 1, sha), Buffer.from('x'));
    expect(await pagesOf(store, { from: noon, to: noon + DAY })).toEqual([
      pageKey(generation(1, windows.reachesIn), 1),
      alternativeKey(generation(1, windows.inside), 1, sha),
      pageKey(generation(1, windows.inside), 1),
      pageKey(generation(1, windows.overMidnight), 1),
    ]);
    expect(await pagesOf(store, { from: noon + 3 * DAY, to: noon + 4 * DAY })).toEqual([]);
  });

  it('leave out other streams and environments', async () => {
    const store = memoryStore();
    for (const other of [
      { ...scope, environment: 'sandbox' },
      { ...scope, stream: 'payments2' },
    ]) {
      await store.create(pageKey(generationPrefix(other, window, 1), 1), Buffer.from('x'));
    }
    expect(await pagesOf(store, { from: noon, to: noon + HOUR })).toEqual([]);
  });

  it('come with the manifests that closed them', async () => {
    const store = memoryStore();
    await land(store, pageKey(generation(1), 1), 1);
    for (const epoch of [1, 2]) await writeManifest(store, manifest(epoch));
    const keys: string[] = [];
    for await (const key of landedManifests(store, scope, { from: noon, to: noon + HOUR })) keys.push(key);
    expect(keys).toEqual([manifestKey(generation(1)), manifestKey(generation(2))]);
  });
});

function manifest(epoch: number, pages: readonly string[] = ['a']): Manifest {
  return {
    format: 1,
    ...scope,
    window,
    epoch,
    pages: pages.map((key, i) => ({
      slot: i + 1,
      key,
      sha256: sha,
      bytes: 1,
      records: 1,
      span: { start: 0, end: 1 },
      shape: [32],
      minTime: null,
      maxTime: null,
    })),
    totals: { ...noTotals(), asked: 1, pages: pages.length, records: pages.length },
    gaps: [],
    shape: [32],
    committedAt: noon,
  };
}

describe('manifests', () => {
  it('come back as they were written, from the generation that they name', async () => {
    const store = memoryStore();
    const { key } = await writeManifest(store, manifest(3));
    expect(key).toBe(manifestKey(generation(3)));
    expect(await readManifest(store, key)).toEqual(manifest(3));
  });

  it('have one shape in memory for all pages that look alike, whatever their number', async () => {
    const store = memoryStore();
    const written = manifest(1, ['a', 'b', 'c']);
    const pages = written.pages.map((page) => (page.key === 'b' ? { ...page, shape: [33] as typeof page.shape } : page));
    const { key } = await writeManifest(store, { ...written, pages });
    const [a, b, c] = (await readManifest(store, key)).pages.map(({ shape }) => shape);
    expect(c).toBe(a);
    expect([a, b]).toEqual([[32], [33]]);
  });

  it('are adopted where one stands with the same pages, and stay as they are', async () => {
    const store = memoryStore();
    await writeManifest(store, manifest(1));
    const again = { ...manifest(1), committedAt: noon + 5, totals: { ...manifest(1).totals, asked: 9 } };
    expect((await writeManifest(store, again)).manifest).toEqual(manifest(1));
  });

  it('are never written over another list of pages', async () => {
    const store = memoryStore();
    const { key } = await writeManifest(store, manifest(1, ['a', 'b']));
    await expect(writeManifest(store, manifest(1, ['a', 'c']))).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(key),
    });
    expect((await readManifest(store, key)).pages.map((page) => page.key)).toEqual(['a', 'b']);
  });

  it('that are missing or of another format are named', async () => {
    const store = memoryStore();
    const key = manifestKey(generation(1));
    await expect(readManifest(store, key)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await store.create(key, Buffer.from('{"format": 9}'));
    await expect(readManifest(store, key)).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining('format 9') });
  });
});
