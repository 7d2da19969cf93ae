import { describe, expect, test } from 'vitest';
import { CIRCUIT, createCircuit, mostProbes } from '../../src/fetch/circuit.ts';
import { showDeadLetter } from '../../src/fetch/dead-letter.ts';
import { culpritOf, repairByLookup, unasked } from '../../src/fetch/letter-lookup.ts';
import { type LookupKey, lookupUrl } from '../../src/fetch/lookup.ts';
import { type Lookups, lookUp } from '../../src/fetch/lookups.ts';
import type { Receipt } from '../../src/manifest/documents.ts';
import { readReceipt } from '../../src/manifest/receipts.ts';
import { readHead } from '../../src/manifest/state.ts';
import { readBody } from '../../src/store/compress.ts';
import { receiptKey } from '../../src/store/keys.ts';
import type { Source } from '../../src/stream.ts';
import type { ReceivedRequest, Reply } from '../support/misbehaving-server.ts';
import { type Bench, benchFor, dyingStore, honestly, idsOfRows, rows, WINDOW } from './fixture.ts';

const ROWS = rows(35);

const idOf = ({ url }: ReceivedRequest): string | null => {
  const [, root, id] = url.pathname.split('/');
  return root === 'event' ? decodeURIComponent(id ?? '') : null;
};

/** An honest list, and a lookup that the test decides. */
async function withLookup(lookup: (id: string, request: ReceivedRequest) => Reply, overrides: Partial<Source> = {}): Promise<Bench> {
  const bench = await benchFor((request) => {
    const id = idOf(request);
    return id === null ? { body: honestly(ROWS, request) } : lookup(id, request);
  }, overrides);
  return {
    ...bench,
    stream: { ...bench.stream, source: { ...bench.stream.source, lookup: `${bench.server.url}/event/{event_id}?full=1` } },
  };
}

const record = (id: string): object => ROWS.find(({ event_id }) => event_id === id) ?? { error: 'no such event' };
const page = (id: string): Reply => ({ body: { data: [record(id)], has_more: false, next_cursor: null } });

async function lookUpIn(bench: Bench, keys: readonly LookupKey[], store = bench.store): Promise<Lookups> {
  const lease = await bench.lease();
  try {
    return await lookUp({ ...bench.effects, store }, bench.stream, lease, keys);
  } finally {
    await lease.release();
  }
}

const receiptsOf = async (bench: Bench, { lookedUp }: Lookups): Promise<(Receipt | null)[]> =>
  Promise.all(lookedUp.map(({ page: key }) => readReceipt(bench.store, receiptKey(key ?? ''))));

