import { describe, expect, it } from 'vitest';
import { ASSUMPTIONS, assumedValues } from '../../../src/load/snowflake/cost/assumptions.ts';
import { cheapestSize, type DayCost, dayCost, loadCost, longestMinutes, type Settings } from '../../../src/load/snowflake/cost/model.ts';
import { partnerWorkload, spreadWorkload } from '../../../src/load/snowflake/cost/recorded.ts';
import { costReport, costTable, formatCost } from '../../../src/load/snowflake/cost/report.ts';
import { ofMinutes, type Shape, updatedRows } from '../../../src/load/snowflake/cost/shape.ts';
import golden from './golden.json' with { type: 'json' };
import { recordShape } from './record.ts';

const SETTINGS: Settings = {
  recordsADay: 300_000_000,
  everyMinutes: 10,
  size: 'XSMALL',
  autoSuspendSeconds: 30,
  clusterBy: true,
  keysRise: true,
  files: 8,
  batchRecords: 5_000_000,
  daysHeld: 400,
};

/** A million inserts of a stream whose rows take 16 bytes: a partition holds a million of them, and a day brings a hundred. */
const PLAIN: Shape = {
  name: 'plain',
  source: 'made up',
  minutes: 14.4,
  records: 1_000_000,
  keys: 1_000_000,
  inserted: 1_000_000,
  unchanged: 0,
  sliceMinutes: 14.4,
  updates: [],
  recordBytes: 160,
  rowBytes: 16,
  keyBytes: 8,
};
const HUNDRED = { ...SETTINGS, recordsADay: 100_000_000, everyMinutes: 14.4 };

describe('what a MERGE touches', () => {
  it('rewrites nothing where everything is new', () => {
    expect(loadCost(PLAIN, HUNDRED).partitionsRewritten).toBe(0);
  });

  it('rewrites a partition once, however many of its rows are replaced', () => {
    const many: Shape = { ...PLAIN, updates: [[3, 500_000]] };
    expect(loadCost(many, HUNDRED).partitionsRewritten).toBe(1);
  });

  it('rewrites a partition for each row, where rows lie far apart', () => {
    const apart: Shape = { ...PLAIN, updates: Array.from({ length: 50 }, (_, slice) => [slice * 2, 1] as const) };
    expect(loadCost(apart, HUNDRED).partitionsRewritten).toBe(50);
  });

  it('reads keys, versions and hashes alone of the partitions that the bounds leave', () => {
    const updated: Shape = { ...PLAIN, updates: [[49, 10]] };
    const cost = loadCost(updated, HUNDRED);
    expect(cost.partitionsScanned).toBeCloseTo(50, 6);
    expect(cost.bytesScanned).toBeCloseTo(50 * 16_000_000 * 0.5, 0);
  });

  it('reads a day and a half where dates bound it, and the whole table where nothing does', () => {
    const random = { ...HUNDRED, keysRise: false };
    expect(loadCost(PLAIN, random).partitionsScanned).toBeCloseTo(150, 6);
    expect(loadCost(PLAIN, { ...random, clusterBy: false }).partitionsScanned).toBeCloseTo(100 * HUNDRED.daysHeld, 3);
  });

  it('never touches more than the table has', () => {
    const wide: Shape = { ...PLAIN, updates: [[5000, 1_000_000]] };
    const cost = loadCost(wide, { ...HUNDRED, daysHeld: 2 });
    expect(cost.partitionsScanned).toBeLessThanOrEqual(200);
    expect(cost.partitionsRewritten).toBeLessThanOrEqual(200);
  });
});

describe('what a day costs', () => {
  const light = { ...HUNDRED, recordsADay: 1_000_000, everyMinutes: 15, autoSuspendSeconds: 0 };
  const idle = { ...assumedValues(), idleAfterSuspendSeconds: 0, readAheadSeconds: 0, certifySeconds: 0 };

  it('bills a minute for each resume, however short the load', () => {
    const cost = dayCost({ live: PLAIN, sweep: null }, light, idle);
    expect(cost.busySeconds).toBeLessThan(60);
    expect(cost.warehouseCredits).toBeCloseTo((96 * 60) / 3600, 9);
  });

  it('bills the seconds until the warehouse sleeps, and never more than all day', () => {
    const work = { live: PLAIN, sweep: null };
    const cost = dayCost(work, { ...light, autoSuspendSeconds: 120 }, idle);
    expect(cost.warehouseCredits).toBeCloseTo((96 * (cost.busySeconds + 120)) / 3600, 9);
    expect(dayCost(work, { ...light, autoSuspendSeconds: 3600 }, idle).warehouseCredits).toBeCloseTo(24, 9);
  });

  it('bills what is asked before a load, and an hour for being certified', () => {
    const asked = { ...idle, readAheadSeconds: 100, certifySeconds: 50 };
    const cost = dayCost({ live: PLAIN, sweep: null }, light, asked);
    expect(cost.warehouseCredits).toBeCloseTo((96 * (cost.busySeconds + 100) + 24 * 50) / 3600, 9);
  });

  it('loads a window in several batches where it has more records than one may', () => {
    const work = partnerWorkload(10);
    const whole = dayCost(work, SETTINGS);
    const cut = dayCost(work, { ...SETTINGS, batchRecords: 1_000_000 });
    expect([whole.loads, cut.loads]).toEqual([144, 432]);
    expect(cut.busySeconds).toBeGreaterThan(2 * whole.busySeconds);
  });

  it('bills cloud services only beyond a tenth of the compute', () => {
    const dear = { ...idle, servicesCreditsAnHour: 4000 };
    const used = (96 * idle.statements * idle.servicesSeconds * 4000) / 3600;
    const cost = dayCost({ live: PLAIN, sweep: null }, light, dear);
    expect(cost.servicesCredits).toBeCloseTo(used - cost.warehouseCredits / 10, 6);
    expect(dayCost({ live: PLAIN, sweep: null }, light, { ...idle, servicesCreditsAnHour: 1 }).servicesCredits).toBe(0);
  });

  it('counts the daily sweep once', () => {
    const { live, sweep } = partnerWorkload(10);
    const [without, with_] = [dayCost({ live, sweep: null }, SETTINGS), dayCost({ live, sweep }, SETTINGS)];
    expect((with_.warehouseCredits - without.warehouseCredits) * 3600).toBeCloseTo(with_.sweep?.busySeconds ?? 0, 6);
  });
});

