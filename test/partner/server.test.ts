import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FAULT_PROFILES } from '../../src/partner/faults.ts';
import { worldOptions } from '../../src/partner/options.ts';
import type { TruthItem } from '../../src/partner/truth.ts';
import { DAY, formatInstant, HOUR, MINUTE } from '../../src/time.ts';
import { type Envelope, get, getPage, greatest, parsePage, sha256, walk, withPartner } from './client.ts';

const { start, end } = worldOptions();
const SMALL = { payments: { recordsPerSecond: 0.02 }, settlements: { recordsPerSecond: 0.02 }, faults: 'none', gzipShare: 0 } as const;
const STREAMS = [
  ['payments', '/events'],
  ['settlements', '/settlements'],
] as const;

describe('the pages', () => {
  it('hold exactly the truth, each record once, whatever the seed, the page size and the time', async () => {
    const property = fc.asyncProperty(
      fc.integer(),
      fc.integer({ min: 20, max: 5000 }),
      fc.integer({ min: 0, max: 100 }),
      fc.constantFrom(...STREAMS),
      async (seed, size, hours, [stream, path]) => {
        const since = start + 20 * HOUR;
        await withPartner({ ...SMALL, seed, now: start + hours * HOUR, requestsPerMinute: 100_000 }, async (partner) => {
          const texts = await walk(partner, path, size, formatInstant(since));
          const truth = partner.truth(stream, { since, refused: 'include' });
          expect(greatest(texts)).toEqual(new Map([...truth].map((item) => [item.key.join(), item.body])));
          expect(new Set(texts).size).toBe(texts.length);
          expect(texts.length).toBe(truth.totals.observations + truth.totals.refusedObservations);
        });
      },
    );
    await fc.assert(property, { numRuns: 12 });
  });

  it('are sorted by updated_at, begin with updated_since itself, and end with has_more false and no cursor', async () => {
    await withPartner(SMALL, async (partner) => {
      const all = await walk(partner, '/events', 500);
      const times = all.map((text) => (JSON.parse(text) as { updated_at: string }).updated_at);
      expect(times).toEqual(times.toSorted());
      const middle = times[1234] ?? '';
      const page = await getPage(partner, `/events?updated_since=${middle}&page_size=10`);
      expect(page.data[0]?.['updated_at']).toBe(middle);
      expect(page).toMatchObject({ has_more: true, next_cursor: expect.any(String) });
      const last = await getPage(partner, `/events?updated_since=${times.at(-1)}`);
      expect(last).toMatchObject({ has_more: false, next_cursor: null });
    });
  });

  it('R1: hold at most 5,000 records; a larger page_size is refused', async () => {
    await withPartner({ ...SMALL, payments: { recordsPerSecond: 0.1 } }, async (partner) => {
      expect((await getPage(partner, '/events?page_size=5000')).data).toHaveLength(5000);
      for (const size of ['5001', '0', '-1', 'many', '']) expect((await get(partner, `/events?page_size=${size}`)).status).toBe(400);
    });
  });

  it('R8: show late and out-of-order records on later polls only, older versions after newer ones', async () => {
    await withPartner({ ...SMALL, now: start + DAY, late: { share: 0.05 } }, async (partner) => {
      const window = (texts: string[]): string[] =>
        texts.filter((text) => (JSON.parse(text) as { updated_at: string }).updated_at < '2026-11-02');
      const onTime = window(await walk(partner, '/events', 5000));
      partner.setNow(start + DAY + 2 * HOUR);
      const outOfOrder = window(await walk(partner, '/events', 5000));
      partner.setNow(start + 3 * DAY);
      const late = window(await walk(partner, '/events', 5000));
      expect(outOfOrder.length).toBeGreaterThan(onTime.length);
      expect(late.length).toBeGreaterThan(outOfOrder.length);
      expect(new Set(late).isSupersetOf(new Set(onTime))).toBe(true);
      const known = greatest(onTime);
      const added = greatest(late.filter((text) => !onTime.includes(text)));
      const older = [...added].filter(([key, text]) => known.has(key) && greatest([text, known.get(key) ?? '']).get(key) !== text);
      expect(older.length).toBeGreaterThan(0);
    });
  });
});

describe('a cursor', () => {
  it('answers 410 in another world and once it has expired, 400 when it is none', async () => {
    const cursor = await withPartner(SMALL, async (partner) => (await getPage(partner, '/events?page_size=10')).next_cursor);
    await withPartner(SMALL, async (partner) => {
      expect((await get(partner, `/events?cursor=${cursor}`)).status).toBe(200);
      expect((await get(partner, `/settlements?cursor=${cursor}`)).status).toBe(410);
      expect((await get(partner, '/events?cursor=nonsense')).status).toBe(400);
      partner.setNow(end + DAY + 1);
      expect((await get(partner, `/events?cursor=${cursor}`)).status).toBe(410);
    });
    await withPartner({ ...SMALL, seed: 2 }, async (partner) => expect((await get(partner, `/events?cursor=${cursor}`)).status).toBe(410));
  });
});

