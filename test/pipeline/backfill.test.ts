import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { isProved } from '../../src/demo/proof.ts';
import { readHead } from '../../src/manifest/state.ts';
import { formatInstant, HOUR } from '../../src/time.ts';
import { said } from '../support/tidemark.ts';
import { dyingAt } from '../system/dying.ts';
import { NOW, openWorld, type TestWorld } from '../system/world.ts';

const RANGE = ['--stream', 'payments', '--from', formatInstant(NOW - 30 * HOUR), '--to', formatInstant(NOW - 6 * HOUR)] as const;
const BACKFILL = ['backfill', ...RANGE, '--json'] as const;

interface Answer {
  readonly pull: number;
  readonly chains: number;
  readonly chainsDone: number;
  readonly requestsLeft: number | null;
  readonly finishedAt: string | null;
  readonly changes: readonly { readonly day: string; readonly inserted: number; readonly updated: number }[];
  readonly totals: { readonly asked: number; readonly pages: number };
}
const answerOf = (ended: { readonly stdout: string }): Answer => JSON.parse(ended.stdout) as Answer;

let world: TestWorld | null = null;
afterEach(async () => {
  await world?.close();
  world = null;
});

test('R4, R20: a killed backfill goes on where it stopped, moves no watermark, says what changed by day, and live runs find its rows', async () => {
  world = await openWorld({ seed: 41, pageSize: 40, partner: { faults: 'none' } });
  const first = await world.run(NOW, [...BACKFILL, '--plan']);
  expect(first.code, said(first)).toBe(0);
  expect(answerOf(first)).toMatchObject({ pull: 1, chainsDone: 0, requestsLeft: null, changes: [] });
  expect(world.partner.stats().requests.payments.list, 'a plan asks nothing').toBe(0);

  const killed = await world.run(NOW, [...BACKFILL, '--parallel', '2'], dyingAt('after 25 receipt\\.json'));
  expect(killed.signal, said(killed)).toBe('SIGKILL');
  const asked = world.partner.stats().requests.payments.list;
  const rest = await world.run(NOW, [...BACKFILL, '--parallel', '2']);
  expect(rest.code, said(rest)).toBe(0);
  const report = answerOf(rest);
  expect(report).toMatchObject({ pull: 1, chainsDone: report.chains, requestsLeft: 0 });
  let landed = 0;
  for await (const { key } of world.store.list('raw/')) if (key.endsWith('.json.zst')) landed += 1;
  // One request of each chain may have been under way when it was killed.
  expect(world.partner.stats().requests.payments.list - landed, 'nothing is asked twice without need').toBeLessThanOrEqual(2);
  expect(asked).toBeGreaterThanOrEqual(25);
  expect(rest.notes).toMatch(/of \d+ chains done, \d+ requests; about \d+ requests left/);

  const inserted = report.changes.reduce((sum, day) => sum + day.inserted, 0);
  await world.withWarehouse(async (warehouse) => {
    expect(await warehouse.watermark('payments')).toBeNull();
    const [row] = await warehouse.query('SELECT count(*) AS rows_in_all FROM payments');
    expect(row?.['rows_in_all']).toBe(inserted);
    expect(inserted).toBeGreaterThan(500);
  });
  expect(report.changes.map(({ day }) => day)).toEqual(['2026-11-19', '2026-11-20']);
  expect(await readHead(world.store, 'payments'), 'the live head is not touched').toBeNull();

  const live = await world.run(NOW, ['run', '--once']);
  expect(live.code, said(live)).toBe(0);
  for (const [stream, proof] of Object.entries(await world.prove()))
    expect(isProved(proof), `${stream} ${JSON.stringify(proof)}`).toBe(true);

  const again = await world.run(NOW, BACKFILL);
  expect(again.code, said(again)).toBe(0);
  expect(answerOf(again)).toMatchObject({ pull: 2 });
  expect(
    answerOf(again).changes.every((day) => day.inserted + day.updated === 0),
    'it brought nothing new',
  ).toBe(true);
  expect(answerOf(await world.run(NOW, [...BACKFILL, '--plan']))).toMatchObject({ pull: 2, finishedAt: expect.any(String) });
});

test('R18: what a backfill landed before it died is no finding, and status and verify say what goes on with it', async () => {
  world = await openWorld({ seed: 45, pageSize: 40, partner: { faults: 'none', start: NOW - 30 * HOUR } });
  const killed = await world.run(NOW, [...BACKFILL, '--parallel', '1'], dyingAt('after 1 batch\\.json'));
  expect(killed.signal, said(killed)).toBe('SIGKILL');
  const goOn = `tidemark backfill ${RANGE.join(' ')}`;
  const verified = await world.run(NOW, ['verify', '--stream', 'payments', '--json']);
  expect(JSON.parse(verified.stdout), said(verified)).toMatchObject([{ findings: [], raw: { pendingWindows: 1 }, next: [goOn] }]);
  const stands = await world.run(NOW, ['status', '--stream', 'payments']);
  expect(stands.stdout).toMatch(/backfill +2026-11-\d\d .* not finished/);
  expect(stands.stdout.replaceAll(/\s+/g, ' ')).toContain(goOn);
  expect((await world.run(NOW, BACKFILL)).code).toBe(0);
  expect((await world.run(NOW, ['status', '--stream', 'payments'])).stdout).not.toContain('not finished');
});

test('R1, R3, R4: beside a backfill a live run gets through, and the partner sees no more requests than the key allows', async () => {
  const limit = 240;
  world = await openWorld({ seed: 43, pageSize: 40, partner: { faults: 'none', requestsPerMinute: limit } });
  const text = await readFile(world.config, 'utf8');
  await writeFile(
    world.config,
    text.replaceAll('requestsPerMinute: 60000', `requestsPerMinute: ${limit}`).replaceAll('start: 50h', 'start: 30m'),
  );
  const begun = Promise.withResolvers<void>();
  const backfill = world.start(NOW, BACKFILL, { watch: ({ msg }) => (msg === 'window begun' ? begun.resolve() : undefined) });
  await Promise.race([begun.promise, backfill.ended]);
  const live = await world.run(NOW, ['run', '--once', '--stream', 'payments']);
  expect(live.code, said(live)).toBe(0);
  expect((await readHead(world.store, 'payments'))?.head.watermark).toBeGreaterThanOrEqual(NOW);
  const ended = await backfill.ended;
  expect(ended.code, said(ended)).toBe(0);
  expect(world.partner.stats().overLimit).toBe(0);
  expect(world.partner.stats().statuses['429'] ?? 0).toBe(0);
});

test('wrong ranges and numbers are refused with what is allowed', async () => {
  world = await openWorld({ seed: 1, partner: { faults: 'none' } });
  const refused = async (...given: string[]): Promise<string> => {
    const ended = await (world as TestWorld).run(NOW, ['backfill', '--stream', 'payments', ...given]);
    expect(ended.code, said(ended)).toBe(2);
    return ended.notes;
  };
  expect(await refused('--from', '2026-11-20T10:00:00Z', '--to', '2026-11-20T10:30:00Z')).toMatch(/from 1 hour to 30 days/);
  expect(await refused('--from', '2026-10-01', '--to', '2026-11-02')).toMatch(/from 1 hour to 30 days/);
  expect(await refused('--from', '2026-11-20', '--to', '2026-11-21')).toMatch(/lies in the future/);
  expect(await refused('--from', '2026-11-18', '--to', '2026-11-19', '--parallel', '0')).toMatch(/from 1 to 16/);
});