describe('R1: a record that is looked up', () => {
  test.each([
    ['in the shape of a page', page],
    ['as the record itself, over several lines', (id: string): Reply => ({ body: JSON.stringify(record(id), null, 2) })],
  ])('%s lands like a page, with a receipt, in a window of its own that moves no watermark', async (_, answer) => {
    const bench = await withLookup(answer);
    const done = await lookUpIn(bench, [['e3'], ['e9']]);
    expect(done.lookedUp).toMatchObject([
      { key: ['e3'], outcome: 'found', records: 1 },
      { key: ['e9'], outcome: 'found', records: 1 },
    ]);
    const [receipt] = await receiptsOf(bench, done);
    expect(receipt).toMatchObject({
      status: 200,
      key: ['e3'],
      records: 1,
      window: { kind: 'lookup' },
      url: expect.stringMatching(/\/event\/e3\?full=1$/),
    });
    expect(done.fetched?.manifest.pages.map(({ records }) => records)).toEqual([1, 1]);
    const head = (await readHead(bench.store, 'payments'))?.head;
    expect(head).toMatchObject({ watermark: null, open: [], pending: [{ manifest: done.fetched?.key, window: { kind: 'lookup' } }] });
  });

  test('that is not there is an answer as well: its bytes land with status 404 and no records', async () => {
    const bench = await withLookup(() => ({ status: 404, body: { error: 'no such event' } }));
    const done = await lookUpIn(bench, [['e99']]);
    expect(done.lookedUp).toMatchObject([{ outcome: 'missing', records: 0 }]);
    expect(bench.server.requests).toHaveLength(1);
    expect(await receiptsOf(bench, done)).toMatchObject([{ status: 404, records: 0, key: ['e99'] }]);
    expect((await readBody(bench.store, done.lookedUp[0]?.page ?? ''))?.toString()).toBe('{"error":"no such event"}');
  });

  test.each([
    ['503', { status: 503 }],
    ['HTML with status 200', { body: '<h1>soon</h1>', headers: { 'content-type': 'text/html' } }],
    ['another record', page('e1')],
    ['a reset', { fault: 'reset' as const }],
  ])('is asked again after %s, within the attempts of pages', async (_, wrong) => {
    const bench = await withLookup((id, { count }) => (count === 1 ? wrong : page(id)));
    expect((await lookUpIn(bench, [['e3']])).lookedUp).toMatchObject([{ outcome: 'found' }]);
    const failing = await withLookup(() => wrong);
    expect((await lookUpIn(failing, [['e3']])).lookedUp).toMatchObject([{ outcome: 'failed', page: null }]);
    expect(failing.server.requests).toHaveLength(3);
  });

  test('R14: waits while the source answers nobody, with single probes, and uses up none of its attempts', async () => {
    const away = 40 * 60_000;
    const bench: Bench = await benchFor((request) => {
      if (bench.clock.monotonicMs() - began < away) return { status: 503 };
      const id = idOf(request);
      return id === null ? { body: honestly(ROWS, request) } : page(id);
    });
    const began = bench.clock.monotonicMs();
    const patient = { ...CIRCUIT, patienceMs: 4 * 3_600_000 };
    Object.assign(bench.stream.source, { lookup: `${bench.server.url}/event/{event_id}`, circuit: patient });
    const circuit = createCircuit('http://partner', { ...CIRCUIT, failures: 2 }, bench.effects);
    const done = await lookUpIn({ ...bench, effects: { ...bench.effects, circuit } }, [['e3'], ['e9']]);
    expect(done.lookedUp).toMatchObject([{ outcome: 'found' }, { outcome: 'found' }]);
    expect(bench.server.requests.length).toBeLessThanOrEqual(2 + mostProbes(away, CIRCUIT) + 1 + 2);
  });

  test('R14: comes back no sooner than a partner that limits asks for', async () => {
    const bench = await withLookup((id, { count }) => (count === 1 ? { status: 429, headers: { 'retry-after': '90' } } : page(id)));
    const began = bench.clock.monotonicMs();
    expect((await lookUpIn(bench, [['e3']])).lookedUp).toMatchObject([{ outcome: 'found' }]);
    expect(bench.clock.monotonicMs() - began).toBeGreaterThanOrEqual(90_000);
  });

  test('whose key is refused ends the asking; what landed before is committed by the next run', async () => {
    const bench = await withLookup((id) => (id === 'e9' ? { status: 401 } : page(id)));
    await expect(lookUpIn(bench, [['e3'], ['e9']])).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
    const [open] = (await readHead(bench.store, 'payments'))?.head.open ?? [];
    expect(open).toMatchObject({ kind: 'lookup' });
    const fetched = await bench.run({ window: open ?? WINDOW });
    expect(await bench.idsOf(fetched)).toEqual(['e3']);
    expect((await readHead(bench.store, 'payments'))?.head.open).toEqual([]);
  });

  test('R20: is not lost where the process dies before it is committed', async () => {
    const bench = await withLookup(page);
    await expect(lookUpIn(bench, [['e3']], dyingStore(bench.store, /manifest/))).rejects.toThrow('died');
    const [open] = (await readHead(bench.store, 'payments'))?.head.open ?? [];
    const fetched = await bench.run({ window: open ?? WINDOW });
    expect(await bench.idsOf(fetched)).toEqual(['e3']);
  });

  test('is named as a URL needs it', async () => {
    const bench = await withLookup(page);
    expect(lookupUrl(bench.stream, ['a/b c?&{x}'])).toMatch(/\/event\/a%2Fb%20c%3F%26%7Bx%7D\?full=1$/);
    expect(lookupUrl(bench.stream, [null])).toBeNull();
  });
});

