import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decideQuarantine } from '../../src/gate/quarantine.ts';
import { why } from '../../src/inspect/why.ts';
import type { WhyReport } from '../../src/inspect/why-report.ts';
import { formatWhy } from '../../src/inspect/why-text.ts';
import type { TruthItem } from '../../src/partner/truth.ts';
import { pagesOfPrefix, pagesOfRange, replay } from '../../src/pipeline/replay.ts';
import { openStore } from '../../src/store/open.ts';
import { HOUR } from '../../src/time.ts';
import { START, startWorld, type World } from './world.ts';

const NOW = START + 6 * HOUR;
let world: World;
beforeAll(async () => {
  world = await startWorld({ conflictShare: 0.1 });
  await world.run();
  world.setNow(NOW);
  await world.run();
});
afterAll(() => world.close());

type Name = 'payments' | 'settlements';
const ask = (key: readonly string[], name: Name = 'payments', of = world): Promise<WhyReport> =>
  of.inspect((inspection) => why(inspection, of.stream(name), key));
const truthOf = (name: Name, refused: 'include' | 'exclude' = 'exclude'): TruthItem[] => [...world.partner.truth(name, { refused })];
const onlyKey = (report: WhyReport) => {
  expect(report.keys).toHaveLength(1);
  return report.keys[0] as WhyReport['keys'][number];
};
const wonBy = (report: WhyReport) => {
  const winner = onlyKey(report).observations.find((observation) => observation.won);
  if (!winner) throw new Error('nothing won');
  return winner;
};

test('R13: the line from a row leads to the very bytes that the partner served, and each step of it is verified', async () => {
  for (const name of ['payments', 'settlements'] as const) {
    const items = truthOf(name).filter((item) => item.rivals.length === 0);
    for (const item of [items[0], items[Math.floor(items.length / 2)], items.at(-1)] as TruthItem[]) {
      const report = await ask(item.key, name);
      const key = onlyKey(report);
      expect(Object.values(key.key)).toEqual(item.key);
      expect(key).toMatchObject({ agrees: true, bytes: { text: item.body, cut: false } });
      const winner = wonBy(report);
      expect(winner).toMatchObject({ state: 'loaded', proof: { page: 'verified', record: 'verified', problem: null } });
      expect(winner.span && winner.span.end - winner.span.start).toBe(Buffer.byteLength(item.body));
      expect(key.curated).toEqual([
        expect.objectContaining({ page: winner.page, position: winner.position, contentHash: winner.contentHash }),
      ]);
    }
  }
});

test('R13: the answer names request, window, batch, load time and query of the landing that won', async () => {
  const [item] = truthOf('payments');
  const winner = wonBy(await ask(item?.key ?? []));
  expect(winner.landing).toMatchObject({ status: 200, attempts: 1, requestId: expect.stringMatching(/^req_/) });
  expect(winner.landing?.url).toContain(`${world.partner.url}/events?updated_since=`);
  const [batch] = winner.batches;
  const ledger = await world.query(`SELECT query_id, loaded_at FROM tidemark.ledger WHERE batch = '${batch?.batch}'`);
  expect(ledger).toHaveLength(1);
  expect(batch).toMatchObject({ queryId: ledger[0]?.['query_id'], state: 'loaded', window: { kind: 'poll' } });
});

test('R13: every landed copy is listed once, the greatest first, and says why it lost', async () => {
  const updated = truthOf('payments').filter((item) => Number(item.version[1]) > 8)[0];
  const { observations } = onlyKey(await ask(updated?.key ?? []));
  expect(new Set(observations.map(({ page, position }) => `${page} ${position}`)).size).toBe(observations.length);
  const versions = observations.map(({ version }) => `${version['updated_at']} ${version['event_version']?.padStart(3, '0')}`);
  expect(versions.map((version) => version.replace(/(:\d\d)Z/, '$1.000000Z'))).toEqual(
    versions.map((version) => version.replace(/(:\d\d)Z/, '$1.000000Z')).toSorted((a, b) => (a < b ? 1 : -1)),
  );
  const losers = observations.filter((observation) => !observation.won);
  expect(losers.length).toBeGreaterThan(0);
  for (const { reason } of losers) expect(reason).toMatch(/^(smaller (updated_at|event_version)|the same content, landed again)$/);
});

