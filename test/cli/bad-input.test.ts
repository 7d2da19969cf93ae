import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOUR, MINUTE } from '../../src/time.ts';
import { ofAnotherVersion } from '../load/database-file.ts';
import { type MisbehavingServer, type Reply, startMisbehavingServer } from '../support/misbehaving-server.ts';
import { type Ended, said } from '../support/tidemark.ts';
import { NOW, openWorld, type TestWorld, type WorldOptions } from '../system/world.ts';

const ONLY = ['--stream', 'payments'] as const;
/** No record is so late that only the daily sweep would bring it. */
const QUIET: Omit<WorldOptions, 'seed'> = {
  attempts: 2,
  partner: { faults: 'none', late: { share: 0 }, payments: { recordsPerSecond: 0.004 } },
};

const runOnce = (world: TestWorld, now = NOW): Promise<Ended> => world.run(now, ['run', '--once', ...ONLY]);

async function expectWhole(world: TestWorld, now = NOW): Promise<void> {
  const ended = await runOnce(world, now);
  expect(ended.code, said(ended)).toBe(0);
  expect((await world.prove())['payments']).toMatchObject({ missing: 0, duplicated: 0, stale: 0, altered: 0, foreign: 0 });
}

/** Points the world's configuration at another address, or back. */
async function edit(world: TestWorld, from: string | RegExp, to: string): Promise<() => Promise<void>> {
  const text = await readFile(world.config, 'utf8');
  const edited = text.replace(from, to);
  expect(edited).not.toBe(text);
  await writeFile(world.config, edited);
  return () => writeFile(world.config, text);
}

describe('a source that answers wrongly to everything', () => {
  let world: TestWorld;
  let server: MisbehavingServer;
  let reply: Reply = {};

  beforeAll(async () => {
    world = await openWorld({ seed: 81, ...QUIET });
    server = await startMisbehavingServer(() => reply);
  });
  afterAll(async () => {
    await server.close();
    await world.close();
  });

  const HTML = { headers: { 'content-type': 'text/html' }, body: '<!doctype html><h1>Maintenance</h1>' };
  const CASES: readonly { name: string; reply: Reply; code: number; says: RegExp }[] = [
    {
      name: 'an HTML page with status 200',
      reply: HTML,
      code: 1,
      says: /the body is not JSON .*\n.*content type is text\/html, its first bytes are "<!doctype html>/,
    },
    { name: 'an empty body', reply: { body: '' }, code: 1, says: /failed 2 times: the body is empty/ },
    { name: 'a body of another shape', reply: { body: { items: [] } }, code: 1, says: /Records are expected in \$\.data\./ },
    {
      name: 'records that are no array',
      reply: { body: { data: 5, has_more: false } },
      code: 1,
      says: /Records are expected in \$\.data\./,
    },
    { name: 'a wrong key', reply: { status: 401, body: { error: 'no' } }, code: 2, says: /status 401.*\n.*file:.*payments-key/ },
    { name: 'an unknown endpoint', reply: { status: 404, body: 'not here' }, code: 2, says: /status 404.*\n.*Check `source\.list`/ },
    {
      name: 'a redirect',
      reply: { status: 302, headers: { location: 'http://elsewhere.example/events?token=x' } },
      code: 2,
      says: /redirects to http:\/\/elsewhere\.example\/events: set/,
    },
    {
      name: 'server errors',
      reply: { status: 500 },
      code: 3,
      says: /does not answer since .* requests failed: status 500.*\n.*the next run goes on from there/,
    },
    { name: 'connections that are reset', reply: { fault: 'reset' }, code: 3, says: /did not answer/ },
  ];

  test.for(CASES)('$name: exit $code, and nothing is lost', async ({ reply: given, code, says }) => {
    reply = given;
    const restore = await edit(world, `list: ${world.partner.url}/events`, `list: ${server.url}/events`);
    const ended = await runOnce(world);
    await restore();
    expect(ended.code, said(ended)).toBe(code);
    expect(ended.stdout, said(ended)).toMatch(says);
    const everything = `${ended.stdout}${ended.notes}${JSON.stringify(ended.log)}`.replaceAll(/file:\S*payments-key/g, '');
    expect(everything, 'the secret is nowhere').not.toContain('payments-key');
  });

  test('and once it answers as it should, the next run completes what those began', () => expectWhole(world));
});

