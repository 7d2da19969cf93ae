import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { TidemarkError } from '../../src/errors.ts';
import { createHttpClient } from '../../src/fetch/client.ts';
import type { FetchedWindow } from '../../src/fetch/window.ts';
import { readHead } from '../../src/manifest/state.ts';
import type { Reply } from '../support/misbehaving-server.ts';
import { type Bench, benchFor, honestly, idsOfRows, rows } from './fixture.ts';

const ROWS = rows(35);

/** The second request goes wrong, all others do not. */
const wrongOnce = (reply: Reply, told: () => void = () => undefined): Promise<Bench> =>
  benchFor((request) => {
    if (request.count !== 2) return { body: honestly(ROWS, request) };
    told();
    return { body: honestly(ROWS, request), ...reply };
  });

/** Deadlines that pass when the test says so: a busy machine is late with good answers too. */
function deadlines(): { readonly clock: Clock; readonly pass: () => void } {
  let pass = (): void => undefined;
  const sleep = (_: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      pass = resolve;
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  return { clock: { ...systemClock, sleep }, pass: () => pass() };
}

const failure = async (bench: Bench): Promise<TidemarkError> => {
  try {
    await bench.run();
  } catch (error) {
    return error as TidemarkError;
  }
  throw new Error('nothing failed');
};

const HTML = { headers: { 'content-type': 'text/html' }, body: '<!doctype html><h1>We will be back soon</h1>' };

describe('R9, R21: one bad answer is retried, and nothing is missing or double:', () => {
  const cases: [string, Reply, Partial<Record<'retried' | 'refused', number>>][] = [
    ['429', { status: 429 }, { retried: 1, refused: 0 }],
    ['503', { status: 503 }, { retried: 1 }],
    ['504 after the partner did the work', { status: 504 }, { retried: 1 }],
    ['408', { status: 408 }, { retried: 1 }],
    ['a reset before the body', { fault: 'reset' }, { retried: 1 }],
    ['a reset in the middle of the body', { fault: 'reset-in-body' }, { retried: 1 }],
    ['a body cut against its stated length', { fault: 'truncated' }, { retried: 1, refused: 1 }],
    ['an HTML page with status 200', HTML, { retried: 1, refused: 1 }],
    ['an empty body with status 200', { body: '' }, { retried: 1, refused: 1 }],
    ['204 without a body', { status: 204, body: '' }, { retried: 1, refused: 1 }],
    ['JSON that breaks off with a matching length', { body: '{"data":[{"event_id":"e1","upda' }, { retried: 1, refused: 1 }],
    ['JSON of another shape', { body: { error: 'temporarily confused' } }, { retried: 1, refused: 1 }],
    ['an answer without has_more', { body: { data: [] } }, { retried: 1, refused: 1 }],
    ['has_more without a cursor', { body: { data: [], has_more: true, next_cursor: null } }, { retried: 1, refused: 1 }],
    ['bytes that are not gzip though they say so', { headers: { 'content-encoding': 'gzip' } }, { retried: 1, refused: 1 }],
  ];

  test.each(cases)('%s', async (_, reply, totals) => {
    const bench = await wrongOnce(reply);
    await expectAll(bench, await bench.run(), totals);
  });

  test.each(['stall', 'stall-in-body'] as const)('%s', async (fault) => {
    const { clock, pass } = deadlines();
    // Half of a body has the time to arrive; should it come later, the deadline ends the exchange all the same.
    const bench = await wrongOnce({ fault }, () => setTimeout(pass, 20));
    const http = createHttpClient(clock);
    await expectAll(bench, await bench.run({ effects: { exchange: http.exchange } }), { retried: 1 });
    await http.close();
  });

  async function expectAll(bench: Bench, fetched: FetchedWindow, totals: object): Promise<void> {
    expect(await bench.idsOf(fetched)).toEqual(idsOfRows(ROWS));
    expect(fetched.manifest.totals).toMatchObject({ asked: 5, pages: 4, records: 35, ...totals });
    expect(fetched.manifest.gaps).toEqual([]);
  }
});

describe('Retry-After is a floor of the wait', () => {
  test('in seconds', async () => {
    const bench = await wrongOnce({ status: 429, headers: { 'retry-after': '40' } });
    await bench.run();
    expect(Math.max(...bench.clock.slept)).toBeGreaterThanOrEqual(40_000);
  });

  test('as an HTTP date, by the clock of the partner', async () => {
    const headers = { date: 'Mon, 01 Jan 2001 11:00:00 GMT', 'retry-after': 'Mon, 01 Jan 2001 11:02:00 GMT' };
    const bench = await wrongOnce({ status: 503, headers });
    await bench.run();
    expect(Math.max(...bench.clock.slept)).toBeGreaterThanOrEqual(119_000);
  });
});

describe('a source that will never answer ends the run at once', () => {
  test.each([401, 403])('%i names the secret reference, not the secret', async (status) => {
    const token = { reference: 'env:PARTNER_KEY', reveal: () => 'very-secret' };
    const bench = await benchFor(() => ({ status, body: {} }), { auth: { kind: 'bearer', token } });
    const error = await failure(bench);
    expect(error).toMatchObject({ code: 'SOURCE_REFUSED', transient: false });
    expect(error.hint).toContain('env:PARTNER_KEY');
    expect(JSON.stringify([error.message, error.hint, error.data])).not.toContain('very-secret');
    expect(bench.server.requests).toHaveLength(1);
    expect(bench.server.requests[0]?.headers.authorization).toBe('Bearer very-secret');
  });

  test('an unknown endpoint', async () => {
    const bench = await benchFor(() => ({ status: 404 }));
    expect(await failure(bench)).toMatchObject({ code: 'SOURCE_REFUSED' });
  });

  test('a redirect is not followed, and the error says where it led', async () => {
    const bench = await benchFor(() => ({ status: 302, headers: { location: 'https://elsewhere.example/events?key=1' } }));
    expect((await failure(bench)).hint).toContain('https://elsewhere.example/events:');
    expect(bench.server.requests).toHaveLength(1);
  });

  test('a next URL that leaves the origin is not followed: the credentials would leak', async () => {
    const body = { data: ROWS.slice(0, 10), next: 'https://elsewhere.example/events?page=2' };
    const bench = await benchFor(() => ({ body }), { pagination: { kind: 'next-url', next: ['next'], more: null } });
    expect(await failure(bench)).toMatchObject({
      code: 'SOURCE_REFUSED',
      message: expect.stringContaining('https://elsewhere.example') as string,
    });
  });
});

describe('a source that answers nothing', () => {
  test('but 503 is unavailable: the window stays open with what landed, and the next run goes on behind it (R20)', async () => {
    let down = true;
    const bench = await benchFor((request) => (down && request.count > 2 ? { status: 503 } : { body: honestly(ROWS, request) }));
    expect(await failure(bench)).toMatchObject({ code: 'SOURCE_UNAVAILABLE', transient: true });
    expect((await readHead(bench.store, 'payments'))?.head).toMatchObject({ watermark: null, open: [{ kind: 'poll' }], pending: [] });
    down = false;
    const before = bench.server.requests.length;
    const fetched = await bench.run();
    expect(await bench.idsOf(fetched)).toEqual(idsOfRows(ROWS));
    expect(bench.server.requests.length - before).toBe(2);
  });

  test('because nobody listens is unavailable', async () => {
    const bench = await benchFor(() => ({}));
    await bench.server.close();
    expect(await failure(bench)).toMatchObject({ code: 'SOURCE_UNAVAILABLE', transient: true });
  });

  test('but HTML is not the configured source: the hint names content type and first bytes', async () => {
    const bench = await benchFor(() => HTML);
    const error = await failure(bench);
    expect(error).toMatchObject({ code: 'SOURCE_SHAPE', transient: false });
    expect(error.hint).toContain('text/html');
    expect(error.hint).toContain('<!doctype html>');
    expect(bench.server.requests).toHaveLength(3 + 3 + 1);
  });

  test('R14: is asked a bounded number of times', async () => {
    const bench = await benchFor(() => ({ status: 500 }), { attempts: 6 });
    await failure(bench);
    expect(bench.server.requests).toHaveLength(6 + 6 + 1);
  });
});