test('R7, R13: of two contents with one version the greater content hash wins, and the answer says so', async () => {
  const conflict = truthOf('payments').find((item) => item.rivals.length > 0);
  const report = await ask(conflict?.key ?? []);
  const winner = wonBy(report);
  expect(winner.reason).toContain('greater content hash');
  const rival = onlyKey(report).observations.find(({ reason }) => reason === 'same version, smaller content hash');
  expect(rival?.version).toEqual(winner.version);
  expect(winner.contentHash > (rival?.contentHash ?? '')).toBe(true);
  expect([conflict?.body, ...(conflict?.rivals ?? [])]).toContain(onlyKey(report).bytes?.text);
});

test('R6: an id alone finds it in every environment, and environment/id in one', async () => {
  const items = truthOf('payments');
  const id = items.find((item) => items.some((other) => other.key[1] === item.key[1] && other.key[0] !== item.key[0]))?.key[1] ?? '';
  expect((await ask([id])).keys.map((key) => key.key['environment'])).toEqual(['prod', 'sandbox']);
  expect(onlyKey(await ask([`sandbox/${id}`])).key).toEqual({ environment: 'sandbox', event_id: id });
  expect(onlyKey(await ask(['prod', id])).key).toEqual({ environment: 'prod', event_id: id });
});

test('what nobody ever saw is told as such, with what to look at', async () => {
  await expect(ask(['evt_never'])).rejects.toMatchObject({ code: 'NOT_FOUND', hint: expect.stringContaining('upper and lower case') });
  await expect(ask(['a', 'b', 'c'])).rejects.toMatchObject({ code: 'CONFIG', message: expect.stringContaining('(environment, event_id)') });
});

test('R13: altered, damaged and missing pages are told from verified ones', async () => {
  const [item] = truthOf('settlements');
  const key = item?.key ?? [];
  const { page } = wonBy(await ask(key, 'settlements'));

  const altered = world.copy();
  await altered.overwrite(page, item?.body.replace('PENDING', 'PAID') ?? '');
  const differs = wonBy(await ask(key, 'settlements', altered));
  expect(differs.proof).toMatchObject({ page: 'differs', record: 'unknown', problem: expect.stringContaining('its receipt says') });

  const damaged = world.copy();
  writeFileSync(damaged.pathOf(page), Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3]));
  expect(wonBy(await ask(key, 'settlements', damaged)).proof).toMatchObject({ page: 'unreadable', record: 'unknown' });

  const missing = world.copy();
  rmSync(missing.pathOf(page));
  const report = await ask(key, 'settlements', missing);
  expect(wonBy(report).proof).toMatchObject({ page: 'missing', record: 'unknown' });
  expect(formatWhy(report)).toContain('missing');
});

test('R23: a refused record is shown with its rule, and with the decision once there is one', async () => {
  const refused = truthOf('settlements', 'include').find((item) => item.refused === 'currency not allowed');
  const key = refused?.key ?? [];
  const before = onlyKey(await ask(key, 'settlements'));
  expect(before).toMatchObject({ agrees: true, curated: [], observations: [], verdict: expect.stringContaining('quarantine') });
  expect(before.quarantined[0]).toMatchObject({ state: 'open', rule: 'currency: in USD, CAD, MXN', value: expect.stringContaining('XXX') });

  const decided = world.copy();
  for (const { id } of before.quarantined) {
    await decided.inspect(({ store }) =>
      decideQuarantine(store, 'settlements', id, { format: 1, decision: 'release', by: 'test', reason: null, at: NOW }),
    );
  }
  const after = onlyKey(await ask(key, 'settlements', decided));
  expect(after.quarantined.every(({ state }) => state === 'released')).toBe(true);
});

