import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { listDeadLetters } from '../../src/fetch/dead-letter.ts';
import { readHead } from '../../src/manifest/state.ts';
import { worldOptions } from '../../src/partner/options.ts';
import { type PushQuestion, recordsBetween, sendPush, signed } from '../../src/partner/pusher.ts';
import { createWorld } from '../../src/partner/world.ts';
import { HOUR, SECOND } from '../../src/time.ts';
import { type Running, said } from '../support/tidemark.ts';
import { expectExact } from './undisturbed.ts';
import { NOW, openWorld, type TestWorld } from './world.ts';

const SECRET = 'whsec-system';
const listen = (body: string): string => `    listen: { secrets: file:./webhook-secret, delivery: x-delivery-id, body: ${body} }`;

let world: TestWorld;
afterEach(() => world.close());

async function openListeningWorld(seed: number, body = 'ndjson'): Promise<TestWorld> {
  world = await openWorld({ seed, payments: listen(body), partner: { faults: 'none' } });
  await writeFile(join(world.folder, 'webhook-secret'), SECRET);
  return world;
}

interface Refusal {
  readonly error: { readonly code: string; readonly deadLetter: string };
}

interface Serving {
  readonly process: Running;
  readonly url: string;
}

/** A listener as a process of its own, once it listens. */
function serve(): Promise<Serving> {
  return new Promise((resolve, reject) => {
    const note = (text: string): void => {
      const [, url] = /payments at (http:\S+?)[,.]? /.exec(text) ?? [];
      if (url) resolve({ process, url });
    };
    const process = world.start(NOW, ['serve', '--port', '0'], { note });
    void process.ended.then((ended) => reject(new Error(`it ended without having listened\n${said(ended)}`)));
  });
}

async function endWell(serving: Serving): Promise<void> {
  serving.process.kill('SIGTERM');
  await hasEndedWell(serving);
}

async function hasEndedWell({ process }: Serving): Promise<void> {
  const ended = await process.ended;
  expect(ended.code, said(ended)).toBe(0);
}

/** Normalizes and loads what was pushed, and asks the partner nothing. */
async function loadWhatLanded(): Promise<void> {
  for (const stage of ['normalize', 'load']) {
    const ended = await world.run(NOW, [stage, '--stream', 'payments']);
    expect(ended.code, said(ended)).toBe(0);
  }
  expect(world.partner.stats().requests.payments.list).toBe(0);
}

const keyOf = (text: string): string => {
  const { environment, event_id: id } = JSON.parse(text) as { environment: string; event_id: string };
  return `${environment} ${id}`;
};

const keysInTable = (): Promise<string[]> =>
  world.withWarehouse(async (warehouse) =>
    (await warehouse.query("SELECT environment || ' ' || event_id AS key FROM payments ORDER BY 1")).map((row) => String(row['key'])),
  );

const question = (url: string, from: number, to: number): Omit<PushQuestion, 'nowSeconds'> => ({ from, to, size: 4, url, secret: SECRET });

