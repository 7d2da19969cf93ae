import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { FAULT_KINDS, FAULT_PROFILES, type FaultKind, type FaultProfile, faultFor } from '../../src/partner/faults.ts';
import type { PartnerSettings } from '../../src/partner/options.ts';
import type { Partner } from '../../src/partner/server.ts';
import { get, getPage, parsePage, withPartner } from './client.ts';

const SIZE = 100;
const FIRST = `/events?page_size=${SIZE}`;

/** Every identity meets this fault once. */
function always(kind: FaultKind, more: Partial<FaultProfile> = {}): PartnerSettings {
  const faults = { rates: { [kind]: 1 }, mostPerIdentity: 1, mostStalls: 1, expiredCursors: 0, ...more };
  return { payments: { recordsPerSecond: 0.02 }, settlements: { recordsPerSecond: 0.02 }, gzipShare: 0, faults };
}

/** Asks once with the fault, then again without it. */
async function pair(
  partner: Partner,
  path: string,
): Promise<{ faulty: Awaited<ReturnType<typeof get>>; good: Awaited<ReturnType<typeof get>> }> {
  return { faulty: await get(partner, path), good: await get(partner, path) };
}

/** The second page's path, and the page before it as it was served at last. */
async function secondPage(partner: Partner): Promise<{ path: string; before: Awaited<ReturnType<typeof get>> }> {
  await get(partner, FIRST);
  const before = await get(partner, FIRST);
  return { path: `${FIRST}&cursor=${parsePage(before).next_cursor}`, before };
}

describe('faultFor', () => {
  it('is a function of seed, identity and how often it was asked; it draws every kind and stops after a bounded number', () => {
    const profile = FAULT_PROFILES.brutal;
    const kinds = new Set<FaultKind>();
    let hits = 0;
    for (let i = 0; i < 5000; i += 1) {
      const fault = faultFor(1, profile, `/events?cursor=${i}`, i % 3);
      expect(faultFor(1, profile, `/events?cursor=${i}`, i % 3)).toEqual(fault);
      expect(faultFor(1, profile, `/events?cursor=${i}`, profile.mostPerIdentity)).toBeNull();
      if (fault) kinds.add(fault.kind);
      hits += fault ? 1 : 0;
    }
    expect(kinds).toEqual(new Set(FAULT_KINDS));
    const expected = Object.values(profile.rates).reduce((sum, rate) => sum + rate, 0) * 5000;
    expect(Math.abs(hits - expected)).toBeLessThan(expected * 0.1);
    expect(faultFor(1, FAULT_PROFILES.none, '/events', 0)).toBeNull();
  });
});

