import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOUR } from '../../src/time.ts';
import { type Ended, said } from '../support/tidemark.ts';
import { NOW, openWorld, type TestWorld } from '../system/world.ts';

const ONLY = ['--stream', 'payments'] as const;
const json = (ended: Ended): unknown => JSON.parse(ended.stdout);

interface Entry {
  readonly id: string;
  readonly rules: readonly string[];
  readonly value: string;
  readonly key: readonly string[];
}

describe('R10: a stream whose fields are frozen', () => {
  let world: TestWorld;
  let run: Ended;
  let entries: readonly Entry[];
  const listed = async (): Promise<readonly Entry[]> => json(await world.run(NOW, ['quarantine', 'list', '--json', ...ONLY])) as Entry[];

  beforeAll(async () => {
    world = await openWorld({ seed: 61, partner: { faults: 'none', payments: { recordsPerSecond: 0.01 } } });
    const first = await world.run(NOW - 2 * HOUR, ['run', '--once', ...ONLY]);
    expect(first.code, said(first)).toBe(0);
    const { version } = json(await world.run(NOW - 2 * HOUR, ['schema', 'show', '--json', ...ONLY])) as { version: number };
    const config = await readFile(world.config, 'utf8');
    await writeFile(world.config, config.replace('latestBy:', `contract: { $: freeze at ${version} }\n    latestBy:`));
    run = await world.run(NOW, ['run', '--once', ...ONLY]);
    entries = await listed();
  });
  afterAll(() => world.close());

  test('puts records with a new field into quarantine, and says so in the log', async () => {
    expect(run.code, said(run)).toBe(0);
    expect(entries.length).toBeGreaterThan(0);
    expect(new Set(entries.flatMap(({ rules }) => rules))).toEqual(new Set(['contract: $']));
    const broken = run.log.filter(({ msg }) => msg === 'contract broken');
    const fields = broken.flatMap((line) => Object.keys(line['fields'] as Record<string, number>));
    expect(new Set(fields)).toEqual(new Set(entries.map(({ value }) => value)));
    expect((await world.prove())['payments']).toMatchObject({ duplicated: 0, altered: 0, foreign: 0 });
    const status = await world.run(NOW, ['status', ...ONLY]);
    expect(status.stdout).toMatch(/contract: \$/);
  });

  test('lets one that is released in with its field, while the others stay out', async () => {
    const [{ id, key, value } = { id: '', key: [], value: '' }] = entries;
    const released = await world.run(NOW, ['quarantine', 'release', id, '--reason', 'announced', ...ONLY]);
    expect(released.code, said(released)).toBe(0);
    expect(released.stdout).toMatch(/is released; 1 row loaded/);
    const rows = await world.withWarehouse((warehouse) => warehouse.find(world.stream('payments'), key));
    const field = value.split('.').at(-1) ?? '';
    expect(rows[0]?.row).toContain(JSON.stringify(field));
    expect(await listed()).toHaveLength(entries.length - 1);
  });

  test('takes all of them in by a replay once they may evolve, and then has the partner’s whole truth', async () => {
    const config = await readFile(world.config, 'utf8');
    await writeFile(world.config, config.replace(/contract: .*\n {4}/, ''));
    const replayed = await world.run(NOW, ['replay', '--from', '2026-11-17', '--to', '2026-11-21', ...ONLY]);
    expect(replayed.code, said(replayed)).toBe(0);
    expect((await world.prove())['payments']).toMatchObject({ missing: 0, duplicated: 0, stale: 0, altered: 0, foreign: 0 });
  });
});