describe('R21: a page that could not be had', () => {
  const poisoned = async (named: unknown = 'e17'): Promise<Bench> => {
    const bench = await benchFor(
      (request) => {
        const id = idOf(request);
        if (id !== null) return id === 'e98' ? { status: 404 } : page(id);
        const answer = honestly(ROWS, request);
        return answer.data.some(({ event_id }) => event_id === 'e17')
          ? { status: 500, body: { error: { record: named } } }
          : { body: answer };
      },
      { culprit: ['error', 'record'] },
    );
    return { ...bench, stream: { ...bench.stream, source: { ...bench.stream.source, lookup: `${bench.server.url}/event/{event_id}` } } };
  };
  const repair = async (bench: Bench, id: string, keys: readonly LookupKey[] = [], complete: string | null = null) => {
    const lease = await bench.lease();
    try {
      return await repairByLookup(bench.effects, bench.stream, lease, id, { keys, by: 'somebody', complete });
    } finally {
      await lease.release();
    }
  };

  test.each([['e17'], [['e17']], [{ event_id: 'e17', other: 1 }]])('names its culprit as configured: %j', async (named) => {
    const bench = await poisoned(named);
    const [gap] = (await bench.run()).manifest.gaps;
    const entry = await showDeadLetter(bench.store, 'payments', gap?.deadLetter ?? '');
    expect(unasked(bench.stream, entry)).toEqual([['e17']]);
  });

  test.each([[null], [[]], [['e17', 'prod']], [{}], [''], [1.5]])('names nobody by %j', async (named) => {
    const { stream } = await poisoned();
    const body = Buffer.from(JSON.stringify({ error: { record: named } })).toString('base64');
    const key = culpritOf(stream, { body } as Parameters<typeof culpritOf>[1]);
    expect(key === null || lookupUrl(stream, key) === null).toBe(true);
  });

  test('R18: is repaired record by record, by whom its letter says; it stays open, since nobody knows whether that was all', async () => {
    const bench = await poisoned();
    const [gap] = (await bench.run()).manifest.gaps;
    const id = gap?.deadLetter ?? '';
    const done = await repair(bench, id, [['e98']]);
    expect(done).toMatchObject({
      outcome: 'open',
      lookedUp: [
        { key: ['e98'], outcome: 'missing' },
        { key: ['e17'], outcome: 'found' },
      ],
    });
    expect(
      done.fetched && (await bench.idsOf({ manifest: { ...done.fetched.manifest, pages: done.fetched.manifest.pages.slice(1) } })),
    ).toEqual(['e17']);
    const entry = await showDeadLetter(bench.store, 'payments', id);
    expect(entry).toMatchObject({
      resolution: null,
      lookups: [{ by: 'somebody', lookedUp: [{ outcome: 'missing' }, { outcome: 'found' }] }],
    });
    expect(unasked(bench.stream, entry), 'nobody asks for it again').toEqual([]);
  });

  test('R18: is closed where somebody vouches for it, in his name', async () => {
    const bench = await poisoned();
    const [gap] = (await bench.run()).manifest.gaps;
    const id = gap?.deadLetter ?? '';
    expect(await repair(bench, id, [], 'ticket 4711')).toMatchObject({ outcome: 'resolved' });
    const { resolution } = await showDeadLetter(bench.store, 'payments', id);
    expect(resolution).toMatchObject({ by: 'somebody', reason: '1 record looked up one by one, said to be all: ticket 4711' });
    expect(await repair(bench, id)).toMatchObject({ outcome: 'already', lookedUp: [] });
  });

  test('R18: is not closed while a record that was asked for has no answer', async () => {
    const bench = await withLookup((id) => (id === 'e3' ? { status: 500 } : page(id)));
    const letters = await poisoned();
    const [gap] = (await letters.run()).manifest.gaps;
    const lookup = `${bench.server.url}/event/{event_id}`;
    const broken = { ...letters, stream: { ...letters.stream, source: { ...letters.stream.source, lookup } } };
    await expect(repair(broken, gap?.deadLetter ?? '', [['e3']], 'all of them')).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
    expect(await showDeadLetter(letters.store, 'payments', gap?.deadLetter ?? '')).toMatchObject({ resolution: null });
  });

  test('R18: a sweep over the gap asks for the whole of it, whatever was looked up', async () => {
    const bench = await poisoned();
    const [gap] = (await bench.run()).manifest.gaps;
    await repair(bench, gap?.deadLetter ?? '');
    const swept = await bench.run({ window: { kind: 'sweep', start: WINDOW.start, end: WINDOW.end + 60_000_000 } });
    expect(swept.resolved).toEqual([]);
    expect(new Set(await bench.idsOf(swept))).toEqual(new Set(idsOfRows(ROWS.filter(({ event_id }) => event_id !== 'e17'))));
  });
});
