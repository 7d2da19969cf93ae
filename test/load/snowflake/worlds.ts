import { expect } from 'vitest';
import { isTidemarkError } from '../../../src/errors.ts';
import type { SnowflakeWarehouse } from '../../../src/load/snowflake/warehouse.ts';
import type { RecordSchema } from '../../../src/schema/types.ts';
import { unionSchemas } from '../../../src/schema/union.ts';
import type { Stream } from '../../../src/stream.ts';
import { DAY, MINUTE } from '../../../src/time.ts';
import { number } from '../../support/canonical-json.ts';
import type { ArrivedStatement, FaultKind } from '../../support/snowflake/faults.ts';
import { decimal, integer, json, text } from '../../support/typed-sql.ts';
import {
  contentHash,
  expectedTable,
  makeStream,
  type Observation,
  START,
  schemaOf,
  tableOf,
  type WrittenBatch,
  winners,
} from '../support.ts';
import type { SnowflakeBench } from './bench.ts';

/** A world: two loaders load the same batches at the same time, each in an order of its own, and whatever they ask may go wrong. */

export const LOADS_IN_WORLD = 6;
const BATCHES = 3;

/** One statement in so many goes wrong. */
const ONE_IN = 12;

const KINDS: readonly FaultKind[] = [
  'lost-before',
  'lost-after',
  'lost-for-good',
  'http-500',
  'http-503',
  'http-503-after',
  'http-403',
  'garbled-before',
  'garbled-after',
  'session-gone',
  'session-gone-after',
  'token-expired',
  'lock-timeout',
  'deadlock',
  'warehouse-suspended',
  'transaction-ended',
  'slow',
  'slow-after',
];

const AGES: readonly RecordSchema[] = [
  schemaOf(1, { amount: integer, note: text }),
  schemaOf(2, { amount: decimal(18, 2), note: text }),
  schemaOf(3, { amount: integer, note: json }, ['TAG', 'tag']),
];

/** @param seed of everything that is chosen. @returns the steps, as their statements' first words, at which something went wrong, by kind. */
export async function runWorld(bench: SnowflakeBench, seed: number): Promise<ReadonlyMap<string, FaultKind>> {
  const dice = diceOf(seed);
  const stream = makeStream({ name: `w${seed}` });
  const batches: Written[] = [];
  for (let index = 0; index < BATCHES; index++) batches.push(await writeBatch(bench, stream, batches, dice));
  const met = injectFaults(bench, dice);
  const loaders = [bench.open(), bench.open()];
  const orders = loaders.map(() => batches.toSorted(() => dice(3) - 1));
  await Promise.all(loaders.map((loader, index) => loadAll(loader, stream, orders[index] ?? [])));
  bench.server.clearFaults();
  await expectTruth(loaders[0] ?? bench.open(), bench, stream, batches);
  for (const loader of loaders) await loader.close();
  return met;
}

interface Written extends WrittenBatch {
  readonly rows: readonly Observation[];
  readonly watermark: number;
}

/** Some of its rows are those of batches before, as a sweep brings them again. */
async function writeBatch(bench: SnowflakeBench, stream: Stream, before: readonly Written[], dice: Dice): Promise<Written> {
  const schema = AGES[dice(AGES.length)] ?? schemaOf(0, {});
  const observations = Array.from({ length: 1 + dice(5) }, () => observation(dice));
  const again = before.flatMap((batch) => batch.rows).filter(() => dice(3) === 0);
  const rows = winners([...observations, ...again]);
  const index = before.length;
  const id = `${stream.name}b${index}`;
  return { ...(await bench.batch(id, schema, rows, { stream: stream.name })), rows, watermark: START + index * MINUTE };
}

/** On both sides of where one stratum ends and the next begins. */
const AGES_IN_DAYS = [0, 1, 2, 29, 30, 400];

const observation = (dice: Dice): Observation => ({
  key: ['prod', `e${dice(6)}`],
  version: [START + dice(2) - (AGES_IN_DAYS[dice(AGES_IN_DAYS.length)] ?? 0) * DAY, dice(2)],
  fields: { amount: dice(2) === 0 ? null : number(BigInt(dice(1000)), 0), note: dice(2) === 0 ? null : `n${dice(3)}` },
});