describe('the lookup', () => {
  it('answers the latest visible version of an id, in one environment or in all, and 404 for any other id', async () => {
    await withPartner({ ...SMALL, sandboxShare: 0.5 }, async (partner) => {
      const items = [...partner.truth('payments')].slice(0, 40);
      for (const { key, body } of items) {
        const reply = await get(partner, `/events/${key[1]}?environment=${key[0]}`);
        expect(reply.body.toString()).toBe(`{"data":[${body}],"next_cursor":null,"has_more":false}`);
      }
      const counts = await Promise.all(items.map(async ({ key }) => (await getPage(partner, `/events/${key[1]}`)).data.length));
      expect(new Set(counts)).toEqual(new Set([1, 2]));
      const settlement = [...partner.truth('settlements')][7];
      expect((await getPage(partner, `/settlements/${settlement?.key[0]}`)).data).toEqual([JSON.parse(settlement?.body ?? '')]);
      const id = items[0]?.key[1] ?? '';
      const missing = ['evt_', 'evt_x', `${id.slice(0, -1)}${id.endsWith('0') ? 1 : 0}`, settlement?.key[0]].map(
        (each) => `/events/${each}`,
      );
      for (const path of [...missing, `/events/${id}?environment=moon`, '/nothing', '/events/a/b'])
        expect((await get(partner, path)).status).toBe(404);
    });
  });
});

describe('the server', () => {
  it('answers the same bytes as another of the same seed to the same requests, faults included', async () => {
    const faults = { ...FAULT_PROFILES.brutal, mostStalls: 0 };
    const settings = { ...SMALL, faults, gzipShare: 0.3 };
    const [first, second] = await Promise.all([withPartner(settings, outcomes), withPartner(settings, outcomes)]);
    expect(first).toEqual(second);
    expect(new Set(first).size).toBeGreaterThan(20);
    expect(await withPartner({ ...settings, seed: 9 }, outcomes)).not.toEqual(first);
  });

  async function outcomes(partner: Parameters<typeof get>[0]): Promise<string[]> {
    const seen: string[] = [];
    let query = 'page_size=50';
    for (let i = 0; i < 60; i += 1) {
      const reply = await get(partner, `/events?${query}`, { 'accept-encoding': 'gzip' }).catch((error: NodeJS.ErrnoException) => error);
      if (reply instanceof Error) {
        seen.push(reply.code ?? reply.message);
        continue;
      }
      const { 'content-encoding': encoding, 'x-request-id': id } = reply.headers;
      seen.push(JSON.stringify([reply.status, encoding, id, sha256(reply.body)]));
      const body = encoding === 'gzip' ? gunzipSync(reply.body) : reply.body;
      const cursor = /"next_cursor":"([^"]+)"/.exec(body.toString())?.[1];
      if (cursor !== undefined) query = `page_size=50&cursor=${cursor}`;
    }
    return seen;
  }

  it('answers 401 without a known key', async () => {
    await withPartner(SMALL, async (partner) => {
      for (const authorization of ['', 'Bearer wrong', 'Basic partner-key']) {
        const reply = await get(partner, '/events', { authorization });
        expect([reply.status, JSON.parse(reply.body.toString())]).toMatchObject([401, { error: { code: 'unauthorized' } }]);
      }
    });
  });

  it('R1: answers so many requests of a key within any minute and no more, each key for itself, and says when to come back', async () => {
    let ms = 0;
    const clock = { now: () => end + ms * 1000, monotonicMs: () => ms, sleep: () => Promise.resolve() };
    await withPartner({ ...SMALL, requestsPerMinute: 5, keys: ['one', 'two'], clock }, async (partner) => {
      const ask = (key = 'one') => get(partner, '/events?page_size=1', { authorization: `Bearer ${key}` });
      for (let i = 0; i < 5; i += 1) {
        expect((await ask()).status).toBe(200);
        ms += 1000;
      }
      const waits: string[] = [];
      for (let i = 0; i < 12; i += 1) {
        const reply = await ask();
        expect(reply.status).toBe(429);
        waits.push(String(reply.headers['retry-after']));
      }
      const inSeconds = '55';
      const asDate = new Date((end + 60 * 1e6) / 1000).toUTCString();
      expect(new Set(waits)).toEqual(new Set([inSeconds, asDate]));
      expect((await ask('two')).status).toBe(200);
      ms = 60_000;
      expect([(await ask()).status, (await ask()).status]).toEqual([200, 429]);
      expect(partner.stats().overLimit).toBe(13);
      const minute = new Date(end / 1000).toISOString();
      expect(partner.stats().requestsPerMinute['one']?.[minute]).toBe(17);
    });
  });

  it('compresses a share of its answers for clients that accept gzip, and the content is the same', async () => {
    const paths = Array.from({ length: 20 }, (_, i) => `/events?page_size=${i + 100}`);
    await withPartner({ ...SMALL, gzipShare: 0.5 }, async (partner) => {
      let compressed = 0;
      for (const path of paths) {
        const plain = await get(partner, path);
        const reply = await get(partner, path, { 'accept-encoding': 'gzip, br' });
        expect(plain.headers['content-encoding']).toBeUndefined();
        const zipped = reply.headers['content-encoding'] === 'gzip';
        compressed += zipped ? 1 : 0;
        expect((zipped ? gunzipSync(reply.body) : reply.body).equals(plain.body)).toBe(true);
      }
      expect(compressed).toBeGreaterThan(3);
      expect(compressed).toBeLessThan(17);
    });
  });

  it('lets the clock be set, the truth be read and the statistics be seen, without a key and without faults', async () => {
    await withPartner({ ...SMALL, faults: 'brutal' }, async (partner) => {
      const posted = await post(`${partner.url}/_partner/clock`, '{"now": "2026-11-02T00:00:00Z"}');
      expect(posted).toEqual({ now: '2026-11-02T00:00:00Z' });
      expect(formatInstant(partner.now())).toBe('2026-11-02T00:00:00Z');
      const lines = async (query: string): Promise<unknown[]> =>
        (await get(partner, `/_partner/truth/settlements${query}`)).body
          .toString()
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown);
      const expected = partner.truth('settlements');
      expect((await lines('')).slice(0, -1)).toEqual([...expected]);
      expect((await lines('')).at(-1)).toEqual({ totals: expected.totals });
      const [first] = (await lines('?now=2026-11-03T00:00:00Z&since=2026-11-02T12:00:00Z')) as TruthItem[];
      expect((first?.version[0] ?? '') >= '2026-11-02T12').toBe(true);
      await get(partner, '/settlements/none').catch(() => null);
      const stats = JSON.parse((await get(partner, '/_partner/stats')).body.toString()) as { requests: unknown };
      expect(stats.requests).toEqual({ payments: { list: 0, lookup: 0 }, settlements: { list: 0, lookup: 1 } });
    });
  });

  it('advances its clock at its pace', async () => {
    let ms = 0;
    const clock = { now: () => 0, monotonicMs: () => ms, sleep: () => Promise.resolve() };
    await withPartner({ ...SMALL, now: start, pace: 60, clock }, async (partner) => {
      ms = 1000;
      expect(partner.now()).toBe(start + MINUTE);
      partner.setNow(start + HOUR);
      ms = 3000;
      expect(partner.now()).toBe(start + HOUR + 2 * MINUTE);
    });
  });

  async function post(url: string, body: string): Promise<unknown> {
    const { request } = await import('undici');
    const reply = await request(url, { method: 'POST', body });
    return reply.body.json();
  }
});

