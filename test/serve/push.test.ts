import { createHmac, hash } from 'node:crypto';
import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { TidemarkError } from '../../src/errors.ts';
import { listDeadLetters } from '../../src/fetch/dead-letter.ts';
import { rawScope } from '../../src/landing/scope.ts';
import { landedSlots } from '../../src/manifest/landed.ts';
import { readManifest } from '../../src/manifest/manifests.ts';
import { pushWindows } from '../../src/manifest/pushes.ts';
import { readHead } from '../../src/manifest/state.ts';
import { signed } from '../../src/partner/pusher.ts';
import { readBody } from '../../src/store/compress.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { MINUTE, SECOND } from '../../src/time.ts';
import { NEXT_SECRET, NOW, parsed, record, SECRET, secret, startTestServer, type TestServer } from './support.ts';

const headOf = async ({ store, stream }: TestServer) => (await readHead(store, stream.name))?.head;

/** Everything that landed, window by window. */
async function landed({ store, stream }: Pick<TestServer, 'store' | 'stream'>) {
  const head = (await readHead(store, stream.name))?.head;
  const windows = [...pushWindows(head ?? {}).open.map(({ window }) => window), ...(head?.pending ?? []).map(({ window }) => window)];
  const slots = await Promise.all(windows.map((window) => landedSlots(store, rawScope(stream), window)));
  return slots.flat().flatMap(({ answers }) => answers);
}

const bodies = async (server: Pick<TestServer, 'store' | 'stream'>): Promise<string[]> =>
  Promise.all((await landed(server)).map(async ({ key }) => String(await readBody(server.store, key))));