/** As a process does that is started again whenever it fails. */
async function loadAll(loader: SnowflakeWarehouse, stream: Stream, batches: readonly Written[]): Promise<void> {
  for (const { batch, watermark } of batches) {
    await again(() => loader.migrate(stream, batch.schema));
    await again(() => loader.load(stream, batch, [], watermark));
  }
}

async function again(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      if (attempt === 100 || !isTidemarkError(error) || !(error.transient || error.code === 'FENCED')) throw error;
    }
  }
}

/** Nobody else asks anything of the server meanwhile. */
function injectFaults({ server, clock }: SnowflakeBench, dice: Dice): Map<string, FaultKind> {
  const met = new Map<string, FaultKind>();
  server.faultsBy(({ sql }: ArrivedStatement) => {
    if (dice(ONE_IN) !== 0) return null;
    const kind = KINDS[dice(KINDS.length)] ?? 'session-gone';
    met.set(stepOf(sql), kind);
    // Whoever waits for an answer by then gives up, not only for this one.
    if (kind.startsWith('slow')) setTimeout(() => clock.advance(11 * 60_000), 10);
    return kind;
  });
  return met;
}

/** `MERGE … __ROWS`: the verb, and what it is about. */
function stepOf(sql: string): string {
  const [verb = ''] = /^\w+/.exec(sql) ?? [];
  const [, about = ''] = /(?:"(TIDEMARK_\w+)"|(?:__(ROWS|FENCE)"))/.exec(sql)?.filter((part) => part !== undefined) ?? [];
  return `${verb} ${about}`.trim();
}

async function expectTruth(
  warehouse: SnowflakeWarehouse,
  bench: SnowflakeBench,
  stream: Stream,
  batches: readonly Written[],
): Promise<void> {
  const ledger = await warehouse.ledger(stream.name);
  expect(ledger.map(({ batch }) => batch).toSorted()).toEqual(batches.map(({ batch }) => batch.id).toSorted());
  const all = batches.flatMap(({ rows }) => rows);
  const schema = batches.map(({ batch }) => batch.schema).reduce(unionSchemas);
  expect(await tableOf(warehouse, stream)).toEqual(expectedTable(all, schema));
  const rows = winners(all).length;
  expect(await warehouse.summary(stream)).toMatchObject({ rows, distinct: rows });
  const held = new Map<string, Observation>();
  for (const { batch, inserted, updated } of ledger) {
    const own = batches.find((each) => each.batch.id === batch)?.rows ?? [];
    expect([batch, inserted, updated]).toEqual([batch, ...changesOf(held, own)]);
  }
  const audit = await bench.sql(`SELECT "DETAIL" FROM "TIDEMARK_AUDIT" WHERE "STREAM" = '${stream.name}' AND "ACTION" = 'load'`);
  const told = audit.map((row) => JSON.parse(String(row['DETAIL'])) as { batch: string; inserted: number; updated: number });
  const entries = ledger.map(({ batch, inserted, updated }) => ({ batch, inserted, updated }));
  expect(told.map(({ batch, inserted, updated }) => ({ batch, inserted, updated })).toSorted(byBatch)).toEqual(entries.toSorted(byBatch));
  expect(await warehouse.watermark(stream.name)).toBe(Math.max(...batches.map(({ watermark }) => watermark)));
  expect(bench.server.locks.list()).toEqual([]);
}

const byBatch = (a: { readonly batch: string }, b: { readonly batch: string }): number => (a.batch < b.batch ? -1 : 1);

/** What a batch changes by the law, where the table holds `held`, which it changes. */
function changesOf(held: Map<string, Observation>, rows: readonly Observation[]): [inserted: number, updated: number] {
  let [inserted, updated] = [0, 0];
  for (const row of rows) {
    const id = row.key.join('/');
    const before = held.get(id);
    const [winner = row] = before ? winners([before, row]) : [row];
    if (!before) inserted += 1;
    else if (winner === row && contentHash(before) !== contentHash(row)) updated += 1;
    held.set(id, winner);
  }
  return [inserted, updated];
}

/** @returns a number from 0 to below `sides`. */
type Dice = (sides: number) => number;

/** Mulberry32. */
function diceOf(seed: number): Dice {
  let state = seed >>> 0;
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}