describe('a partner that is down', () => {
  test('ends the run with 3 and loses nothing: the next run completes it', async () => {
    const world = await openWorld({ seed: 82, ...QUIET });
    try {
      await runOnce(world, NOW - HOUR);
      const restore = await edit(world, `list: ${world.partner.url}/events`, 'list: http://127.0.0.1:1/events');
      const down = await runOnce(world);
      expect(down.code, said(down)).toBe(3);
      expect(down.stdout).toMatch(
        /payments: http:\/\/127\.0\.0\.1:1 does not answer since .*ECONNREFUSED.*\n.*the next run goes on from there/,
      );
      await restore();
      await expectWhole(world);
    } finally {
      await world.close();
    }
  });
});

describe('configuration and places', () => {
  let world: TestWorld;
  beforeAll(async () => {
    world = await openWorld({ seed: 83, ...QUIET });
    await runOnce(world, NOW - HOUR);
  });
  afterAll(() => world.close());

  test('an unknown key: exit 2, with its line and what is allowed', async () => {
    const restore = await edit(world, 'pageSize:', 'pagesize:');
    const ended = await runOnce(world);
    await restore();
    expect(ended.code, said(ended)).toBe(2);
    const line = (await readFile(world.config, 'utf8')).split('\n').findIndex((text) => text.includes('pageSize:')) + 1;
    expect(ended.notes).toMatch(new RegExp(`${line}\\b.*pagesize`));
    expect(ended.notes).toContain('pageSize');
  });

  test('no configuration: exit 2, and how to name one', async () => {
    await rename(world.config, `${world.config}.away`);
    const ended = await runOnce(world);
    await rename(`${world.config}.away`, world.config);
    expect(ended.code, said(ended)).toBe(2);
    expect(ended.notes).toMatch(/there is no configuration at .*tidemark\.yaml\n {2}Name yours with --config FILE/);
  });

  test('a secret that is not there: exit 2, and where it was looked for', async () => {
    const restore = await edit(world, 'file:./payments-key', 'env:NO_SUCH_KEY');
    const ended = await runOnce(world);
    await restore();
    expect(ended.code, said(ended)).toBe(2);
    expect(`${ended.stdout}${ended.notes}`).toContain('NO_SUCH_KEY');
  });

  test('a store that cannot be written: exit 1, before anything is asked', async () => {
    await writeFile(join(world.folder, 'regular'), 'a file');
    const restore = await edit(world, 'file:./store', 'file:./regular/store');
    const asked = world.partner.stats().requests.payments.list;
    const ended = await runOnce(world);
    await restore();
    expect(ended.code, said(ended)).toBe(1);
    expect(ended.notes).toMatch(/cannot write .* in file:.*regular\/store: a file stands where a folder is needed/);
    expect(world.partner.stats().requests.payments.list).toBe(asked);
  });

  const warehouse = (): string => join(world.folder, 'warehouse.duckdb');

  test.for([
    [
      'a warehouse file that is no database',
      async () => Buffer.from('these are not the bytes of a database'.repeat(400)),
      /is not a DuckDB database/,
    ],
    [
      'a warehouse file of another version',
      async () => ofAnotherVersion(await readFile(warehouse())),
      /was written by another version of DuckDB/,
    ],
  ] as const)('%s: exit 1, the file is left alone, and once it is back nothing is lost', async ([, bytes, says]) => {
    const other = await bytes();
    await rename(warehouse(), `${warehouse()}.mine`);
    await writeFile(warehouse(), other);
    const ended = await runOnce(world);
    expect(ended.code, said(ended)).toBe(1);
    expect(ended.stdout, said(ended)).toMatch(says);
    expect(ended.stdout).toContain('The file was not touched');
    expect((await readFile(warehouse())).equals(other)).toBe(true);
    await rename(`${warehouse()}.mine`, warehouse());
    await expectWhole(world);
  });

  test('a warehouse folder that cannot be made: exit 1, and what landed is loaded later', async () => {
    const restore = await edit(world, 'duckdb:./warehouse.duckdb', 'duckdb:./regular/warehouse.duckdb');
    const ended = await runOnce(world, NOW + MINUTE);
    await restore();
    expect(ended.code, said(ended)).toBe(1);
    expect(ended.stdout, said(ended)).toMatch(/regular.*cannot be made/);
    await expectWhole(world, NOW + MINUTE);
  });
});