describe('R26: a push is acknowledged once it is durable, byte for byte', () => {
  test('a record lands with its index and its receipt, which names the delivery', async () => {
    const server = await startTestServer({ deliveryHeader: 'x-delivery-id' });
    const body = `${record('a')}\n`;
    const answer = await server.send(body, { headers: { 'x-delivery-id': 'd-1' } });
    expect([answer.status, parsed(answer)]).toEqual([200, { status: 'landed', records: 1 }]);
    expect(await bodies(server)).toEqual([body]);
    const [{ receipt } = { receipt: null }] = await landed(server);
    expect(receipt).toMatchObject({
      verdict: 'full',
      records: 1,
      sha256: hash('sha256', body),
      requestId: 'd-1',
      minTime: NOW - 9 * SECOND,
      deliveries: [{ id: 'd-1', sha256: hash('sha256', body), bytes: body.length, records: 1, receivedAt: NOW }],
    });
    expect(receipt?.index?.fields).toEqual(['event_id', 'updated_at', 'event_version']);
  });

  test.for([
    ['an array', ['$'], `[${record('a')},\n ${record('b')}]`, 2],
    ['an array in a field', ['data'], `{"id": 7, "data": [${record('a')}, ${record('b')}], "more": null}`, 2],
    ['a record a line', 'ndjson', `${record('a')}\n${record('b')}\r\n${record('c')}`, 3],
    ['an array of none', ['$'], '[]', 0],
  ] as const)('a body is %s', async ([, form, body, records]) => {
    const server = await startTestServer({ body: form === 'ndjson' ? form : form[0] === '$' ? [] : form });
    const answer = await server.send(body);
    expect([answer.status, parsed(answer)]).toEqual([200, { status: 'landed', records }]);
    expect(await bodies(server)).toEqual(records === 0 ? [] : [body]);
  });

  test('its window is committed when its time is over, and waits to be normalized, with no word about how far the stream is complete', async () => {
    const server = await startTestServer();
    await server.send(record('a'));
    await server.send(record('b'));
    expect((await headOf(server))?.pending).toEqual([]);
    server.time.now = NOW + MINUTE;
    await server.send(record('c'));
    const head = await headOf(server);
    expect(head).toMatchObject({ watermark: null, since: null, open: [], holder: null });
    expect(head?.pending.map(({ window, batches }) => ({ ...window, batches }))).toEqual([
      { kind: 'push', start: NOW - 10 * SECOND, end: NOW + 50 * SECOND, batches: null },
    ]);
    const manifest = await readManifest(server.store, head?.pending[0]?.manifest ?? '');
    expect(manifest.totals).toMatchObject({ asked: 2, pages: 2, records: 2 });
    await server.server.close();
    expect((await headOf(server))?.pending).toHaveLength(2);
    expect(pushWindows((await headOf(server)) ?? {}).open).toEqual([]);
  });

  test('pushes that come while a page is being landed make the next page together, each record as it came', async () => {
    const { store, open } = gatedStore();
    const server = await startTestServer({ body: [] }, store);
    const sent = ['a', 'b', 'c', 'd'].map((id) => server.send(`[ ${record(id)} ,\n${record(`${id}2`)} ]`));
    await expect.poll(() => server.server.doors[0]?.listener.counts.waiting).toBe(4);
    open();
    expect((await Promise.all(sent)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const [first, rest] = await landed(server);
    expect(first?.receipt?.deliveries).toHaveLength(1);
    expect(rest?.receipt?.deliveries).toHaveLength(3);
    expect(rest?.receipt?.records).toBe(6);
    const lines = String(await readBody(server.store, rest?.key ?? ''))
      .trim()
      .split('\n');
    expect(lines.toSorted()).toEqual(expect.arrayContaining([expect.stringMatching(/^\{"event_id": "[a-d]2?", .*\}$/)]));
    expect(new Set(lines).size).toBe(6);
  });

  test('nothing is acknowledged that the store does not have: 503, and the same push lands once it can', async () => {
    let broken = true;
    const store = onPages(memoryStore(), async () => {
      if (broken) throw new TidemarkError({ code: 'STORE', message: 'the store is away', transient: true });
    });
    const server = await startTestServer({}, store);
    const refused = await server.send(record('a'));
    expect([refused.status, parsed(refused).error?.code, refused.headers['retry-after']]).toEqual([503, 'unavailable', '5']);
    expect(JSON.parse((await get(`${server.url}/healthz`)).body)).toMatchObject({ status: 'failing' });
    broken = false;
    expect((await server.send(record('a'))).status).toBe(200);
    expect(await bodies(server)).toEqual([record('a')]);
  });
});

describe('R26: only what the partner has signed is taken', () => {
  const headers = async (server: TestServer, given: Record<string, string>, body = record('a')) => {
    const answer = await sendRaw(`${server.url}/payments`, body, given);
    return [answer.status, parsed(answer).error?.code];
  };

  test('no signature, one of other bytes, and one of another secret are refused, and nothing lands', async () => {
    const server = await startTestServer();
    const seconds = Math.floor(NOW / SECOND);
    expect(await headers(server, {})).toEqual([401, 'signature_missing']);
    expect(await headers(server, signed(SECRET, Buffer.from(`${record('a')} `), seconds))).toEqual([401, 'signature_wrong']);
    expect(await headers(server, signed('guess', Buffer.from(record('a')), seconds))).toEqual([401, 'signature_wrong']);
    const good = signed(SECRET, Buffer.from(record('a')), seconds)['x-signature'] ?? '';
    expect(await headers(server, { 'x-signature': good.replace(/^t=\d+/, `t=${seconds + 1}`) })).toEqual([401, 'signature_wrong']);
    expect(await headers(server, { 'x-signature': good.slice(0, -2) })).toEqual([401, 'signature_wrong']);
    expect(await headers(server, { 'x-signature': good.replace(/^t=\d+,/, '') })).toEqual([401, 'timestamp_missing']);
    expect(await headers(server, { 'x-signature': `${good},v1=00` })).toEqual([200, undefined]);
    expect(await bodies(server)).toHaveLength(1);
  });

  test('a good signature that is too old, or from the future, is refused', async () => {
    const server = await startTestServer();
    for (const at of [NOW - 5 * MINUTE - SECOND, NOW + 5 * MINUTE + SECOND]) {
      const answer = await server.send(record('a'), { at });
      expect([answer.status, parsed(answer).error?.code]).toEqual([401, 'timestamp_outside']);
    }
    for (const at of [NOW - 4 * MINUTE, NOW + 4 * MINUTE]) expect((await server.send(record('a'), { at })).status).toBe(200);
  });

  test('a push that is sent again is acknowledged and lands once: by its signature, or by its delivery id', async () => {
    const plain = await startTestServer();
    const once = await plain.send(record('a'));
    const again = await plain.send(record('a'));
    expect([parsed(once).status, parsed(again).status]).toEqual(['landed', 'known']);
    expect(await bodies(plain)).toHaveLength(1);

    const named = await startTestServer({ deliveryHeader: 'x-delivery-id' });
    const first = await named.send(record('a'), { headers: { 'x-delivery-id': 'd-1' } });
    const later = await named.send(record('a'), { headers: { 'x-delivery-id': 'd-1' }, at: NOW + SECOND });
    const other = await named.send(record('a'), { headers: { 'x-delivery-id': 'd-2' } });
    expect([first, later, other].map((answer) => parsed(answer).status)).toEqual(['landed', 'known', 'landed']);
    expect(await bodies(named)).toHaveLength(2);
  });

  test('two secrets count while one takes the place of the other', async () => {
    const server = await startTestServer({ secrets: [secret(SECRET), secret(NEXT_SECRET)] });
    expect((await server.send(record('a'))).status).toBe(200);
    expect((await server.send(record('b'), { secret: NEXT_SECRET })).status).toBe(200);
    expect((await server.send(record('c'), { secret: 'neither' })).status).toBe(401);
  });

  test('the time of sending may stand in a header of its own, the signature in base64, over an id as well', async () => {
    const signature = {
      header: 'webhook-signature',
      timestampHeader: 'webhook-timestamp',
      encoding: 'base64',
      signed: '{id}.{timestamp}.{body}',
    } as const;
    const server = await startTestServer({ signature, deliveryHeader: 'webhook-id' });
    const seconds = String(Math.floor(NOW / SECOND));
    const v1 = createHmac('sha256', SECRET)
      .update(`msg_1.${seconds}.${record('a')}`)
      .digest('base64');
    const given = { 'webhook-id': 'msg_1', 'webhook-timestamp': seconds, 'webhook-signature': `v1,${v1}` };
    expect(await headers(server, { ...given, 'webhook-id': 'msg_2' })).toEqual([401, 'signature_wrong']);
    expect(await headers(server, { ...given, 'webhook-timestamp': `${Number(seconds) + 1}` })).toEqual([401, 'signature_wrong']);
    expect(await headers(server, given)).toEqual([200, undefined]);
  });
});

describe('R26: what cannot be taken is told clearly', () => {
  test('what is signed and is not JSON is refused, and kept as a dead letter with its bytes', async () => {
    const server = await startTestServer();
    const body = Buffer.concat([Buffer.from('{"event_id": "a", '), Buffer.from([0xff, 0x00])]);
    const answer = await server.send(body);
    expect([answer.status, parsed(answer).error?.code]).toEqual([400, 'not_readable']);
    expect((await server.send(body, { at: NOW + SECOND })).status).toBe(400);
    expect((await server.send('no JSON either', { secret: 'a stranger' })).status).toBe(401);
    const letters = await listDeadLetters(server.store, 'payments');
    expect(letters.map(({ letter }) => letter.id)).toEqual([parsed(answer).error?.deadLetter]);
    expect(Buffer.from(letters[0]?.letter.body ?? '', 'base64').equals(body)).toBe(true);
    expect(await bodies(server)).toEqual([]);
  });

  test.for([
    ['a list where a record is expected', 'record', `[${record('a')}]`],
    ['two records where one is', 'record', record('a') + record('b')],
    ['a body without the list', ['data'], record('a')],
  ] as const)('%s', async ([, body, text]) => {
    const server = await startTestServer({ body });
    expect((await server.send(text)).status).toBe(400);
  });

  test('413 for what is too large, whether or not it says how large it is, and nobody waits for the rest of it', async () => {
    const server = await startTestServer();
    const large = `{"event_id": "${'x'.repeat(20_000)}"}`;
    const told = await server.send(large);
    expect([told.status, parsed(told).error?.code]).toEqual([413, 'too_large']);
    const chunked = await sendRaw(`${server.url}/payments`, large, { 'transfer-encoding': 'chunked' });
    expect(chunked.status).toBe(413);
    expect((await server.send(record('a'))).status).toBe(200);
  });

  test('415, 405 and 404', async () => {
    const server = await startTestServer();
    expect((await server.send('a=b', { headers: { 'content-type': 'application/x-www-form-urlencoded' } })).status).toBe(415);
    expect((await server.send(record('a'), { headers: { 'content-encoding': 'gzip' } })).status).toBe(415);
    expect((await server.send(record('a'), { headers: { 'content-type': 'application/vnd.partner+json; charset=utf-8' } })).status).toBe(
      200,
    );
    const asked = await get(`${server.url}/payments`);
    expect([asked.status, asked.headers['allow']]).toEqual([405, 'POST']);
    expect((await server.send(record('a'), { path: '/elsewhere' })).status).toBe(404);
  });

  test('/healthz says that it lives, and what came', async () => {
    const server = await startTestServer();
    await server.send(record('a'));
    await server.send(record('a'));
    await server.send(record('a'), { secret: 'wrong' });
    const answer = await get(`${server.url}/healthz`);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({
      status: 'ok',
      streams: { payments: { deliveries: 1, records: 1, pages: 1, known: 1, waiting: 0, refused: { signature_wrong: 1 } } },
    });
  });
});

/** A store that does something before it takes a page. */
const onPages = (store: ObjectStore, before: () => Promise<void>): ObjectStore => ({
  ...store,
  create: async (key, body) => {
    if (key.includes('/page-')) await before();
    return store.create(key, body);
  },
});

/** A store whose pages wait until it is opened. */
function gatedStore(): { store: ObjectStore; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { store: onPages(memoryStore(), () => promise), open: resolve };
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

const get = (url: string): Promise<Answer> => sendRaw(url, null, {});

/** Without the headers that a pusher would add. */
function sendRaw(url: string, body: string | null, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: body === null ? 'GET' : 'POST', headers: { 'content-type': 'application/json', ...headers } });
    sent.once('error', reject);
    sent.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    if (body !== null) sent.write(body);
    sent.end();
  });
}
