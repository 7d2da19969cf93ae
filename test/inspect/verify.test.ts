import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Micros } from '../../src/clock.ts';
import { verify } from '../../src/inspect/verify.ts';
import type { FindingKind, VerifyReport } from '../../src/inspect/verify-report.ts';
import { formatVerify } from '../../src/inspect/verify-text.ts';
import type { Batch, Manifest } from '../../src/manifest/documents.ts';
import { pagesOfRange, replay } from '../../src/pipeline/replay.ts';
import { readBody } from '../../src/store/compress.ts';
import { getJson } from '../../src/store/json.ts';
import { batchKey, quarantineKey, receiptKey } from '../../src/store/keys.ts';
import { HOUR, MINUTE, parseInstant } from '../../src/time.ts';
import { HOSTILE } from '../system/world.ts';
import { START, startWorld, type World } from './world.ts';

const NOW = START + 6 * HOUR;
type Name = 'payments' | 'settlements';
let world: World;
beforeAll(async () => {
  world = await startWorld();
  await world.run();
  world.setNow(NOW);
  await world.run();
});
afterAll(() => world.close());

const check = (of: World, name: Name, range?: { from?: Micros; to?: Micros }): Promise<VerifyReport> =>
  of.inspect((inspection) => verify(inspection, of.stream(name), range));
const kindsOf = (report: VerifyReport): Partial<Record<FindingKind, number>> =>
  Object.fromEntries(report.findings.map(({ kind, count }) => [kind, count]));

/** Keys of the stored objects that match, in order. */
const keysOf = (of: World, pattern: RegExp): string[] =>
  readdirSync(join(of.folder, 'store'), { recursive: true, encoding: 'utf8' })
    .filter((key) => pattern.test(key))
    .toSorted();
const onlyOne = (keys: readonly string[], at = 0): string => {
  const key = keys.at(at);
  if (key === undefined) throw new Error('there is no such object');
  return key;
};
const pageOf = (of: World, name: Name, at = 0): string => onlyOne(keysOf(of, new RegExp(`^raw/v1/${name}/.*page-\\d+\\.json\\.zst$`)), at);
const batchOf = async (of: World, name: Name, at = 0): Promise<Batch> => {
  const key = onlyOne(keysOf(of, new RegExp(`^curated/v1/${name}/.*batch\\.json$`)), at);
  return JSON.parse(readFileSync(of.pathOf(key), 'utf8')) as Batch;
};
const instant = (text: string | null): Micros => parseInstant(text ?? '', 'iso') ?? 0;
const bodyOf = (of: World, key: string): Promise<string> => of.inspect(async ({ store }) => (await readBody(store, key))?.toString() ?? '');

test('R11, R12, R19: raw, batches and table of both streams agree, and with the partner’s own truth', async () => {
  for (const name of ['payments', 'settlements'] as const) {
    const truth = world.partner.truth(name);
    const keys = [...truth].length;
    const report = await check(world, name);
    expect(report).toMatchObject({ verdict: 'ok', exitCode: 0, findings: [], next: [], table: { expected: keys, rows: keys } });
    expect(report.batches.sightings + report.batches.quarantined).toBe(report.raw.records);
    expect(report.raw.records).toBeGreaterThanOrEqual(truth.totals.observations);
    expect(report.coverage).toMatchObject({ to: '2026-11-01T06:00:00Z', gaps: [] });
    expect(formatVerify(report)).toContain('ok: raw pages, batches and table say the same');
  }
});

test('a verification changes nothing and leaves nothing behind', async () => {
  const fingerprint = (): string => {
    const hash = createHash('sha256');
    for (const name of readdirSync(world.folder, { recursive: true, encoding: 'utf8' }).toSorted()) {
      const path = join(world.folder, name);
      if (statSync(path).isFile()) hash.update(name).update(readFileSync(path));
    }
    return hash.digest('hex');
  };
  const before = fingerprint();
  await check(world, 'payments');
  expect(fingerprint()).toBe(before);
  expect(readdirSync(join(world.folder, 'scratch')).filter((name) => name.startsWith('inspect'))).toEqual([]);
});