describe('R26: a listener as a process', () => {
  test('is killed with SIGKILL after it has acknowledged: everything acknowledged is in the table, without a poll', async () => {
    await openListeningWorld(41);
    const first = await serve();
    const taken: string[] = [];
    const pushing = world.partner.push('payments', {
      ...question(first.url, NOW - 6 * HOUR, NOW),
      taken: ({ records }) => {
        taken.push(...records);
        if (taken.length === 60) first.process.kill('SIGKILL');
      },
    });
    await expect(pushing).rejects.toThrow(/was not taken/);
    expect((await first.process.ended).signal).toBe('SIGKILL');
    expect((await readHead(world.store, 'payments'))?.head).toMatchObject({ pending: [], pushes: { open: [{ closing: false }] } });

    const second = await serve();
    await endWell(second);
    expect((await readHead(world.store, 'payments'))?.head).toMatchObject({
      pushes: { open: [] },
      pending: [{ window: { kind: 'push' } }],
    });
    await loadWhatLanded();
    const keys = await keysInTable();
    expect(taken.length).toBeGreaterThanOrEqual(60);
    expect([...new Set(taken.map(keyOf))].filter((key) => !keys.includes(key))).toEqual([]);
  });

  test('that never comes back leaves its window to the next run', async () => {
    await openListeningWorld(42);
    const first = await serve();
    const { records } = await world.partner.push('payments', question(first.url, NOW - HOUR, NOW));
    first.process.kill('SIGKILL');
    await first.process.ended;
    await loadWhatLanded();
    expect(records).toBeGreaterThan(40);
    expect((await keysInTable()).length).toBeGreaterThan(20);
    expect((await readHead(world.store, 'payments'))?.head).toMatchObject({ watermark: null, pushes: { open: [] }, pending: [] });
  });

  test('that is ended while pushes come answers what it has taken, commits it, and exits with 0', async () => {
    await openListeningWorld(43);
    const serving = await serve();
    const source = createWorld(
      worldOptions({ seed: 43, start: NOW - 49 * HOUR, end: NOW, payments: { recordsPerSecond: 0.018 } }),
    ).payments;
    const records = recordsBetween(source, NOW - 6 * HOUR, NOW);
    const taken: string[] = [];
    const sent = records.slice(0, 120).map(async (text) => {
      const body = Buffer.from(text);
      const answer = await sendPush(serving.url, body, signed(SECRET, body, NOW / SECOND)).catch(() => null);
      if (answer?.status !== 200) return;
      taken.push(text);
      if (taken.length === 1) serving.process.kill('SIGTERM');
    });
    await Promise.all(sent);
    await hasEndedWell(serving);
    expect(taken.length).toBeGreaterThan(0);
    await loadWhatLanded();
    expect(await keysInTable()).toEqual([...new Set(taken.map(keyOf))].sort());
  });

  test('and polls agree: records that are pushed, polled, or both, while a run polls, make the table that is the truth', async () => {
    await openListeningWorld(44);
    const before = await world.run(NOW - HOUR, ['run', '--once']);
    expect(before.code, said(before)).toBe(0);
    const serving = await serve();
    const running = world.start(NOW, ['run', '--once']);
    const report = await world.partner.push('payments', { ...question(serving.url, NOW - 3 * HOUR, NOW), againEvery: 3 });
    const during = await running.ended;
    expect(during.code, said(during)).toBe(0);
    await endWell(serving);
    const after = await world.run(NOW, ['run', '--once', '--sweep']);
    expect(after.code, said(after)).toBe(0);
    await expectExact(world, 'polled and pushed');
    expect(report.records).toBeGreaterThan(100);
    const verified = await world.run(NOW, ['verify', '--json']);
    expect(verified.code, said(verified)).toBe(0);
    const [pushed] = await world.withWarehouse((warehouse) =>
      warehouse.query("SELECT count(*) AS batches FROM tidemark.ledger WHERE window_kind = 'push'"),
    );
    expect(Number(pushed?.['batches'])).toBeGreaterThan(0);
  });

  test('keeps what it cannot read: once the configuration says what it is, a retry brings it into the table; another is discarded', async () => {
    await openListeningWorld(46, '$.data');
    const serving = await serve();
    const records = recordsBetween(createWorld(worldOptions({ seed: 46 })).payments, 0, NOW).slice(0, 5);
    const send = async (body: Buffer) =>
      JSON.parse((await sendPush(serving.url, body, signed(SECRET, body, NOW / SECOND))).body) as Refusal;
    const lines = await send(Buffer.from(records.join('\n')));
    const broken = await send(Buffer.from('{"data": [{"event_id": "a", '));
    expect([lines.error.code, broken.error.code]).toEqual(['not_readable', 'not_readable']);
    await endWell(serving);

    const decide = (...given: string[]) => world.run(NOW, ['dead-letter', ...given, '--stream', 'payments']);
    const early = await decide('retry', lines.error.deadLetter);
    expect([early.code, early.notes]).toEqual([1, expect.stringContaining('still cannot be read')]);
    await writeFile(world.config, (await readFile(world.config, 'utf8')).replace('body: $.data', 'body: ndjson'));
    const retried = await decide('retry', lines.error.deadLetter);
    expect(retried.code, said(retried)).toBe(0);
    expect(await keysInTable()).toEqual([...new Set(records.map(keyOf))].sort());
    expect((await decide('retry', broken.error.deadLetter)).code).toBe(1);
    const discarded = await decide('discard', broken.error.deadLetter);
    expect(discarded.code, said(discarded)).toBe(0);
    expect(await listDeadLetters(world.store, 'payments')).toEqual([]);
  });

  test('is told what is wrong before it starts: no stream that listens, no secret, a port that is taken', async () => {
    await openListeningWorld(45);
    const nobody = await world.run(NOW, ['serve', '--stream', 'settlements']);
    expect([nobody.code, nobody.notes]).toEqual([2, expect.stringContaining('settlements: no stream listens')]);
    const { url, process } = await serve();
    const taken = await world.run(NOW, ['serve', '--port', new URL(url).port]);
    expect([taken.code, taken.notes]).toEqual([2, expect.stringContaining('the port is taken')]);
    await writeFile(join(world.folder, 'webhook-secret'), '');
    const secretless = await world.run(NOW, ['serve', '--port', '0']);
    expect([secretless.code, secretless.notes]).toEqual([
      2,
      expect.stringContaining('the secret file:./webhook-secret is missing or empty'),
    ]);
    await endWell({ url, process });
  });
});
