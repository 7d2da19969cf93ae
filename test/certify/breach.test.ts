import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certifiedHours, readBreaches, readCertificate } from '../../src/certify/chain.ts';
import { listDeadLetters, resolveDeadLetter } from '../../src/fetch/dead-letter.ts';
import { status } from '../../src/inspect/status.ts';
import { formatStatus } from '../../src/inspect/status-text.ts';
import { verify } from '../../src/inspect/verify.ts';
import type { VerifyReport } from '../../src/inspect/verify-report.ts';
import { formatVerify } from '../../src/inspect/verify-text.ts';
import type { DeadLetter } from '../../src/manifest/documents.ts';
import { agree } from '../../src/pipeline/agree.ts';
import { createJson } from '../../src/store/json.ts';
import { certificateKey, deadLetterKey } from '../../src/store/keys.ts';
import { HOUR, MINUTE } from '../../src/time.ts';
import { type CertifiedWorld, certifiedWorld, LATENESS, START } from './world.ts';

const check = (world: CertifiedWorld, hours: number, range = {}): Promise<VerifyReport> =>
  world.at(hours, (context) => verify(context, world.payments, range));
const kinds = ({ findings }: VerifyReport): string[] => findings.map(({ kind }) => kind);
const RANGE = { from: START, to: START + 5 * HOUR };

describe('R13, R18, R19: a partner that is later than it said', () => {
  let world: CertifiedWorld;
  beforeAll(async () => {
    world = await certifiedWorld({ late: { share: 0.08, bound: 12 * LATENESS } });
    for (const hours of [1.5, 5, 29.5, 31, 33]) await world.pass(hours);
    expect((await certifiedHours(world.store, 'payments', null)).length).toBeGreaterThan(3);
  });
  afterAll(() => world.close());

  test('verify recomputes roots, links and money, and finds nothing', async () => {
    const report = await check(world, 34);
    expect(report).toMatchObject({ verdict: 'ok', findings: [], certificates: { from: '2026-11-20T07:00:00Z', breaches: [] } });
    expect(report.money?.length).toBeGreaterThan(1);
    for (const { landed, table } of report.money ?? []) expect(table).toBe(landed);
    expect(formatVerify(report)).toMatch(/certified +\d+ hours/);
  });

  /** What verify finds while other bytes stand under a key. */
  async function foundWith(key: string, change: (text: string) => string): Promise<string[]> {
    const path = join(world.folder, 'store', key);
    const before = readFileSync(path);
    writeFileSync(path, change(before.toString()));
    try {
      return kinds(await check(world, 34));
    } finally {
      writeFileSync(path, before);
    }
  }

  test('whoever changes a certificate is found, by the next one and by what it says', async () => {
    const key = certificateKey('payments', START + HOUR);
    const found = await foundWith(key, (text) => text.replace(/"keys": \d+/, '"keys": 1'));
    expect(found).toEqual(['certificate chain broken', 'certificate differs']);
    expect(await foundWith(key, () => '{')).toEqual(['certificate unreadable']);
  });

  test('whoever changes a manifest that was certified is found', async () => {
    const stored = await readCertificate(world.store, 'payments', START + HOUR);
    const key = stored?.certificate.windows[0]?.manifest ?? '';
    expect(await foundWith(key, (text) => `${text} `)).toEqual(['certificate differs']);
  });

  test('a second pass in pages of another size names each record that nobody had found, and brings it', async () => {
    await world.pass(40);
    const second = await world.at(66, (context) => agree(context, world.payments, RANGE, 37));
    expect(second.differing.new, 'what came later than the bound').toBeGreaterThan(0);
    expect(second.differences).toHaveLength(second.differing.new + second.differing.changed + second.differing.missing);
    expect(second.totals.pages).toBeGreaterThan(0);
    expect((await world.prove())['payments']).toMatchObject({ missing: 0, stale: 0, duplicated: 0, altered: 0, foreign: 0 });
    for (const { what, page, version } of second.differences.filter((one) => one.what === 'new')) {
      expect(what).toBe('new');
      expect(page).toContain('/win=20261120T070000Z_20261120T120000Z/');
      expect(Number(version[0])).toBeGreaterThanOrEqual(RANGE.from);
    }
  });

  test('and a third finds just what the second did', async () => {
    const third = await world.at(66.01, (context) => agree(context, world.payments, RANGE, 41));
    expect(third.differing).toEqual({ new: 0, changed: 0, missing: 0 });
    expect(third.rows).toBeGreaterThan(100);
    expect(third.found).toBeGreaterThanOrEqual(third.rows);
  });

  test('what came into a certified hour is a breach of it: noted, loaded by the law, told by status and verify', async () => {
    const breaches = await readBreaches(world.store, 'payments', null);
    expect(breaches.length).toBeGreaterThan(0);
    for (const { cause, late, changed, samples } of breaches) {
      expect(cause).toBe('source');
      expect(samples).toHaveLength(Math.min(20, late + changed));
    }
    const report = await check(world, 68);
    expect(report).toMatchObject({ verdict: 'ok', findings: [] });
    expect(report.certificates.breaches).toHaveLength(breaches.length);
    expect(formatVerify(report)).toMatch(/\d+ breaches:\s+2026-11-20 \d\d:00:00Z: \d+ late observation/);
    const told = await world.at(68, (context) => status(context, [world.payments]));
    expect(told.streams[0]?.certified.breachedHours).toBe(new Set(breaches.map(({ hour }) => hour)).size);
    expect(formatStatus(told)).toMatch(/certified [^\n]*something came later\s+into/);
  });

  test('a breach that somebody removes is found', async () => {
    const [breach] = await readBreaches(world.store, 'payments', null);
    for await (const { key } of world.store.list('certificates/payments/breaches/')) {
      if (key.includes(breach?.batch ?? '-')) await world.store.remove(key);
    }
    expect(kinds(await check(world, 68))).toEqual(['breach unrecorded']);
  });
});

describe('R18: an open gap', () => {
  test('is never certified, nor what lies behind it; once it is repaired, the certificate names it', async () => {
    const world = await certifiedWorld();
    try {
      await world.pass(1.5);
      await world.pass(5);
      await world.pass(29.5);
      const next = ((await certifiedHours(world.store, 'payments', null)).at(-1) ?? START - HOUR) + HOUR;
      const from = next + HOUR + 10 * MINUTE;
      const to = from;
      const window = { kind: 'poll', start: START, end: START + 5 * HOUR } as const;
      const asked = { window, slot: 1, cursor: null, url: '', pageSize: 60, attempts: 1 };
      const said = { reason: 'status 500', status: 500, body: null, at: START };
      const letter: DeadLetter = { format: 1, id: 'lost', stream: 'payments', ...asked, ...said, gap: { from, to } };
      await createJson(world.store, deadLetterKey('payments', 'lost'), letter);
      await world.pass(31);
      expect((await certifiedHours(world.store, 'payments', null)).at(-1)).toBe(next);
      expect((await check(world, 31.1)).coverage.gaps).toMatchObject([{ deadLetter: 'lost' }]);
      expect((await listDeadLetters(world.store, 'payments', 'open')).length).toBe(1);
      await world.at(31.1, (context) => resolveDeadLetter(context, letter, 'the partner sent it by hand'));
      await world.pass(32.6);
      const repaired = await readCertificate(world.store, 'payments', next + HOUR);
      expect(repaired?.certificate.gaps).toEqual([{ from, to, deadLetter: 'lost' }]);
    } finally {
      await world.close();
    }
  });
});