test('R13, R19: a page with other bytes is found, be it another body or no body at all', async () => {
  const copy = world.copy();
  const [one, two] = [pageOf(copy, 'payments', 0), pageOf(copy, 'payments', 1)];
  await copy.overwrite(one, (await bodyOf(copy, one)).replace('"amount":', '"amount":1'));
  rmSync(copy.pathOf(two));
  const report = await check(copy, 'payments');
  expect(kindsOf(report)).toEqual({ 'page altered': 1, 'page missing': 1 });
  expect(report).toMatchObject({ verdict: 'differs', exitCode: 1 });
  expect(report.findings.flatMap((finding) => finding.samples).join('\n')).toContain(one);
  expect(report.next[0]).toContain('restore');
  expect(formatVerify(report)).toContain('page altered');
});

test('R13, R19: an index that says something else than its page is found, and one that is gone is missed by nobody', async () => {
  const copy = world.copy();
  const indexes = keysOf(copy, /^raw\/v1\/settlements\/.*\.index-/);
  const [one, two] = [onlyOne(indexes, 0), onlyOne(indexes, 1)];
  await copy.overwrite(one, (await bodyOf(copy, one)).replace('"h":"', '"h":"0'));
  rmSync(copy.pathOf(two));
  const report = await check(copy, 'settlements');
  expect(kindsOf(report)).toEqual({ 'index differs': 1 });
  expect(report.findings[0]?.samples[0]).toContain(one);
});

test('R19: a receipt that is gone, or says something else, is found', async () => {
  const copy = world.copy();
  const [one, two] = [receiptKey(pageOf(copy, 'payments', 0)), receiptKey(pageOf(copy, 'payments', 1))];
  rmSync(copy.pathOf(one));
  await copy.overwrite(two, readFileSync(copy.pathOf(two), 'utf8').replace(/"records": \d+/, '"records": 1'));
  expect(kindsOf(await check(copy, 'payments'))).toEqual({ 'receipt differs': 2 });
});

test('R18: a page with fewer records than manifest and receipt say is found', async () => {
  const copy = world.copy();
  const key = onlyOne(keysOf(copy, /^raw\/v1\/settlements\/.*manifest\.json$/));
  const manifest = JSON.parse(readFileSync(copy.pathOf(key), 'utf8')) as Manifest;
  const pages = manifest.pages.map((page, at) => (at === 0 ? { ...page, records: page.records + 1 } : page));
  await copy.overwrite(key, JSON.stringify({ ...manifest, pages }));
  expect(kindsOf(await check(copy, 'settlements'))).toEqual({ 'receipt differs': 1, 'records differ': 1 });
});

test('R12, R19: rows that were altered, deleted, doubled or put in by others are found, counted, and named', async () => {
  const copy = world.copy();
  const ids = (await copy.query('SELECT vendor_txn_id AS id FROM settlements ORDER BY 1 LIMIT 4')).map((row) => String(row['id']));
  await copy.tamper(`UPDATE settlements SET updated_at = updated_at - INTERVAL 1 SECOND WHERE vendor_txn_id = '${ids[0]}'`);
  await copy.tamper(`UPDATE settlements SET _content_hash = repeat('0', 32) WHERE vendor_txn_id = '${ids[1]}'`);
  await copy.tamper(`DELETE FROM settlements WHERE vendor_txn_id = '${ids[2]}'`);
  await copy.tamper(`INSERT INTO settlements SELECT * FROM settlements WHERE vendor_txn_id = '${ids[3]}'`);
  await copy.tamper(
    `INSERT INTO settlements SELECT * REPLACE ('stranger' AS vendor_txn_id) FROM settlements WHERE vendor_txn_id = '${ids[0]}'`,
  );
  const report = await check(copy, 'settlements');
  expect(kindsOf(report)).toEqual({ 'row missing': 1, 'row extra': 1, 'row stale': 2, 'row duplicated': 1 });
  const samples = Object.fromEntries(
    report.findings.map(({ kind, samples: found }) => [kind, found.map((sample) => sample.split(' ')[0])]),
  );
  expect(samples).toEqual({
    'row missing': [ids[2]],
    'row extra': ['stranger'],
    'row stale': [ids[0], ids[1]],
    'row duplicated': [ids[3]],
  });
  expect(report.table.rows).toBe(report.table.expected + 1);
});

