import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatInstant, HOUR } from '../../src/time.ts';
import { type Ended, said } from '../support/tidemark.ts';
import { imageOf, type TableImage } from '../system/table.ts';
import { NOW, openWorld, type TestWorld } from '../system/world.ts';

const BAND = '      volume: { trailing: 3, band: [0.5, 2.0] }';
/** In its last hour the vendor has ten times as much as ever. */
const SURGE = { from: NOW - HOUR, to: NOW, factor: 10 };
const ONLY = ['--stream', 'settlements'] as const;

const open = (): Promise<TestWorld> =>
  openWorld({
    seed: 51,
    settlements: BAND,
    partner: { faults: 'none', badShare: 0.05, settlements: { recordsPerSecond: 0.008, surges: [SURGE] } },
  });

const json = (ended: Ended): unknown => JSON.parse(ended.stdout);
const imageIn = (world: TestWorld): Promise<Record<string, TableImage>> =>
  world.withWarehouse((warehouse) => imageOf(warehouse, [world.stream('settlements')]));
const wrong = async (world: TestWorld): Promise<{ missing: number; stale: number }> => {
  const { missing = -1, stale = -1, ...proof } = (await world.prove())['settlements'] ?? {};
  expect(proof).toMatchObject({ duplicated: 0, altered: 0, foreign: 0 });
  return { missing, stale };
};

/** Three polls that make an average, and the fourth, which is out of band. @returns the fourth. */
async function runIntoTheSurge(world: TestWorld): Promise<Ended> {
  for (const hoursAgo of [3, 2, 1]) {
    const ended = await world.run(NOW - hoursAgo * HOUR, ['run', '--once', ...ONLY]);
    expect(ended.code, said(ended)).toBe(0);
  }
  return world.run(NOW, ['run', '--once', ...ONLY]);
}

interface HeldEntry {
  readonly held: { readonly batch: string; readonly reason: string };
}

