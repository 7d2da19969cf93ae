import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WhyReport } from '../../src/inspect/why-report.ts';
import type { Rehearsal } from '../../src/pipeline/rehearse.ts';
import { HOUR } from '../../src/time.ts';
import { keysOf } from '../store/contract.ts';
import { type Ended, said } from '../support/tidemark.ts';
import { imageOf, type TableImage } from '../system/table.ts';
import { NOW, openWorld, type TestWorld } from '../system/world.ts';

const ONLY = ['--stream', 'settlements'] as const;
const RANGE = ['--from', '2026-11-17', '--to', '2026-11-21', ...ONLY] as const;
const json = (ended: Ended): unknown => {
  expect(ended.code, said(ended)).toBe(0);
  return JSON.parse(ended.stdout);
};

/** Cents of an amount: right is a hundred of them. */
const transform = (version: number, factor: number): string =>
  `    transform: { version: ${version}, columns: { cents: { type: integer, sql: "CAST({amount} AS DECIMAL(28, 6)) * ${factor}" } } }`;
const MONEY = '    money: { amount: amount, currency: currency }';

describe('R27: amounts that were read wrongly for weeks', () => {
  let world: TestWorld;
  let wrong: string;
  let before: Record<string, TableImage>;
  let stored: readonly string[];
  let asked: number;

  const image = (): Promise<Record<string, TableImage>> =>
    world.withWarehouse((warehouse) => imageOf(warehouse, [world.stream('settlements')]));
  const planned = async (): Promise<Rehearsal> => json(await world.run(NOW, ['replay', '--plan', '--json', ...RANGE])) as Rehearsal;
  const replayed = async (): Promise<{ updated: number; inserted: number }> =>
    json(await world.run(NOW, ['replay', '--json', ...RANGE])) as { updated: number; inserted: number };
  const wrongRows = async (): Promise<number> => {
    const [row] = await world.withWarehouse((warehouse) =>
      warehouse.query('SELECT count(*) FILTER (_derived.cents IS DISTINCT FROM amount * 100)::INTEGER AS n FROM settlements'),
    );
    return Number(row?.['n']);
  };

  beforeAll(async () => {
    world = await openWorld({ seed: 71, settlements: `${MONEY}\n${transform(1, 1000)}`, partner: { faults: 'none' } });
    const first = await world.run(NOW - HOUR, ['run', '--once', ...ONLY]);
    expect(first.code, said(first)).toBe(0);
    wrong = await readFile(world.config, 'utf8');
    before = await image();
    stored = await keysOf(world.store.list(''));
    asked = world.partner.stats().requests.settlements.list;
    await writeFile(world.config, wrong.replace(transform(1, 1000), transform(2, 100)));
  });
  afterAll(() => world.close());

  test('a plan shows rows, money and samples by day, and changes nothing', async () => {
    const rows = before['settlements']?.rows ?? 0;
    expect(await wrongRows()).toBe(rows);
    const plan = await planned();
    const reread = plan.days.reduce((sum, day) => sum + day.reread, 0);
    expect({ reread, fields: plan.fields, transform: plan.transform }).toEqual({
      reread: rows,
      fields: { '_derived.cents': rows },
      transform: 2,
    });
    expect(plan.days.length).toBeGreaterThan(1);
    const sums = plan.days.flatMap(({ money }) => money);
    expect(new Set(sums.map(({ unit }) => unit))).toEqual(new Set(['USD', 'CAD', 'MXN'].map((currency) => `_derived.cents ${currency}`)));
    for (const sum of sums) expect(BigInt(sum.after) * 10n).toBe(BigInt(sum.before));
    expect(plan.samples[0]).toMatchObject({ kind: 'reread', fields: [{ name: '_derived.cents' }] });
    expect(plan.quarantined).toHaveProperty(['amount: present and >= 0']);
    expect(await image()).toEqual(before);
    expect(await keysOf(world.store.list(''))).toEqual(stored);
    const shown = await world.run(NOW, ['replay', '--plan', ...RANGE]);
    expect(shown.stdout).toMatch(/transform 2; nothing was changed[^]*read anew[^]*_derived\.cents USD[^]*_derived\.cents {2}\d+0 → \d+\n/);
  });

  test('a replay through the corrected transform corrects every row, without the vendor, and a second one nothing more', async () => {
    expect(await replayed()).toMatchObject({ inserted: 0, updated: before['settlements']?.rows });
    expect(await wrongRows()).toBe(0);
    expect(world.partner.stats().requests.settlements.list).toBe(asked);
    const corrected = await image();
    expect(await replayed()).toMatchObject({ inserted: 0, updated: 0 });
    expect(await image()).toEqual(corrected);
    expect((await planned()).days).toEqual([]);
    const verified = await world.run(NOW, ['verify', ...ONLY]);
    expect(verified.code, said(verified)).toBe(0);
  });

  test('a process that still runs the old transform undoes nothing, and why says which made the row', async () => {
    const corrected = await image();
    const right = await readFile(world.config, 'utf8');
    await writeFile(world.config, wrong);
    expect(await replayed()).toMatchObject({ inserted: 0, updated: 0 });
    await writeFile(world.config, right);
    expect(await image()).toEqual(corrected);
    const [row] = await world.withWarehouse((warehouse) => warehouse.query('SELECT vendor_txn_id FROM settlements LIMIT 1'));
    const report = json(await world.run(NOW, ['why', String(row?.['vendor_txn_id']), '--json', ...ONLY])) as WhyReport;
    const { observations, curated } = report.keys[0] ?? { observations: [], curated: [] };
    const made = observations.flatMap(({ batches }) => batches).find(({ batch }) => batch === curated[0]?.batch);
    expect(made?.transform).toBe(2);
  });

  test('what another expression would read under the same version is refused, with the version to write', async () => {
    const right = await readFile(world.config, 'utf8');
    await writeFile(world.config, right.replace('* 100', '* 1000'));
    const refused = await world.run(NOW, ['replay', ...RANGE]);
    await writeFile(world.config, right);
    expect(refused.code, said(refused)).toBe(2);
    expect(refused.notes).toMatch(/version 2 has read records with other columns.*\n.*write version: 3/);
  });

  test('R10: a rehearsal shows what another configuration would do to stored history, and changes nothing', async () => {
    const image0 = await image();
    const right = await readFile(world.config, 'utf8');
    const other = right
      .replace('in USD, CAD, MXN', 'in USD')
      .replace(transform(2, 100), transform(3, 100).replace('{ cents:', '{ zone: { type: text, sql: "upper({currency})" }, cents:'))
      .replace('    quality:', '    contract: { $: freeze at 0, amount: evolve, currency: evolve }\n    quality:');
    await writeFile(world.config, other);
    const frozen = json(await world.run(NOW, ['schema', 'rehearse', '--json', ...RANGE])) as Rehearsal;
    await writeFile(world.config, other.replace(/ {4}contract: .*\n/, ''));
    const loose = json(await world.run(NOW, ['schema', 'rehearse', '--json', ...RANGE])) as Rehearsal;
    const shown = await world.run(NOW, ['schema', 'rehearse', ...RANGE]);
    await writeFile(world.config, right);
    expect(frozen.quarantined).toEqual({ 'contract: $': frozen.records });
    expect(frozen.schema.changes).toEqual([]);
    expect(loose.quarantined['currency: in USD']).toBeGreaterThan(10);
    expect(loose.statements).toEqual(['ALTER TABLE main."settlements" ADD COLUMN "_derived"."zone" VARCHAR']);
    expect(loose.fields).toEqual({ '_derived.zone': expect.any(Number) });
    expect(shown.stdout).toMatch(/the table would be altered\n {2}ALTER TABLE[^]*to quarantine, by rule[^]*currency: in USD {2}\d+/);
    expect(await image()).toEqual(image0);
  });
});