test('findings are counted in full, and sampled', async () => {
  const copy = world.copy();
  await copy.tamper('DELETE FROM settlements');
  const report = await check(copy, 'settlements');
  const [finding] = report.findings;
  expect(finding).toMatchObject({ kind: 'row missing', count: report.table.expected });
  expect(finding?.samples).toHaveLength(10);
});

test('R19: a batch’s files that are gone or altered are found', async () => {
  const copy = world.copy();
  const { sightings, files } = await batchOf(copy, 'payments', 0);
  rmSync(copy.pathOf(sightings[0]?.key ?? ''));
  rmSync(copy.pathOf(files[0]?.key ?? ''));
  const other = await batchOf(copy, 'payments', 1);
  await copy.overwrite(other.sightings[0]?.key ?? '', 'something else');
  const found = kindsOf(await check(copy, 'payments'));
  expect(found).toMatchObject({ 'file missing': 2, 'file altered': 1 });
});

test('R19: a batch that the ledger names and that is not there any more is found', async () => {
  const copy = world.copy();
  const { id } = await batchOf(copy, 'payments', 0);
  rmSync(copy.pathOf(batchKey('payments', id)));
  const report = await check(copy, 'payments');
  expect(kindsOf(report)).toMatchObject({ 'batch missing': 1 });
  expect(report.findings.find(({ kind }) => kind === 'batch missing')?.samples[0]).toContain(id);
});

test('R18: every record of a normalized page is accounted for once: one that is left out, or counted twice, is found', async () => {
  const copy = world.copy();
  const batch = await batchOf(copy, 'settlements');
  const [file] = batch.sightings;
  const path = copy.pathOf(file?.key ?? '');
  const rewritten = join(copy.folder, 'rewritten.parquet');
  const first = `(SELECT _page, _position FROM '${path}' ORDER BY ALL LIMIT 1)`;
  const last = `SELECT * FROM '${path}' QUALIFY row_number() OVER (ORDER BY _page DESC, _position DESC) = 1`;
  await copy.tamper(`COPY (SELECT * FROM '${path}' WHERE (_page, _position) NOT IN ${first} UNION ALL ${last}) TO '${rewritten}'`);
  const bytes = readFileSync(rewritten);
  await copy.overwrite(file?.key ?? '', bytes);
  const sightings = [{ ...file, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }];
  const key = batchKey('settlements', batch.id);
  await copy.overwrite(key, JSON.stringify({ ...batch, sightings }));
  expect(kindsOf(await check(copy, 'settlements'))).toMatchObject({ 'record unaccounted': 1, 'record repeated': 1 });
});

test('R18, R23: refused records account for their place; where quarantine is gone, that is found', async () => {
  const copy = world.copy();
  const batch = await batchOf(copy, 'settlements');
  expect(batch.counts.quarantined).toBeGreaterThan(0);
  rmSync(copy.pathOf(quarantineKey('settlements', batch.id)));
  expect(kindsOf(await check(copy, 'settlements'))).toEqual({ 'quarantine unreadable': 1 });
});

test('R18: a window whose manifest is gone is found, and so is one that was altered', async () => {
  const copy = world.copy();
  const manifests = keysOf(copy, /^raw\/v1\/payments\/.*manifest\.json$/);
  rmSync(copy.pathOf(onlyOne(manifests, 0)));
  await copy.overwrite(onlyOne(manifests, 1), '{"format": 1');
  const found = kindsOf(await check(copy, 'payments'));
  expect(found).toEqual({ 'manifest unreadable': 1, 'manifest missing': 1 });
});