describe('cadence', () => {
  it('fewer loads cost less, as long as a record may wait', () => {
    const credits = [5, 10, 15].map((everyMinutes) => dayCost(partnerWorkload(everyMinutes), { ...SETTINGS, everyMinutes }).credits);
    expect(credits).toEqual(credits.toSorted((a, b) => b - a));
  });

  it('is as long as the deadline allows, and one minute more would miss it', () => {
    const minutes = longestMinutes(partnerWorkload, { ...SETTINGS, size: 'SMALL' }, 900) ?? 0;
    const worst = (every: number): number =>
      dayCost(partnerWorkload(every), { ...SETTINGS, size: 'SMALL', everyMinutes: every }).worstSeconds;
    expect(minutes).toBeGreaterThan(5);
    expect(worst(minutes) + ASSUMPTIONS.safetySeconds.value).toBeLessThanOrEqual(900);
    expect(worst(minutes + 1) + ASSUMPTIONS.safetySeconds.value).toBeGreaterThan(900);
    expect(longestMinutes(partnerWorkload, SETTINGS, 120)).toBeNull();
  });

  it('takes the cheapest size that keeps up, and none where none does', () => {
    const found = cheapestSize(partnerWorkload(5), { ...SETTINGS, everyMinutes: 5 });
    expect(found?.settings.size).toBe('SMALL');
    expect(dayCost(partnerWorkload(5), { ...SETTINGS, everyMinutes: 5 }).keepsUp).toBe(false);
    expect(cheapestSize(spreadWorkload(), { ...SETTINGS, everyMinutes: 5, recordsADay: 3e9 })).toBeNull();
  });
});

describe('recorded shapes', () => {
  it.each([
    ['live', 5],
    ['live', 10],
    ['live', 15],
    ['sweep', 1440],
  ] as const)('the %s shape of %i minutes is what the simulated partner sends', (kind, minutes) => {
    const { live, sweep } = partnerWorkload(minutes === 1440 ? 5 : minutes);
    const recorded = kind === 'live' ? live : (sweep ?? live);
    const again = recordShape(kind, minutes, kind === 'live' ? 2 : 0.5);
    const shares = (shape: Pick<Shape, 'records' | 'keys' | 'inserted' | 'updates'>): readonly number[] =>
      [shape.keys, shape.inserted, updatedRows(shape as Shape)].map((rows) => rows / shape.records);
    for (const [at, share] of shares(again).entries()) expect(Math.abs(share - (shares(recorded)[at] ?? 0))).toBeLessThan(0.03);
    expect(recorded.minutes).toBe(minutes);
  });

  it('a longer window brings as much more', () => {
    const { live } = partnerWorkload(10);
    expect(updatedRows(ofMinutes(live, 20))).toBeCloseTo(2 * updatedRows(live), 6);
  });
});

describe('the report', () => {
  const question = {
    recordsADay: [120_000_000, 300_000_000],
    everyMinutes: [5, 10, 15],
    deadlineSeconds: 900,
    settings: { autoSuspendSeconds: 30, clusterBy: true, keysRise: true, files: 8, batchRecords: 5_000_000, daysHeld: 400 },
  };
  const facts = (day: DayCost | null): readonly (string | number)[] =>
    day === null
      ? []
      : [
          day.settings.everyMinutes,
          day.settings.size,
          Math.round(day.load.partitionsScanned),
          Math.round(day.load.partitionsRewritten),
          Math.round(day.busySeconds),
          Number(day.credits.toFixed(2)),
        ];

  it('says the same as when it was last looked at', () => {
    const found = {
      partner: costReport({ ...question, workload: partnerWorkload }).rows.map(({ day }) => facts(day)),
      spread: costReport({ ...question, workload: spreadWorkload }).rows.map(({ day }) => facts(day)),
    };
    expect(found).toEqual(golden);
  });

  it('says that five minutes are dearer than the deadline asks for, and which cadence is in time', () => {
    const { rows } = costReport({ ...question, workload: partnerWorkload });
    const at300 = rows.filter(({ recordsADay }) => recordsADay === 300_000_000);
    const [five, , fifteen, adaptive] = at300;
    expect(adaptive?.meetsDeadline).toBe(true);
    expect(fifteen?.meetsDeadline).toBe(false);
    expect(adaptive?.day?.credits ?? 0).toBeLessThan(five?.day?.credits ?? 0);
  });

  it('prints every assumption with where it comes from', () => {
    const text = formatCost(costReport({ ...question, workload: partnerWorkload }));
    for (const { unit, source } of Object.values(ASSUMPTIONS)) {
      expect(text).toContain(unit);
      expect(text).toContain(source);
      expect(source).toMatch(/^(documented|published|assumed): ./);
    }
    expect(text).toContain('nothing of it was measured on a real account');
    expect(costTable(costReport({ ...question, workload: spreadWorkload, everyMinutes: [1], recordsADay: [3e9] }))).toContain(
      'none keeps up',
    );
  });
});
