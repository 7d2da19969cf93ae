import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEngine } from '../../src/engine.ts';
import { hold } from '../../src/gate/held.ts';
import { status } from '../../src/inspect/status.ts';
import type { StatusReport, StreamStatus } from '../../src/inspect/status-report.ts';
import { formatStatus } from '../../src/inspect/status-text.ts';
import { takeOver } from '../../src/manifest/head.ts';
import { thisProcess } from '../../src/manifest/holder.ts';
import { readHead, updateHead } from '../../src/manifest/state.ts';
import { HOUR, MINUTE } from '../../src/time.ts';
import { START, startWorld, type World } from './world.ts';

const NOW = START + 3 * HOUR;
let world: World;
beforeAll(async () => {
  world = await startWorld();
  await world.run();
});
afterAll(() => world.close());

const ask = (of = world, lockWaitMs?: number): Promise<StatusReport> =>
  of.inspect((inspection) => status(inspection, of.configuration.streams), lockWaitMs);
const payments = (report: StatusReport): StreamStatus => report.streams.find(({ stream }) => stream === 'payments') as StreamStatus;

test('a stream that ran is fresh, and says what it holds', async () => {
  const report = await ask();
  expect(report).toMatchObject({ exitCode: 0, at: '2026-11-01T03:00:00Z', warehouse: { state: 'ok', problem: null } });
  expect(payments(report)).toMatchObject({
    verdict: { state: 'ok', next: [] },
    fetchedWatermark: '2026-11-01T03:00:00Z',
    loadedWatermark: '2026-11-01T03:00:00Z',
    freshnessSeconds: 0,
    deadlineSeconds: 900,
    holder: null,
    open: [],
    pending: [],
    due: [],
    nextPollAt: '2026-11-01T03:05:00Z',
    next: [
      { at: '2026-11-01T03:05:00Z', reason: 'poll', why: 'every 5m' },
      { reason: 'sweep out-of-order', why: 'what shows up to 2h late' },
      { reason: 'sweep lateness', why: 'what shows up to 2d late' },
    ],
    lateness: { overlapSeconds: 300 },
    table: { rows: [...world.partner.truth('payments')].length },
  });
  expect(payments(report).lastLoad?.at).toBe('2026-11-01T03:00:00Z');
  expect(payments(report).schemaVersion).toBeGreaterThan(0);
});

test('a stream that never ran says so, what would be asked, and how to begin', async () => {
  const young = await startWorld();
  try {
    const report = await ask(young);
    expect(report.exitCode).toBe(6);
    expect(payments(report)).toMatchObject({
      verdict: { state: 'never run', next: ['tidemark run --once --stream payments'] },
      fetchedWatermark: null,
      freshnessSeconds: null,
      table: { rows: 0 },
    });
    const { due } = payments(report);
    expect(due[0]).toMatchObject({ reason: 'newest first', start: '2026-11-01T02:50:00Z', end: '2026-11-01T03:00:00Z' });
    expect(due[0]?.why).toContain('nothing was asked yet: 2d back');
    expect(due[1]).toMatchObject({ reason: 'first poll', start: '2026-10-30T03:00:00Z' });
  } finally {
    await young.close();
  }
});

test('R25: a stream past its deadline is late, says by how much and why, and the exit code tells', async () => {
  const copy = world.copy();
  copy.setNow(NOW + HOUR);
  const report = await ask(copy);
  copy.setNow(NOW);
  expect(report.exitCode).toBe(6);
  expect(payments(report)).toMatchObject({ verdict: { state: 'late' }, freshnessSeconds: 3600, nextPollAt: null });
  expect(payments(report).verdict.what).toContain('1h ago; the deadline is 15m');
  expect(payments(report).verdict.why.join()).toContain('nobody runs the stream');
  expect(payments(report).due.map(({ reason }) => reason)).toEqual(['newest first', 'catch up', 'sweep out-of-order']);
  expect(report.streams.find(({ stream }) => stream === 'settlements')?.verdict.state).toBe('ok');
});

