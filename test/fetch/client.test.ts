import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { TidemarkError } from '../../src/errors.ts';
import { createHttpClient, type ExchangeLimits, type HttpAnswer } from '../../src/fetch/client.ts';
import { type MisbehavingServer, type Reply, startMisbehavingServer } from '../support/misbehaving-server.ts';
import { virtualClock } from './fixture.ts';

const TEXT = 'exactly these bytes '.repeat(50);
const http = createHttpClient(systemClock);
let server: MisbehavingServer | undefined;
afterEach(async () => server?.close());

async function get(reply: Reply, limits: Partial<ExchangeLimits> = {}, client = http): Promise<HttpAnswer> {
  server = await startMisbehavingServer(() => reply);
  return client.exchange({ url: `${server.url}/events?key=secret`, headers: {} }, { timeoutMs: 10_000, ...limits });
}

async function failing(answer: Promise<unknown>): Promise<TidemarkError> {
  return answer.then(
    () => Promise.reject(new Error('it answered')),
    (error: TidemarkError) => error,
  );
}

describe('content codings are undone', () => {
  const codings: [string, (text: string) => Buffer][] = [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
    ['identity', (text) => Buffer.from(text)],
    ['gzip, zstd', (text) => zstdCompressSync(gzipSync(text))],
  ];
  test.each(codings)('%s', async (coding, encode) => {
    const answer = await get({ body: encode(TEXT), headers: { 'content-encoding': coding } });
    expect(answer.body.toString()).toBe(TEXT);
  });

  test('an unknown one is refused', async () => {
    expect(await failing(get({ body: TEXT, headers: { 'content-encoding': 'rot13' } }))).toMatchObject({ code: 'SOURCE_SHAPE' });
  });
});

test('status, lower-case headers and the partner’s request id come back with the body', async () => {
  const answer = await get({ status: 418, body: TEXT, headers: { 'X-Request-Id': 'abc' } });
  expect(answer).toMatchObject({ status: 418, requestId: 'abc', headers: { 'x-request-id': 'abc' } });
});

describe('a body beyond the limit is refused', () => {
  test('on the wire', async () => {
    expect(await failing(get({ body: TEXT }, { bodyLimitBytes: 100 }))).toMatchObject({
      code: 'SOURCE_SHAPE',
      message: expect.stringContaining('100 bytes') as string,
    });
  });

  test('unfolded: a bomb does not take the memory', async () => {
    const bomb = gzipSync(Buffer.alloc(1_000_000));
    expect(await failing(get({ body: bomb, headers: { 'content-encoding': 'gzip' } }, { bodyLimitBytes: 10_000 }))).toMatchObject({
      code: 'SOURCE_SHAPE',
    });
  });
});

describe('a broken exchange is transient', () => {
  const faults: [NonNullable<Reply['fault']>, string][] = [
    ['reset', 'truncated'],
    ['reset-in-body', 'truncated'],
    ['truncated', 'truncated'],
  ];
  test.each(faults)('%s', async (fault, failure) => {
    expect(await failing(get({ body: TEXT, fault }))).toMatchObject({ code: 'SOURCE_UNAVAILABLE', transient: true, data: { failure } });
  });

  test.each(['stall', 'stall-in-body'] as const)('%s: the deadline of the injected clock ends it', async (fault) => {
    // On a virtual clock any wait is over at once, so nothing but the deadline can have ended this.
    const client = createHttpClient(virtualClock());
    const error = await failing(get({ body: TEXT, fault }, { timeoutMs: 3_600_000 }, client));
    await client.close();
    expect(error).toMatchObject({ code: 'SOURCE_UNAVAILABLE', transient: true, data: { failure: 'stall' } });
  });

  test('a refused connection', async () => {
    server = await startMisbehavingServer(() => ({}));
    const { url } = server;
    await server.close();
    expect(await failing(http.exchange({ url, headers: {} }, { timeoutMs: 10_000 }))).toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      transient: true,
    });
  });
});

describe('what no retry can mend is terminal', () => {
  test('TLS against a server that does not speak it', async () => {
    server = await startMisbehavingServer(() => ({}));
    const url = server.url.replace('http:', 'https:');
    expect(await failing(http.exchange({ url, headers: {} }, { timeoutMs: 10_000 }))).toMatchObject({
      code: 'SOURCE_REFUSED',
      transient: false,
    });
  });

  test('a URL that is none', async () => {
    expect(await failing(http.exchange({ url: 'http://', headers: {} }, { timeoutMs: 10_000 }))).toMatchObject({ code: 'SOURCE_REFUSED' });
  });
});

test('errors never carry the URL’s query: it may hold the key', async () => {
  const error = await failing(get({ fault: 'reset' }));
  expect(JSON.stringify([error.message, error.hint, error.data])).not.toContain('secret');
});

test('the caller’s signal ends an exchange with its own reason', async () => {
  const controller = new AbortController();
  server = await startMisbehavingServer(() => {
    controller.abort(new Error('stopping'));
    return { fault: 'stall' };
  });
  await expect(http.exchange({ url: server.url, headers: {} }, { timeoutMs: 10_000, signal: controller.signal })).rejects.toThrow(
    'stopping',
  );
});