describe('R9, R21: over HTTP the partner really', () => {
  it.each([
    ['too-many-requests', 429],
    ['unavailable', 503],
    ['gateway-timeout', 504],
    ['late-gateway-timeout', 504],
  ] as const)('answers %s with %i, and the page when asked again', async (kind, status) => {
    await withPartner(always(kind), async (partner) => {
      const { faulty, good } = await pair(partner, FIRST);
      expect([faulty.status, good.status]).toEqual([status, 200]);
      expect(parsePage(good).data).toHaveLength(SIZE);
      expect(partner.stats().faults).toEqual({ [kind]: 1 });
    });
  });

  it('says when to come back in both forms, and with 503 sometimes not at all', async () => {
    for (const [kind, forms] of [
      ['too-many-requests', ['date', 'seconds']],
      ['unavailable', ['date', 'none', 'seconds']],
    ] as const) {
      await withPartner(always(kind), async (partner) => {
        const seen = new Set<string>();
        for (let size = 1; size <= 40; size += 1) {
          const wait = (await get(partner, `/events?page_size=${size}`)).headers['retry-after'];
          seen.add(
            wait === undefined
              ? 'none'
              : /^\d+$/.test(String(wait))
                ? 'seconds'
                : Number.isNaN(Date.parse(String(wait)))
                  ? 'nonsense'
                  : 'date',
          );
        }
        expect([...seen].sort()).toEqual(forms);
      });
    }
  });

  it('resets the connection before the headers', async () => {
    await withPartner(always('reset'), async (partner) => {
      await expect(get(partner, FIRST)).rejects.toMatchObject({ code: 'ECONNRESET' });
      expect((await get(partner, FIRST)).status).toBe(200);
    });
  });

  it('resets the connection in the middle of the body', async () => {
    await withPartner(always('reset-in-body'), async (partner) => {
      // The promised length is seen on the raw socket: the reset may overtake what was sent, never complete it.
      await expect(get(partner, FIRST)).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|HPE_INVALID/) });
      expect(partner.stats().faults).toEqual({ 'reset-in-body': 1 });
      expect(parsePage(await get(partner, FIRST)).data).toHaveLength(SIZE);
    });
  });

  it('cuts the JSON off in a complete HTTP message', async () => {
    await withPartner(always('truncated'), async (partner) => {
      const { faulty, good } = await pair(partner, FIRST);
      expect(faulty.status).toBe(200);
      expect(Number(faulty.headers['content-length'])).toBe(faulty.body.length);
      expect(faulty.body.length).toBeLessThan(good.body.length);
      expect(good.body.subarray(0, faulty.body.length).equals(faulty.body)).toBe(true);
    });
  });

  it('stalls: sends nothing until the client leaves, while others are answered, and only so often', async () => {
    await withPartner(always('stall'), async (partner) => {
      const socket = connect(partner.port, '127.0.0.1');
      let bytes = 0;
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      socket.write(`GET ${FIRST} HTTP/1.1\r\nhost: partner\r\nauthorization: Bearer partner-key\r\n\r\n`);
      while (partner.stats().faults.stall !== 1) await getPage(partner, '/_partner/stats');
      for (let size = 1; size < 5; size += 1) expect((await get(partner, `/events?page_size=${size}`)).status).toBe(200);
      expect(bytes).toBe(0);
      socket.destroy();
      expect(partner.stats().faults).toEqual({ stall: 1 });
    });
  });

  it('answers an HTML page with status 200', async () => {
    await withPartner(always('html'), async (partner) => {
      const { faulty } = await pair(partner, FIRST);
      expect([faulty.status, String(faulty.headers['content-type']).slice(0, 9)]).toEqual([200, 'text/html']);
      expect(faulty.body.toString()).toMatch(/^<!doctype html>/);
    });
  });

  it('answers nothing at all with status 200', async () => {
    await withPartner(always('empty'), async (partner) => {
      const { faulty, good } = await pair(partner, FIRST);
      expect([faulty.status, faulty.body.length]).toEqual([200, 0]);
      expect(parsePage(good).data).toHaveLength(SIZE);
    });
  });

  it('leaves records out of a page whose cursor goes on past them; asked again, the page is whole', async () => {
    await withPartner(always('short'), async (partner) => {
      const { faulty, good } = await pair(partner, FIRST);
      const short = parsePage(faulty);
      const whole = parsePage(good);
      expect(short.data.length).toBeLessThan(SIZE);
      expect(whole.data).toHaveLength(SIZE);
      expect(short.next_cursor).toBe(whole.next_cursor);
      expect(whole.data).toEqual(expect.arrayContaining(short.data));
    });
  });

  it('sends the very bytes of the previous page again, and then the right page', async () => {
    await withPartner(always('duplicate-bytes'), async (partner) => {
      const { path, before } = await secondPage(partner);
      const { faulty, good } = await pair(partner, path);
      expect(faulty.body.equals(before.body)).toBe(true);
      expect(parsePage(good).data[0]?.['updated_at']).not.toBe(parsePage(before).data[0]?.['updated_at']);
      expect(partner.stats().faults).toEqual({ 'duplicate-bytes': 1 });
    });
  });

  it('sends the records of the previous page under a fresh cursor that leads on to the page that was asked for', async () => {
    await withPartner(always('duplicate-records'), async (partner) => {
      const { path, before } = await secondPage(partner);
      const { faulty, good } = await pair(partner, path);
      const duplicate = parsePage(faulty);
      expect(duplicate.data).toEqual(parsePage(before).data);
      expect(path.endsWith(String(duplicate.next_cursor))).toBe(false);
      const onward = await get(partner, `${FIRST}&cursor=${duplicate.next_cursor}`);
      expect(parsePage(onward).data).toEqual(parsePage(good).data);
    });
  });

  it('repeats records within a page that is no longer than asked for, and loses none', async () => {
    await withPartner(always('repeat-within'), async (partner) => {
      const { faulty, good } = await pair(partner, FIRST);
      const repeated = parsePage(faulty);
      const distinct = new Set(repeated.data.map((record) => JSON.stringify(record)));
      expect(repeated.data).toHaveLength(SIZE);
      expect(distinct.size).toBeLessThan(SIZE);
      const onward = `${FIRST}&cursor=${repeated.next_cursor}`;
      await get(partner, onward);
      const next = await getPage(partner, onward);
      const seen = new Set([...distinct, ...next.data.map((record) => JSON.stringify(record))]);
      expect(parsePage(good).data.every((record) => seen.has(JSON.stringify(record)))).toBe(true);
    });
  });

  it('repeats the end of a page at the beginning of the next one', async () => {
    await withPartner(always('repeat-across'), async (partner) => {
      const { path, before } = await secondPage(partner);
      const { faulty, good } = await pair(partner, path);
      const records = parsePage(faulty).data;
      const repeats = records.findIndex((record) => JSON.stringify(record) === JSON.stringify(parsePage(good).data[0]));
      expect(repeats).toBeGreaterThan(0);
      expect(records.slice(0, repeats)).toEqual(parsePage(before).data.slice(-repeats));
      expect(records.slice(repeats)).toEqual(parsePage(good).data.slice(0, SIZE - repeats));
    });
  });

  it('lets a share of the cursors expire for good', async () => {
    await withPartner(always('short', { expiredCursors: 1 }), async (partner) => {
      const { path } = await secondPage(partner);
      expect([(await get(partner, path)).status, (await get(partner, path)).status]).toEqual([410, 410]);
      expect(partner.stats().faults['expired-cursor']).toBe(2);
    });
  });

  it('makes the kinds that are to be certain whatever the draws are, once each, where a request can carry them', async () => {
    const certain = ['duplicate-bytes', 'truncated', 'short', 'duplicate-records', 'late-gateway-timeout'] as const;
    await withPartner(always('html', { rates: {}, certain }), async (partner) => {
      let path = FIRST;
      for (let pages = 0; pages < 8; ) {
        const reply = await get(partner, path);
        const cursor = /"next_cursor":"([^"]+)"/.exec(reply.body.toString())?.[1];
        if (cursor === undefined) continue;
        path = `${FIRST}&cursor=${cursor}`;
        pages += 1;
      }
      expect(partner.stats().faults).toEqual(Object.fromEntries(certain.map((kind) => [kind, 1])));
    });
  });

  it('strikes lookups too, and lets bounded retries through', async () => {
    await withPartner(always('gateway-timeout', { mostPerIdentity: 3 }), async (partner) => {
      const path = `/events/${[...partner.truth('payments')][0]?.key[1]}`;
      const statuses: number[] = [];
      for (let i = 0; i < 5; i += 1) statuses.push((await get(partner, path)).status);
      expect(statuses).toEqual([504, 504, 504, 200, 200]);
    });
  });
});

describe('a raw reset', () => {
  it('promises the whole length and delivers less', async () => {
    await withPartner(always('reset-in-body'), async (partner) => {
      const socket = connect(partner.port, '127.0.0.1');
      socket.write(`GET ${FIRST} HTTP/1.1\r\nhost: partner\r\nauthorization: Bearer partner-key\r\n\r\n`);
      let received = '';
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString();
      });
      const error = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
        socket.on('error', resolve);
        socket.on('close', () => resolve(null));
      });
      expect(error?.code).toBe('ECONNRESET');
      const promised = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? Infinity);
      expect(Buffer.byteLength(received.split('\r\n\r\n')[1] ?? '')).toBeLessThan(promised);
    });
  });
});