test('windows that are landed, normalized and held are told apart; a held batch has its own exit code', async () => {
  const copy = world.copy();
  copy.setNow(NOW + HOUR);
  await copy.run({ stages: ['fetch'] });
  expect(payments(await ask(copy)).pending.map(({ state }) => state)).toEqual(['landed', 'landed', 'landed']);
  await copy.run({ stages: ['normalize'] });
  expect(payments(await ask(copy)).pending.map(({ state }) => state)).toEqual(['normalized', 'normalized', 'normalized']);

  const batch = await copy.withContext(async ({ store }) => {
    const { head } = (await readHead(store, 'payments')) ?? {};
    const [pending] = head?.pending ?? [];
    const id = pending?.batches?.[0] ?? '';
    await hold(store, {
      format: 1,
      stream: 'payments',
      batch: id,
      window: pending?.window ?? null,
      reason: '3 rows, where 200 pass',
      rows: 3,
      average: 200,
      band: [0.5, 2],
      at: NOW,
    });
    return id;
  });
  await copy.run();
  const report = await ask(copy);
  copy.setNow(NOW);
  expect(report.exitCode).toBe(4);
  expect(payments(report)).toMatchObject({ held: [{ batch, reason: '3 rows, where 200 pass' }], pending: [{ state: 'held' }] });
  expect(payments(report).verdict).toMatchObject({ state: 'held', next: [`tidemark held show ${batch} --stream payments`] });
  expect(payments(report).freshnessSeconds).toBeGreaterThan(0);
});

test('R18, R25: an open dead letter makes a stream incomplete, and is named with its gap', async () => {
  const copy = world.copy();
  const gap = { from: NOW - HOUR, to: NOW - HOUR + MINUTE };
  await copy.putLetter('one', gap);
  const report = await ask(copy);
  expect(report.exitCode).toBe(5);
  expect(payments(report).deadLetters).toEqual([
    {
      id: 'one',
      reason: 'status 500',
      gap: { from: '2026-11-01T02:00:00Z', to: '2026-11-01T02:01:00Z' },
      lookedUp: 0,
      at: '2026-11-01T03:00:00Z',
    },
  ]);
  expect(payments(report).verdict).toMatchObject({ state: 'incomplete', next: ['tidemark dead-letter retry one --stream payments'] });
});

test('R23: refused records are counted by rule', async () => {
  const refused = (await ask()).streams.find(({ stream }) => stream === 'settlements')?.quarantine ?? [];
  const truth = world.partner.truth('settlements');
  expect([...truth].length).toBeGreaterThan(0);
  expect(refused.map(({ rule }) => rule).toSorted()).toEqual(['amount: present and >= 0', 'currency: in USD, CAD, MXN']);
  expect(refused.reduce((sum, { records }) => sum + records, 0)).toBe(truth.totals.refusedObservations);
});

test('it answers while another user has the warehouse open, from the state alone', async () => {
  const copy = world.copy();
  const engine = await openEngine({
    path: join(copy.folder, 'warehouse.duckdb'),
    threads: 1,
    memoryBytes: 128 << 20,
    tempDirectory: join(copy.folder, 'spill'),
  });
  try {
    const report = await ask(copy, 50);
    expect(report).toMatchObject({ exitCode: 0, warehouse: { state: 'busy' } });
    expect(payments(report)).toMatchObject({
      loadedWatermark: '2026-11-01T03:00:00Z',
      loadedWatermarkIsEstimate: true,
      table: null,
      lastLoad: null,
    });
    expect(formatStatus(report)).toContain('open in another process');
  } finally {
    await engine.close();
  }
});

test('who holds a stream is told, and whether that process is alive', async () => {
  const copy = world.copy();
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  const holder = { ...thisProcess(() => 'other'), pid: child.pid ?? 0 };
  const id = [...holder.id.split(':').slice(0, 2), holder.pid, '', 'other'].join(':');
  await copy.inspect(({ store, clock }) =>
    updateHead(store, 'payments', takeOver({ ...holder, id, beat: 0 }), null, { clock, randomId: () => 'write' }),
  );
  expect(payments(await ask(copy)).holder).toMatchObject({ pid: child.pid, state: 'running' });
  child.stdin?.end();
  await once(child, 'exit');
  expect(payments(await ask(copy)).holder).toMatchObject({ pid: child.pid, state: 'gone' });
});

test('the text for a terminal has both streams on one screen', async () => {
  const text = formatStatus(await ask(), (style, words) => `<${style}>${words}</>`);
  expect(text).toContain('<bold>payments</>  <good>ok</>');
  expect(text).toContain('loaded to     2026-11-01 03:00:00Z, 0s behind, 15m allowed');
  expect(text.split('\n').length).toBeLessThanOrEqual(30);
});