test('an observation that is normalized and not loaded is shown, and does not win yet', async () => {
  const young = await startWorld();
  try {
    await young.run();
    young.setNow(NOW);
    await young.run({ stages: ['fetch', 'normalize'] });
    const updated = [...young.partner.truth('payments')].find(
      (item) => item.version[0] >= '2026-11-01T03:00' && Number(item.version[1]) > 8,
    );
    const report = await ask(updated?.key ?? [], 'payments', young);
    const [first] = onlyKey(report).observations;
    expect(first).toMatchObject({ won: false, state: 'not loaded' });
    expect(first?.reason).toMatch(/^not loaded; (wins once it is loaded|nothing of this key is loaded)$/);
    expect(onlyKey(report).agrees).toBe(true);
  } finally {
    await young.close();
  }
});

test('windows that are landed and not normalized are named: the key may be in them', async () => {
  const young = world.copy();
  young.setNow(NOW + HOUR);
  await young.run({ stages: ['fetch'] });
  const report = await ask(truthOf('payments')[0]?.key ?? [], 'payments', young);
  expect(report.pending.map(({ window }) => window.kind)).toContain('poll');
  expect(formatWhy(report)).toContain('not normalized yet');
  young.setNow(NOW);
});

test('R27: a replay adds batches to an observation, not observations to a key', async () => {
  const copy = world.copy();
  const [item] = truthOf('payments');
  const before = onlyKey(await ask(item?.key ?? [], 'payments', copy));
  await copy.withContext((context) => {
    const pages = pagesOfRange(context, copy.stream('payments'), { from: START, to: NOW });
    return replay(context, copy.stream('payments'), pages, { load: true, shard: null });
  });
  const after = onlyKey(await ask(item?.key ?? [], 'payments', copy));
  expect(after.observations.map(({ page, position }) => [page, position])).toEqual(
    before.observations.map(({ page, position }) => [page, position]),
  );
  // A landing in a window that the range does not reach is not replayed.
  expect(after.observations.map(({ batches }) => batches.map(({ origin }) => origin))).toContainEqual(['live', 'replay']);
});

test('R13: a row that came from a foreign body is traced to it, through its own store', async () => {
  const copy = world.copy();
  const folder = join(copy.folder, 'older job');
  mkdirSync(folder);
  const record =
    '{"event_id":"evt_foreign","environment":"prod","event_version":1,"updated_at":"2026-10-01T00:00:00Z","payload":{"amount":1.50}}';
  writeFileSync(
    join(folder, 'part-0.json.gz'),
    gzipSync(`{"event_id":"evt_other","environment":"prod","event_version":1,"updated_at":"2026-10-01T00:00:00Z"}\n${record}\n`),
  );
  await copy.withContext(async (context) => {
    const pages = pagesOfPrefix(await openStore({ kind: 'file', path: folder }), '', false);
    return replay(context, copy.stream('payments'), pages, { load: true, shard: null });
  });
  const report = await ask(['evt_foreign'], 'payments', copy);
  expect(onlyKey(report)).toMatchObject({ agrees: true, bytes: { text: record } });
  expect(wonBy(report)).toMatchObject({
    page: `file:${folder}/part-0.json.gz`,
    position: 1,
    landing: null,
    proof: { page: 'no receipt', record: 'verified' },
    batches: [{ origin: 'replay', window: null }],
  });
});

test('R13: a row that somebody changed behind Tidemark’s back is told from the one that the law gives', async () => {
  const copy = world.copy();
  const [item] = truthOf('settlements');
  await copy.tamper(`UPDATE settlements SET _content_hash = 'ff' || _content_hash[3:] WHERE vendor_txn_id = '${item?.key[0]}'`);
  expect(onlyKey(await ask(item?.key ?? [], 'settlements', copy))).toMatchObject({
    agrees: false,
    verdict: expect.stringContaining('verify'),
  });
});

test('the text for a terminal shows what matters within a hundred columns, but for what must stay whole', async () => {
  const [item] = truthOf('payments');
  const text = formatWhy(await ask(item?.key ?? []), (style, words) => (style === 'good' ? `[${words}]` : words));
  expect(text).toContain(`payments ${item?.key.join('/')}`);
  expect(text).toContain('[verified], sha256');
  for (const line of text.split('\n'))
    expect(
      line.length <= 102 ||
        line
          .trim()
          .split(' ')
          .some((word) => word.length > 70),
    ).toBe(true);
});
