import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Warehouse } from '../../../src/load/warehouse.ts';
import type { RecordSchema } from '../../../src/schema/types.ts';
import { unionSchemas } from '../../../src/schema/union.ts';
import type { Stream } from '../../../src/stream.ts';
import { type Json, number } from '../../support/canonical-json.ts';
import { decimal, integer, json, list, struct, text } from '../../support/typed-sql.ts';
import { expectedTable, type LoadBench, type Observation, START, schemaOf, tableOf } from '../support.ts';

/** What the partner sent in three ages of its API: fields come, widen, change their type, get a twin in another case. */
const AGES: readonly { readonly schema: RecordSchema; readonly fields: fc.Arbitrary<Record<string, Json>> }[] = [
  {
    schema: schemaOf(1, { amount: integer, note: text, payload: struct({ a: integer, items: list(struct({ sku: text })) }) }),
    fields: fc.record({
      amount: maybe(whole(0)),
      note: maybe(fc.string({ unit: 'grapheme', maxLength: 3 })),
      payload: maybe(
        fc.record({ a: maybe(whole(0)), items: maybe(fc.array(maybe(fc.record({ sku: fc.constantFrom('x', 'y') })), { maxLength: 2 })) }),
      ),
    }),
  },
  {
    schema: schemaOf(2, {
      amount: decimal(18, 2),
      flag: { kind: 'boolean' },
      note: text,
      payload: struct({ a: integer, b: struct({ 'c.d': decimal(38, 20) }), items: list(struct({ qty: integer, sku: text })) }),
    }),
    fields: fc.record({
      amount: maybe(whole(2)),
      flag: maybe(fc.boolean()),
      payload: maybe(
        fc.record({
          a: maybe(whole(0)),
          b: maybe(fc.record({ 'c.d': whole(20) })),
          items: fc.constant<Json>([{ qty: number(1n, 0), sku: 'z' }]),
        }),
      ),
    }),
  },
  {
    schema: schemaOf(3, { amount: { kind: 'number-text' }, payload: struct({ a: json }), note: json }, ['FLAG', 'flag']),
    fields: fc.record({
      amount: maybe(whole(30)),
      FLAG: maybe(fc.constantFrom<Json>('on', true)),
      flag: maybe(fc.boolean()),
      note: maybe(fc.oneof<fc.Arbitrary<Json>[]>(fc.boolean(), fc.constant(['list', null]), fc.constant({ z: 'z', a: 'a' }))),
      payload: maybe(fc.record({ a: maybe(fc.constantFrom<Json>('text', true)) })),
    }),
  },
];

function maybe(values: fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  return fc.option(values, { nil: null, freq: 4 });
}
function whole(scale: number): fc.Arbitrary<Json> {
  return fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n }).map((unscaled) => number(unscaled, scale));
}

interface Landed {
  readonly age: number;
  readonly observation: Observation;
}
const landed: fc.Arbitrary<Landed> = fc
  .tuple(fc.nat(2), fc.constantFrom('prod', 'sandbox'), fc.constantFrom('1', '2', '3'), fc.nat(2), fc.nat(1))
  .chain(([age, environment, id, time, version]) =>
    (AGES[age]?.fields ?? fc.constant({})).map((fields) => ({
      age,
      observation: { key: [environment, id] as const, version: [START + time, version] as const, fields },
    })),
  );

const schemaAt = (ages: readonly number[]): RecordSchema =>
  ages.map((age) => AGES[age]?.schema ?? schemaOf(0, {})).reduce((a, b) => unionSchemas(a, b));

/** Deals the observations into batches, some of them into several. */
function deal(all: readonly Landed[], hands: readonly number[], again: readonly number[]): Landed[][] {
  const batches: Landed[][] = [[], [], [], []];
  for (const [index, one] of all.entries()) {
    batches[(hands[index] ?? 0) % 4]?.push(one);
    if ((again[index] ?? 0) > 1) batches[(again[index] ?? 0) % 4]?.push(one);
  }
  return batches.filter((batch) => batch.length > 0);
}

async function loadAll(
  bench: LoadBench,
  warehouse: Warehouse,
  stream: Stream,
  name: string,
  batches: readonly Landed[][],
  order: readonly number[],
): Promise<string[]> {
  for (const index of order) {
    const batch = batches[index % batches.length] ?? [];
    const schema = schemaAt(batch.map((one) => one.age));
    const observations = batch.map((one) => one.observation);
    const written = await bench.batch(`${name}-${index % batches.length}`, schema, observations, { stream: stream.name });
    await warehouse.migrate(stream, schema);
    await warehouse.load(stream, written.batch, written.files, null);
  }
  const rows = await tableOf(warehouse, stream);
  expect(await warehouse.summary(stream)).toMatchObject({ rows: rows.length, distinct: rows.length });
  return rows;
}

/** @param world a warehouse without tables, and the stream that is loaded into it: one for each run. */
export function lawSuite(
  bench: LoadBench,
  world: (name: string) => { readonly warehouse: Warehouse; readonly stream: Stream },
  numRuns: number,
): void {
  let runs = 0;
  test('R7, R11, R22: any order, any repetition and any split into batches, under any age of the schema, ends in the table that the law says', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(landed, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(3), { minLength: 12, maxLength: 12 }),
        fc.array(fc.nat(5), { minLength: 12, maxLength: 12 }),
        fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }),
        async (all, hands, again, order) => {
          runs += 1;
          const { warehouse, stream } = world(`law_${runs}`);
          const found = await loadAll(bench, warehouse, stream, `law-${runs}`, deal(all, hands, again), order);
          await warehouse.close();
          expect(found).toEqual(
            expectedTable(
              all.map((one) => one.observation),
              schemaAt(all.map((one) => one.age)),
            ),
          );
        },
      ),
      { numRuns },
    );
  });
}
