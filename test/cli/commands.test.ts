import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { program } from '../../src/cli/program.ts';
import { HOUR } from '../../src/time.ts';
import { type Ended, said, start, tidemark } from '../support/tidemark.ts';
import { dyingAt } from '../system/dying.ts';
import { NOW, openWorld, type TestWorld } from '../system/world.ts';

/** Every command, with the words that lead to it. */
function commandsOf(parent: Command, path: readonly string[] = []): { command: Command; name: string }[] {
  return parent.commands.flatMap((command) => {
    const words = [...path, command.name()];
    return [{ command, name: words.join(' ') }, ...commandsOf(command, words)];
  });
}

describe('every command', () => {
  const all = commandsOf(program());

  test.for(all)('$name explains itself, with an example that begins with its name', ({ command, name }) => {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    expect(help).toContain(`Usage: tidemark ${name}`);
    const [first = ''] = name.split(' ');
    expect(help).toMatch(new RegExp(`\\nExample:\\n  tidemark ${name.includes(' ') ? name : first}`));
  });

  test('says so as a process: on standard output, and exit 0', async () => {
    const ended = await tidemark(['quarantine', 'release', '--help']);
    expect([ended.code, ended.notes], said(ended)).toEqual([0, '']);
    expect(ended.stdout).toContain('Usage: tidemark quarantine release');
  });

  test('is named by the program itself, which also tells the exit codes and its version', async () => {
    const help = await tidemark(['--help']);
    expect(help.code).toBe(0);
    expect(all.length).toBeGreaterThan(35);
    for (const { name } of all.filter((each) => !each.name.includes(' '))) expect(help.stdout).toMatch(new RegExp(`\\n  ${name}\\b`));
    expect(help.stdout).toMatch(/Exit codes: 0 done .* 6 stale/);
    const version = await tidemark(['--version']);
    expect([version.code, version.stdout]).toEqual([0, '0.1.0\n']);
  });
});

let world: TestWorld;
beforeAll(async () => {
  world = await openWorld({
    seed: 71,
    partner: { faults: 'none', payments: { recordsPerSecond: 0.002 }, settlements: { recordsPerSecond: 0.002 } },
  });
  const run = await world.run(NOW, ['run', '--once']);
  expect(run.code, said(run)).toBe(0);
});
afterAll(() => world.close());

/** One document on standard output; what is on standard error are lines of the log alone. */
function document(ended: Ended): unknown {
  expect(ended.notes, said(ended)).toBe('');
  return JSON.parse(ended.stdout);
}

const ONE = ['--stream', 'payments'] as const;
const RANGE = ['--from', '2026-11-17', '--to', '2026-11-21'] as const;

describe('--json prints exactly one document, and the log stays on standard error:', () => {
  test.for(
    [
      ['run', '--once'],
      ['fetch', ...ONE],
      ['normalize', ...ONE],
      ['load', ...ONE],
      ['replay', ...ONE, ...RANGE],
      ['status'],
      ['doctor'],
      ['verify'],
      ['verify', ...ONE, ...RANGE],
      ['query', 'SELECT count(*) AS n FROM payments'],
      ['dead-letter', 'list'],
      ['quarantine', 'list'],
      ['quarantine', 'list', '--all', ...ONE],
      ['held', 'list'],
      ['schema', 'show', ...ONE],
      ['schema', 'history', ...ONE],
      ['schema', 'diff', ...ONE],
      ['schema', 'rehearse', ...ONE, ...RANGE],
      ['replay', ...ONE, ...RANGE, '--plan'],
    ].map((given) => ({ given, line: given.join(' ') })),
  )('$line', async ({ given }) => {
    const ended = await world.run(NOW, [...given, '--json']);
    expect(ended.code, said(ended)).toBe(0);
    expect(typeof document(ended)).toBe('object');
  });

  test('why', async () => {
    const [row] = document(await world.run(NOW, ['query', 'SELECT event_id FROM payments LIMIT 1', '--json'])) as { event_id: string }[];
    const ended = await world.run(NOW, ['why', row?.event_id ?? '', ...ONE, '--json']);
    expect(ended.code, said(ended)).toBe(0);
    expect(JSON.stringify(document(ended))).toContain(row?.event_id);
  });

  test('partner, when it is ended', async () => {
    const { promise: listening, resolve } = Promise.withResolvers<void>();
    const partner = start(['partner', '--port', '0', '--json'], { note: () => resolve() });
    await listening;
    partner.kill('SIGTERM');
    const ended = await partner.ended;
    expect(ended.code, said(ended)).toBe(0);
    expect(ended.notes).toMatch(/^partner at http:\/\/127\.0\.0\.1:\d+ /);
    expect(JSON.parse(ended.stdout)).toMatchObject({ overLimit: 0 });
  });

  test('an error as well, with its code and what to do', async () => {
    const ended = await world.run(NOW, ['held', 'show', 'abc', ...ONE, '--json']);
    expect(ended.code, said(ended)).toBe(1);
    expect(JSON.parse(ended.stdout)).toMatchObject({ error: { code: 'NOT_FOUND', message: expect.any(String), hint: expect.any(String) } });
  });
});