function mayMount(): string | null {
  try {
    execFileSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt'], { stdio: 'pipe' });
    return null;
  } catch (error) {
    return String((error as { stderr?: Buffer }).stderr ?? error).trim();
  }
}
const whyNot = mayMount();
if (whyNot !== null) process.stdout.write(`full disks are not tested: this machine lets nobody mount one (${whyNot})\n`);

describe.skipIf(whyNot !== null)('a full disk', () => {
  /** A namespace of its own for mounts; its disk lives as long as the commands, so they begin and end with a copy of the world's folder. */
  const onDisk = async (world: TestWorld, folder: string, sizes: readonly [small: string, large: string]): Promise<Ended[]> => {
    const disk = join(world.folder, folder);
    const entry = join(import.meta.dirname, '../../bin/tidemark');
    const command = `${entry} run --once ${ONLY.join(' ')} --config ${world.config} --now 2026-11-20T12:00:00Z --log-level info`;
    const step = (n: number): string => `${command} >${world.folder}/out${n} 2>${world.folder}/err${n}; echo $? >${world.folder}/code${n}`;
    world.partner.setNow(NOW);
    await rm(disk, { recursive: true, force: true });
    const script = [
      `mkdir -p ${disk} ${disk}.kept`,
      `mount -t tmpfs -o size=${sizes[0]} tmpfs ${disk}`,
      step(1),
      `mount -o remount,size=${sizes[1]} ${disk}`,
      step(2),
      `cp -a ${disk}/. ${disk}.kept`,
    ].join('\n');
    await runScript(script);
    await rm(disk, { recursive: true, force: true });
    await rename(`${disk}.kept`, disk);
    return Promise.all([1, 2].map((n) => endedAs(world.folder, n)));
  };

  test.for([
    ['under the store', 'store', ['120k', '200m'], /cannot write .* in file:.*store: the disk is full.*\n.*Free space under/],
    ['under the warehouse', 'disk', ['500k', '200m'], /the disk is full.*warehouse\.duckdb.*\n.*Make room and run the same again/],
    [
      'under the scratch folder',
      'scratch',
      ['120k', '400m'],
      /the scratch folder .* cannot be written: the disk is full.*\n.*Make room there/,
    ],
  ] as const)('%s: exit 1 and what to do; with more room the next run completes', async ([, folder, sizes, says]) => {
    const world = await openWorld({ seed: 84, ...QUIET });
    try {
      if (folder === 'disk') await edit(world, 'duckdb:./warehouse.duckdb', 'duckdb:./disk/warehouse.duckdb');
      const [full, roomy] = await onDisk(world, folder, sizes);
      if (!full || !roomy) throw new Error('two runs were made');
      expect(full.code, said(full)).toBe(1);
      expect(`${full.stdout}${full.notes}`, said(full)).toMatch(says);
      expect(roomy.code, said(roomy)).toBe(0);
      if (folder === 'disk') await rename(join(world.folder, 'disk', 'warehouse.duckdb'), join(world.folder, 'warehouse.duckdb'));
      expect((await world.prove())['payments']).toMatchObject({ missing: 0, duplicated: 0, stale: 0, altered: 0, foreign: 0 });
    } finally {
      await world.close();
    }
  });
});

async function runScript(script: string): Promise<void> {
  const child = spawn('unshare', ['-rm', 'sh', '-c', script], { stdio: 'inherit' });
  await once(child, 'exit');
}

async function endedAs(folder: string, n: number): Promise<Ended> {
  const [stdout = '', notes = '', code = ''] = await Promise.all(
    ['out', 'err', 'code'].map((name) => readFile(join(folder, `${name}${n}`), 'utf8')),
  );
  return { code: Number(code), signal: null, stdout, notes, log: [] };
}