test('R18: an open gap leaves the stream incomplete, and is listed with its dead letter and what to do', async () => {
  const copy = world.copy();
  const gap = { from: START + 4 * HOUR, to: START + 4 * HOUR + MINUTE };
  await copy.putLetter('letter-1', gap);
  const report = await check(copy, 'payments');
  expect(report).toMatchObject({ verdict: 'incomplete', exitCode: 5, findings: [] });
  expect(report.coverage.gaps).toEqual([{ from: '2026-11-01T04:00:00Z', to: '2026-11-01T04:01:00Z', deadLetter: 'letter-1' }]);
  expect(report.next).toEqual(['tidemark dead-letter retry letter-1 --stream payments']);
  expect(formatVerify(report)).toContain('letter-1');
  expect((await check(copy, 'payments', { to: START + 3 * HOUR })).verdict).toBe('ok');
});

test('windows on their way are counted, and are nothing that differs', async () => {
  const copy = world.copy();
  copy.setNow(NOW + HOUR);
  await copy.run({ stages: ['fetch'] });
  const landed = await check(copy, 'payments');
  expect(landed).toMatchObject({ verdict: 'ok', next: ['tidemark run --once --stream payments'] });
  expect(landed.raw.pendingWindows).toBeGreaterThan(0);
  expect(landed.raw.notNormalized).toBeGreaterThan(0);
  await copy.run({ stages: ['normalize'] });
  expect((await check(copy, 'payments')).raw).toMatchObject({ pendingWindows: landed.raw.pendingWindows, notNormalized: 0 });
  await copy.run();
  expect((await check(copy, 'payments')).raw.pendingWindows).toBe(0);
  copy.setNow(NOW);
});

test('R12: a warehouse that was lost is told, and a replay into a new one makes everything agree again', async () => {
  const copy = world.copy();
  rmSync(join(copy.folder, 'warehouse.duckdb'));
  const report = await check(copy, 'settlements');
  expect(kindsOf(report)).toEqual({ 'not loaded': report.raw.pages });
  expect(report.next).toEqual([`tidemark replay --stream settlements --from ${report.coverage.from} --to ${report.coverage.to}`]);
  const stream = copy.stream('settlements');
  const range = { from: instant(report.coverage.from), to: instant(report.coverage.to) };
  await copy.withContext((context) => replay(context, stream, pagesOfRange(context, stream, range), { load: true, shard: null }));
  expect(await check(copy, 'settlements')).toMatchObject({ verdict: 'ok', table: { rows: [...copy.partner.truth('settlements')].length } });
});

test('R4: a range is judged by itself: what is wrong elsewhere is not told, what is wrong within is', async () => {
  const copy = world.copy();
  const [row] = await copy.query('SELECT vendor_txn_id AS id, updated_at AS t FROM settlements ORDER BY updated_at LIMIT 1');
  await copy.tamper(`DELETE FROM settlements WHERE vendor_txn_id = '${String(row?.['id'])}'`);
  const at = Number(row?.['t']);
  expect(kindsOf(await check(copy, 'settlements', { from: at, to: at + 1 }))).toEqual({ 'row missing': 1 });
  const later = await check(copy, 'settlements', { from: at + 1 });
  expect(later).toMatchObject({ verdict: 'ok', table: { rows: later.table.expected } });
  expect(later.table.rows).toBeGreaterThan(0);
});

test('R9, R18: what a hostile partner sent, faults and all, agrees', async () => {
  const hostile = await startWorld({ faults: HOSTILE, poison: [], retryAfterSeconds: 0, seed: 11 });
  try {
    await hostile.run();
    for (const name of ['payments', 'settlements'] as const)
      expect(await check(hostile, name)).toMatchObject({ verdict: 'ok', findings: [] });
  } finally {
    await hostile.close();
  }
});

test('the batch documents that the tests tamper with are those that the program reads', async () => {
  const batch = await batchOf(world, 'payments');
  expect(await world.inspect(async ({ store }) => (await getJson<Batch>(store, batchKey('payments', batch.id)))?.value)).toEqual(batch);
});