describe('without --json the answer is for people:', () => {
  test.for([
    [['run', '--once'], /stream\s+windows\s+asked\s+retried.*\npayments\s+\d+/],
    [['status'], /payments/],
    [['doctor'], /store/i],
    [['query', 'SELECT count(*) AS n FROM payments'], /^n\n\d+\n$/],
    [['dead-letter', 'list'], /^no dead letters\n$/],
    [['held', 'list'], /^no batches held\n$/],
    [['schema', 'show', ...ONE], /environment\s+key\s+text\nevent_id\s+key\s+text\nupdated_at\s+version\s+timestamp\n/],
    [['schema', 'history', ...ONE], /^version 1 .*page-000001\.json\.zst\n/],
  ] as const)('%s', async ([given, pattern]) => {
    const ended = await world.run(NOW, given);
    expect(ended.code, said(ended)).toBe(0);
    expect(ended.stdout).toMatch(pattern);
  });
});

describe('wrong usage ends with 2, changes nothing, and says what would be right:', () => {
  test.concurrent.for([
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['run', '--frobnicate'], /unknown option '--frobnicate'/],
    [['why'], /missing required argument 'key'/],
    [['run', '--once', '--for', 'long', 'CONFIG'], /--for is no duration: long\n {2}Write 90s, 5m, 48h or 7d\./],
    [['run', '--once', '--now', 'soon', 'CONFIG'], /--now is no time: soon\n {2}Write ISO 8601/],
    [['run', '--once', '--stream', 'refunds', 'CONFIG'], /there is no stream refunds\n {2}Configured are: payments, settlements\./],
    [['run', '--once', '--log-level', 'loud', 'CONFIG'], /Allowed choices are debug, info, warn, error, silent/],
    [['replay', ...ONE, 'CONFIG'], /replay takes either --from and --to, or --prefix/],
    [['replay', ...ONE, '--from', '2026-11-02', '--to', '2026-11-01', 'CONFIG'], /--from is before --to/],
    [['replay', ...ONE, ...RANGE, '--shard', '5/4', 'CONFIG'], /Write i\/n with i from 1 to n/],
    [['replay', ...ONE, ...RANGE, '--stop-after', 'load', 'CONFIG'], /It takes normalize/],
    [['replay', ...RANGE, 'CONFIG'], /several streams are configured\n {2}Say which one: --stream payments\|settlements/],
    [['schema', 'diff', ...ONE, '--from', '99', 'CONFIG'], /there is no schema version 99\n {2}Versions run from 0/],
    [['partner', '--faults', 'rude'], /there is no fault profile rude\n {2}There are: none, hostile, brutal\./],
    [['verify', '--from', '2026-11-02', '--to', '2026-11-01', 'CONFIG'], /the range ends before it begins/],
    [['doctor', '--stream', 'refunds', 'CONFIG'], /there is no stream refunds/],
    [['query', 'SELECT 1', '--stream', 'payments', 'CONFIG'], /unknown option '--stream'/],
    [['partner', '--port', 'http'], /--port is no number: http/],
    [['partner', '--port', '65536'], /--port is no port: 65536\n {2}Write a whole number below 65536/],
    [['demo', '--seed', 'lucky'], /--seed is no whole number: lucky/],
    [['demo', '--rate', '0.001'], /--rate 0\.001\n {2}It takes a number from 0\.005 on/],
    [['demo', '--folder', fileURLToPath(import.meta.url)], /the demo cannot work in .*commands\.test\.ts: .*\n {2}Name another folder/],
    [['demo', '--folder', 'FOLDER'], /is not empty and was not made by a demo\n {2}Nothing was touched/],
  ] as const)('%s', async ([given, pattern]) => {
    const words = given.flatMap((word) => (word === 'CONFIG' ? ['--config', world.config] : word === 'FOLDER' ? [world.folder] : [word]));
    const ended = await tidemark(words);
    expect(ended.code, said(ended)).toBe(2);
    expect(ended.notes, said(ended)).toMatch(pattern);
    expect(ended.stdout).toBe('');
  });

  test('partner, at a port that is taken', async () => {
    const port = new URL(world.partner.url).port;
    const ended = await tidemark(['partner', '--port', port]);
    expect(ended.code, said(ended)).toBe(2);
    expect(ended.notes).toMatch(/the partner cannot listen: .*EADDRINUSE.*\n {2}Name another port/);
  });

  test('no command at all prints what there is', async () => {
    const ended = await tidemark([]);
    expect(ended.code).toBe(2);
    expect(ended.notes).toContain('Usage: tidemark');
  });
});