describe('R23, R24: the gate before the warehouse', () => {
  let world: TestWorld;
  let held: Ended;
  let before: Record<string, TableImage>;

  beforeAll(async () => {
    world = await open();
    held = await runIntoTheSurge(world);
    before = await imageIn(world);
  });
  afterAll(() => world.close());

  test('a batch outside the volume band is held: exit 4, and finance reads on what was promoted before', async () => {
    expect(held.code, said(held)).toBe(4);
    expect(held.stdout).toMatch(/settlements: 1 held; see \S*tidemark held list .*--stream settlements/);
    const { missing, stale } = await wrong(world);
    expect(missing + stale, 'nothing of the held batch is in the table').toBeGreaterThan(0);
    const again = await world.run(NOW, ['load', ...ONLY]);
    expect(again.code, said(again)).toBe(4);
    expect(await imageIn(world)).toEqual(before);
  });

  test('it is listed with what was compared, and holds the watermark back', async () => {
    const listed = await world.run(NOW, ['held', 'list', '--json']);
    expect(listed.code, said(listed)).toBe(4);
    const [entry, ...others] = json(listed) as HeldEntry[];
    expect(others).toEqual([]);
    expect(entry?.held.reason).toMatch(/^\d+ rows in .*, where .* pass \(0.5 to 2 times the average of /);
    const watermark = await world.withWarehouse((warehouse) => warehouse.watermark('settlements'));
    expect(watermark).toBeLessThan(NOW - HOUR / 2);
    const status = await world.run(NOW, ['status', '--json']);
    expect(status.code, said(status)).not.toBe(0);
  });

  test('a replay does not bring it in: that takes a release', async () => {
    const replayed = await world.run(NOW, ['replay', ...ONLY, '--from', formatInstant(NOW - 5 * HOUR), '--to', formatInstant(NOW)]);
    expect(replayed.code, said(replayed)).toBe(0);
    expect(await imageIn(world)).toEqual(before);
  });

  test('it holds nobody else up: a later sweep loads what is new to it', async () => {
    const swept = await world.run(NOW, ['run', '--once', '--sweep', ...ONLY]);
    expect(swept.code, said(swept)).toBe(4);
    expect(await wrong(world)).toEqual({ missing: 0, stale: 0 });
  });

  test('released, it is loaded, and once nothing is held any more the watermark goes on and the exit is 0', async () => {
    // The poll before the sweep saw the same hours, and was held as well.
    const entries = json(await world.run(NOW, ['held', 'list', '--json'])) as HeldEntry[];
    const codes: (number | null)[] = [];
    for (const { held: each } of entries) {
      const released = await world.run(NOW, ['held', 'release', each.batch, '--reason', 'month end', ...ONLY]);
      expect(released.stdout, said(released)).toMatch(/is released; \d+ rows loaded/);
      codes.push(released.code);
    }
    expect(codes).toEqual([...entries.slice(1).map(() => 4), 0]);
    expect(await wrong(world)).toEqual({ missing: 0, stale: 0 });
    expect(await world.withWarehouse((warehouse) => warehouse.watermark('settlements'))).toBeGreaterThanOrEqual(NOW);
    const other = await world.run(NOW, ['held', 'discard', entries[0]?.held.batch ?? '', ...ONLY]);
    expect(other.code, said(other)).toBe(1);
    expect(other.notes).toMatch(/was released by .*: month end\n.*That decision stands/);
  });

  test('bad rows are in quarantine, each with its rule, its value and its bytes, and not in the table', async () => {
    const listed = await world.run(NOW, ['quarantine', 'list', '--json', ...ONLY]);
    expect(listed.code, said(listed)).toBe(0);
    const entries = json(listed) as { id: string; rules: string[]; value: string | null; key: string[]; reason: string }[];
    expect(new Set(entries.flatMap((entry) => entry.rules))).toEqual(new Set(['amount: present and >= 0', 'currency: in USD, CAD, MXN']));
    const truth = world.partner.truth('settlements', { refused: 'include' });
    const refused = [...truth].filter((item) => item.refused !== null).map((item) => item.key[0] ?? '');
    expect(new Set(entries.map((entry) => entry.key[0]))).toEqual(new Set(refused));
    const { id, key } = entries.find((entry) => entry.value?.startsWith('-')) ?? entries[0] ?? { id: '', key: [] };
    const shown = await world.run(NOW, ['quarantine', 'show', id, ...ONLY]);
    expect(shown.stdout).toContain(`"vendor_txn_id":"${key[0]}"`);
  });

  test('a quarantined record that is released enters, and one that is discarded stays out', async () => {
    const entries = json(await world.run(NOW, ['quarantine', 'list', '--json', ...ONLY])) as { id: string; key: string[] }[];
    const [first, second] = entries;
    const released = await world.run(NOW, ['quarantine', 'release', first?.id ?? '', '--reason', 'checked', ...ONLY]);
    expect(released.code, said(released)).toBe(0);
    expect(released.stdout).toMatch(/is released; 1 row loaded/);
    const discarded = await world.run(NOW, ['quarantine', 'discard', second?.id ?? '', ...ONLY]);
    expect(discarded.code, said(discarded)).toBe(0);
    const rows = await world.withWarehouse((warehouse) =>
      warehouse.query(`SELECT vendor_txn_id FROM settlements WHERE vendor_txn_id IN ('${first?.key[0]}', '${second?.key[0]}')`),
    );
    expect(rows).toEqual([{ vendor_txn_id: first?.key[0] }]);
    const left = json(await world.run(NOW, ['quarantine', 'list', '--json', ...ONLY])) as unknown[];
    expect(left.length).toBe(entries.length - 2);
  });
});

describe('R23: a held batch that is discarded', () => {
  test('stays out and holds nothing any more, and a sweep sees its records again', async () => {
    const world = await open();
    try {
      expect((await runIntoTheSurge(world)).code).toBe(4);
      const before = await imageIn(world);
      const [entry] = json(await world.run(NOW, ['held', 'list', '--json', ...ONLY])) as HeldEntry[];
      const refused = json(await world.run(NOW, ['quarantine', 'list', '--json', ...ONLY])) as { id: string; page: string }[];
      const within = refused.find(({ page }) => page.includes(`_${formatInstant(NOW).replaceAll(/[-:]/g, '').slice(0, 13)}`));
      const released = await world.run(NOW, ['quarantine', 'release', within?.id ?? '', ...ONLY]);
      expect(released.notes, 'nor does a record of it come in before it').toMatch(/not let through yet[^]*held list/);
      const discarded = await world.run(NOW, ['held', 'discard', entry?.held.batch ?? '', ...ONLY]);
      expect(discarded.code, said(discarded)).toBe(0);
      expect(await imageIn(world)).toEqual(before);
      await world.run(NOW, ['run', '--once', '--sweep', ...ONLY]);
      const { settlements } = await world.prove();
      expect(settlements, 'with the record that was released').toMatchObject({ missing: 0, stale: 0, altered: 0, foreign: 1 });
    } finally {
      await world.close();
    }
  });
});