describe('a poisoned record', () => {
  const at = start + DAY;
  const around = `updated_since=${formatInstant(at - HOUR)}`;

  it('makes every page fail that holds it, except smaller ones', async () => {
    await withPartner({ ...SMALL, poison: [{ stream: 'payments', at, largestPage: 20 }] }, async (partner) => {
      const big = `/events?${around}&page_size=500`;
      for (let i = 0; i < 3; i += 1) expect((await get(partner, big)).status).toBe(500);
      expect(partner.stats().faults).toEqual({ poison: 3 });
      const small = await walk(partner, '/events', 20, formatInstant(at - HOUR));
      const truth = partner.truth('payments', { since: at - HOUR });
      expect(greatest(small)).toEqual(new Map([...truth].map((item) => [item.key.join(), item.body])));
      expect(small.length).toBe(truth.totals.observations);
      expect((await get(partner, `/events?updated_since=${formatInstant(at + DAY)}&page_size=500`)).status).toBe(200);
    });
  });

  it('comes through the lookup alone where it is poisoned for every size, until it heals', async () => {
    const poison = [{ stream: 'payments', at, largestPage: 0, healsAt: end + DAY }] as const;
    await withPartner({ ...SMALL, poison }, async (partner) => {
      const failing = await firstFailure(partner);
      const { error } = JSON.parse(failing.body.toString()) as { error: { record: [string, string] } };
      const [environment, id] = error.record;
      expect((await getPage(partner, `/events/${id}?environment=${environment}`)).data[0]).toMatchObject({ event_id: id, environment });
      partner.setNow(end + DAY);
      expect((await walk(partner, '/events', 100, formatInstant(at - HOUR))).some((text) => text.includes(id))).toBe(true);
    });
  });

  /** Page by page, one record each, until one answers 500. */
  async function firstFailure(partner: Parameters<typeof get>[0]): Promise<Awaited<ReturnType<typeof get>>> {
    let query = around;
    for (;;) {
      const reply = await get(partner, `/events?page_size=1&${query}`);
      if (reply.status === 500) return reply;
      const page: Envelope = parsePage(reply);
      expect(page.has_more).toBe(true);
      query = `cursor=${page.next_cursor}`;
    }
  }
});
