import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DemoReport } from '../../src/demo/demo.ts';
import { readHead } from '../../src/manifest/state.ts';
import { openStore } from '../../src/store/open.ts';
import { type Ended, type StartOptions, said, tidemark } from '../support/tidemark.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NOW = '2026-11-20T12:00:00Z';
const POLLS = 5;

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

/** The demo's smallest world: the same polls, faults and kill, and few pages. */
async function demo(given: readonly string[] = [], options: StartOptions = {}): Promise<{ folder: string; ended: Ended }> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-demo-'));
  folders.push(folder);
  const ended = await tidemark(['demo', '--rate', '0.005', '--now', NOW, '--folder', folder, ...given], { folder: ROOT, ...options });
  return { folder, ended };
}

describe('the demo', () => {
  let folder: string;
  let ended: Ended;
  beforeAll(async () => {
    ({ folder, ended } = await demo());
  });

  test('ends with 0 and with the proof that nothing is missing, duplicated, stale, altered, foreign, and no gap is open', () => {
    expect(ended.code, said(ended)).toBe(0);
    for (const stream of ['payments', 'settlements']) {
      const [, keys, rows, ...faults] = lineOf(ended.stdout, stream, 'held against');
      expect(Number(keys)).toBeGreaterThan(50);
      expect(rows).toBe(keys);
      expect(faults, stream).toEqual(['0', '0', '0', '0', '0', '0']);
    }
    expect(ended.stdout).toMatch(/\nProved: every record once, none lost, none altered \(seed 7, [\d.]+ s\)\.\n/);
  });

  test('says what came over the wire, and which faults the partner made', () => {
    for (const stream of ['payments', 'settlements']) {
      const [, asked, ...counts] = lineOf(ended.stdout, stream, 'over the wire');
      expect(Number(asked)).toBeGreaterThan(5);
      expect(counts).toHaveLength(8);
    }
    expect(ended.stdout).toMatch(/\nfaults that the partner made: [a-z-]+ \d+,/);
  });

  test('R20: kills its own worker once, and another one goes on', async () => {
    expect(ended.notes.match(/the worker was killed \(SIGKILL\) after page \d+ of this poll; a new one resumes/g)).toHaveLength(1);
    expect(ended.stdout).toContain('the worker was killed 1 time\n');
    expect(ended.notes.match(/^poll \d of 5: the partner's clock reads /gm)).toHaveLength(POLLS);
    const store = await openStore({ kind: 'file', path: join(folder, 'store') });
    const heads = await Promise.all(['payments', 'settlements'].map((stream) => readHead(store, stream)));
    expect(Math.max(...heads.map((read) => read?.head.epoch ?? 0)), 'a worker for each poll, and one more').toBe(POLLS + 1);
  });

  test('prints three commands that run as they are printed', async () => {
    const commands = (ended.stdout.split('Worth typing next:\n')[1] ?? '').trimEnd().split('\n');
    const answers = [];
    for (const command of commands) answers.push(await typed(`${command} --now ${NOW}`));
    expect(answers).toEqual([
      { code: 0, stdout: expect.stringMatching(/\npayments {2}ok [\s\S]*\nsettlements {2}ok /), stderr: '' },
      { code: 0, stdout: expect.stringMatching(/^payments \w+\/evt_\w+\n[\s\S]* page bytes +verified/), stderr: '' },
      { code: 0, stdout: expect.stringMatching(/^event_type +events +amount\nAUTHORIZED +\d+ +[\d.]+\n/), stderr: '' },
    ]);
  });
});

const TAMPER = `
  DELETE FROM settlements WHERE vendor_txn_id = (SELECT min(vendor_txn_id) FROM settlements);
  INSERT INTO settlements SELECT * FROM settlements WHERE vendor_txn_id = (SELECT max(vendor_txn_id) FROM settlements);
  UPDATE payments SET transaction_id = 'another' WHERE _content_hash = (SELECT min(_content_hash) FROM payments);
  UPDATE payments SET event_version = 1000 WHERE _content_hash = (SELECT max(_content_hash) FROM payments);
  INSERT INTO payments SELECT * REPLACE ('nobody' AS event_id) FROM payments LIMIT 1;`;

test('a table that is not the truth ends the demo with 1, and it says what is wrong with which rows', async () => {
  const tamper = fileURLToPath(new URL('./processes/tamper.ts', import.meta.url));
  const { ended } = await demo(['--json'], { preload: [tamper], environment: { TAMPER } });
  expect(ended.code, said(ended)).toBe(1);
  const report = JSON.parse(ended.stdout) as DemoReport;
  expect(report).toMatchObject({ proved: false, kills: 1 });
  const [payments, settlements] = report.streams.map((stream) => stream.proof);
  expect(payments).toMatchObject({ missing: 0, duplicated: 0, stale: 1, altered: 1, foreign: 1 });
  expect(payments?.rows).toBe((payments?.keys ?? 0) + 1);
  expect(payments?.samples.toSorted()).toEqual([/^altered: \w+\/evt_/, /^foreign: \w+\/nobody$/, /^stale: \w+\/evt_/].map(matching));
  expect(settlements).toMatchObject({ missing: 1, duplicated: 1, stale: 0, altered: 0, foreign: 0 });
  expect(settlements?.samples.toSorted()).toEqual([/^duplicated: stl_/, /^missing: .*stl_/].map(matching));
});

const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);

/** The cells of a stream's line in the table under that heading. */
function lineOf(text: string, stream: string, heading: string): string[] {
  const below = text.slice(text.indexOf(heading));
  return (new RegExp(`^${stream} .*$`, 'm').exec(below)?.[0] ?? '').replaceAll(',', '').split(/ +/);
}

/** A line as a shell in the checkout takes it. */
function typed(line: string): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile('sh', ['-c', line], { cwd: ROOT, env: { ...process.env, CI: '1' } }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}
