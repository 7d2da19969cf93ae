import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listDeadLetters } from '../../src/fetch/dead-letter.ts';
import { HOUR, parseInstant } from '../../src/time.ts';
import { type Ended, said } from '../support/tidemark.ts';
import { NOW, openWorld, type TestWorld } from '../system/world.ts';

const ONLY = ['--stream', 'payments'] as const;
/** Not so near behind the end of a chunk of the first poll that the chain before meets it as well. */
const AT = NOW - 15 * HOUR;

/** Keys that may be worth a lookup: events of which a version number was skipped, which proves nothing (R7). */
const CANDIDATES = `    candidates:
      skipped: SELECT environment, event_id FROM payments WHERE event_version > 4 ORDER BY 1, 2 LIMIT 3`;

/** A record that no page ever holds: only its lookup has it. */
const openPoisoned = (): Promise<TestWorld> =>
  openWorld({
    seed: 63,
    attempts: 2,
    pageSize: 50,
    partner: { faults: 'none', poison: [{ stream: 'payments', at: AT, largestPage: 0 }], payments: { recordsPerSecond: 0.01 } },
    response: ', culprit: $.error.record',
    payments: CANDIDATES,
  });

describe('R18, R21: a page that is never had', () => {
  let world: TestWorld;
  let first: Ended;
  const letter = async () => {
    const [entry, ...others] = (await listDeadLetters(world.store, 'payments', 'all')).filter((other) => other.letter.gap !== null);
    expect(others).toEqual([]);
    if (!entry?.letter.gap) throw new Error('no gap');
    return { ...entry, gap: entry.letter.gap };
  };
  /** Keys of everything that the partner has in the gap. */
  const keysInGap = async (): Promise<string[]> => {
    const { gap } = await letter();
    const items = [...world.partner.truth('payments')];
    const time = (text: string): number => parseInstant(text, 'iso') ?? 0;
    return items.filter(({ version: [at] }) => time(at) >= gap.from && time(at) < gap.to).map(({ key }) => key.join('/'));
  };
  const json = (ended: Ended): Record<string, unknown> => JSON.parse(ended.stdout) as Record<string, unknown>;

  beforeAll(async () => {
    world = await openPoisoned();
    first = await world.run(NOW, ['run', '--once', ...ONLY]);
  });
  afterAll(() => world.close());

  test('brings the record that its error names through the lookup, in the same run; the gap stays open and says so', async () => {
    expect(first.code, said(first)).toBe(5);
    const { lookups, resolution, gap } = await letter();
    expect(resolution).toBeNull();
    expect(lookups).toMatchObject([{ by: 'tidemark', lookedUp: [{ outcome: 'found' }] }]);
    const [key] = lookups[0]?.lookedUp ?? [];
    const why = await world.run(NOW, ['why', key?.key.join('/') ?? '', ...ONLY, '--json']);
    expect(why.code, said(why)).toBe(0);
    expect(why.stdout).toContain(key?.page);
    expect(await world.withWarehouse((warehouse) => warehouse.watermark('payments'))).toBeLessThanOrEqual(gap.from);
    const status = await world.run(NOW, ['status', ...ONLY]);
    expect(status.code).toBe(5);
    expect(status.stdout.replaceAll(/\s+/g, ' ')).toContain('1 record looked up, open whether that was all');
  });

  test('is not looked up again by the next run, and its letter tells who brought what', async () => {
    const before = world.partner.stats().requests.payments.lookup;
    await world.run(NOW, ['run', '--once', ...ONLY]);
    expect(world.partner.stats().requests.payments.lookup).toBe(before);
    const { letter: found } = await letter();
    const shown = await world.run(NOW, ['dead-letter', 'show', found.id, ...ONLY]);
    expect(shown.stdout).toMatch(/looked up by tidemark at 2026-11-20T/);
    expect(shown.stdout).toMatch(/lookups do not tell whether that was all/);
  });

  test('is repaired by ids from elsewhere, and closed in the name of who vouches for them; then the table is exact', async () => {
    const { letter: found, gap } = await letter();
    const keys = await keysInGap();
    expect(keys.length).toBeGreaterThan(0);
    const open = await world.run(NOW, ['dead-letter', 'lookup', found.id, ...keys, 'prod/evt_unknown', ...ONLY, '--json']);
    expect(open.code, said(open)).toBe(5);
    const lookedUp = json(open)['lookedUp'] as { outcome: string }[];
    expect(lookedUp.map(({ outcome }) => outcome)).toEqual([...keys.map(() => 'found'), 'missing']);
    const closed = await world.run(NOW, ['dead-letter', 'lookup', found.id, ...ONLY, '--complete', 'ticket 4711']);
    expect(closed.code, said(closed)).toBe(0);
    expect((await letter()).resolution?.reason).toMatch(/said to be all: ticket 4711$/);
    const { missing, stale, duplicated, altered, foreign } = (await world.prove())['payments'] ?? {};
    expect({ missing, stale, duplicated, altered, foreign }).toEqual({ missing: 0, stale: 0, duplicated: 0, altered: 0, foreign: 0 });
    expect(await world.withWarehouse((warehouse) => warehouse.watermark('payments'))).toBeGreaterThan(gap.to);
  });

  test('a record that is not there is an answer, not a failure', async () => {
    const ended = await world.run(NOW, ['lookup', 'prod/evt_unknown', ...ONLY, '--json']);
    expect(ended.code, said(ended)).toBe(0);
    expect(json(ended)).toMatchObject({ lookedUp: [{ outcome: 'missing', records: 0 }], rows: 0 });
  });

  test('R7: candidates of a configured query are hints: each is asked for once, unless somebody wants it again', async () => {
    const ask = async (...more: string[]): Promise<Record<string, unknown>> => {
      const ended = await world.run(NOW, ['lookup', '--candidates', 'skipped', ...more, ...ONLY, '--json']);
      expect(ended.code, said(ended)).toBe(0);
      return json(ended);
    };
    expect(await ask()).toMatchObject({ lookedUp: [{ outcome: 'found' }, { outcome: 'found' }, { outcome: 'found' }], known: 0, rows: 0 });
    expect(await ask()).toMatchObject({ lookedUp: [], known: 3 });
    expect(await ask('--again')).toMatchObject({ lookedUp: [{}, {}, {}], known: 0 });
  });

  test('R13: raw, manifests, batches and table agree afterwards, lookups included', async () => {
    const ended = await world.run(NOW, ['verify', '--json', ...ONLY]);
    expect(ended.code, said(ended)).toBe(0);
  });
});