describe('what is asked for and is not there ends with 1, and says where to look:', () => {
  test.for([
    [['why', 'evt_none', ...ONE], /evt_none/],
    [['dead-letter', 'show', 'none', ...ONE], /there is no dead letter none of stream payments\n.*dead-letter list/],
    [['dead-letter', 'retry', 'none', ...ONE], /there is no dead letter none/],
    [['dead-letter', 'lookup', 'none', ...ONE], /there is no dead letter none/],
    [['quarantine', 'show', 'abc', ...ONE], /payments has no record abc in quarantine/],
    [['quarantine', 'release', 'abc', ...ONE], /payments has no record abc in quarantine/],
    [['held', 'show', 'abc', ...ONE], /batch abc of payments is not held/],
    [['held', 'release', 'abc', ...ONE], /payments has no held batch abc/],
    [['query', 'SELECT nothing FROM nowhere'], /nowhere/],
    [['query', 'DELETE FROM payments'], /read.only/i],
  ] as const)('%s', async ([given, pattern]) => {
    const ended = await world.run(NOW, given);
    expect(ended.code, said(ended)).toBe(1);
    expect(ended.notes, said(ended)).toMatch(pattern);
    expect(ended.stdout).toBe('');
  });
});

test('the stages one by one do what run does at once', async () => {
  const other = await openWorld({
    seed: 71,
    partner: { faults: 'none', payments: { recordsPerSecond: 0.002 }, settlements: { recordsPerSecond: 0.002 } },
  });
  try {
    for (const stage of ['fetch', 'normalize', 'load']) {
      const ended = await other.run(NOW - HOUR, [stage, ...ONE]);
      expect(ended.code, said(ended)).toBe(0);
      const rows = await other.withWarehouse((warehouse) => warehouse.summary(other.stream('payments')));
      expect(rows.rows > 0, stage).toBe(stage === 'load');
    }
    expect((await other.prove())['payments']).toMatchObject({ missing: 0, stale: 0, altered: 0, duplicated: 0, foreign: 0 });
  } finally {
    await other.close();
  }
});

test('R20: a run that is told to stop in the middle says so, keeps what landed, and the next one goes on', async () => {
  const other = await openWorld({ seed: 72, pageSize: 50, partner: { faults: 'none', payments: { recordsPerSecond: 0.005 } } });
  try {
    const stopped = await other.run(NOW, ['run', '--once', ...ONE], dyingAt('after 2 receipt\\.json', 'SIGTERM'));
    expect(stopped.code, said(stopped)).toBe(1);
    expect(stopped.stdout).toMatch(/payments: ended by SIGTERM \(run\)\n {2}What has landed is kept; run again to go on\./);
    const asked = other.partner.stats().requests.payments.list;
    const next = await other.run(NOW, ['run', '--once', ...ONE, '--json']);
    expect(next.code, said(next)).toBe(0);
    const pages = (JSON.parse(next.stdout) as { totals: { pages: number } }[])[0]?.totals.pages ?? 0;
    expect(other.partner.stats().requests.payments.list - asked, 'what landed is not asked for again').toBe(pages);
    expect(pages).toBeGreaterThan(5);
    expect((await other.prove())['payments']).toMatchObject({ missing: 0, stale: 0 });
  } finally {
    await other.close();
  }
});
