import { renameSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Warehouse } from '../../../src/load/warehouse.ts';
import type { Batch } from '../../../src/manifest/documents.ts';
import type { RecordSchema } from '../../../src/schema/types.ts';
import type { Stream } from '../../../src/stream.ts';
import { DAY } from '../../../src/time.ts';
import { number } from '../../support/canonical-json.ts';
import { decimal, integer, json, list, struct, text } from '../../support/typed-sql.ts';
import { makeStream, type Observation, observe, START, schemaOf } from '../support.ts';
import { snowflakeBench } from './bench.ts';

/** What both warehouses say of the same batches. */

const bench = snowflakeBench();
const stream = makeStream({ money: { amount: ['payload', 'amount', 'value'], currency: ['currency'] } });

const money = (value: ReturnType<typeof number> | string, currency: string | null): Observation['fields'] => ({
  currency,
  payload: { amount: { value } },
});
const priced = (type: RecordSchema['fields'][number]['type']): RecordSchema =>
  schemaOf(1, { currency: text, payload: struct({ amount: struct({ value: type }) }) });

interface Delivered {
  readonly schema: RecordSchema;
  readonly rows: readonly Observation[];
  readonly change?: Partial<Batch>;
}

/** Loads the batches into both, one after the other. */
async function both(of: Stream, deliveries: readonly Delivered[]): Promise<readonly [Warehouse, Warehouse]> {
  const warehouses = [bench.duckdb(), bench.open()] as const;
  for (const [index, { schema, rows, change }] of deliveries.entries()) {
    const { batch, files } = await bench.batch(`b${index}`, schema, rows, change);
    for (const warehouse of warehouses) {
      await warehouse.migrate(of, schema);
      await warehouse.load(of, batch, files, START);
    }
  }
  return warehouses;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('R13: Snowflake says what DuckDB says', () => {
  const deliveries: readonly Delivered[] = [
    {
      schema: priced(integer),
      rows: [observe('1', 1, money(number(5n, 0), 'EUR')), observe('2', 1, money(number(7n, 0), null)), observe('3', 1, {})],
    },
    {
      schema: priced(decimal(18, 2)),
      rows: [observe('4', 1, money(number(550n, 2), 'EUR')), observe('5', 1, money(number(500n, 2), 'EUR'))],
    },
    { schema: priced(json), rows: [observe('6', 1, money('12.50', 'EUR')), observe('7', 1, money(number(1n, 20), 'USD'))] },
    {
      schema: schemaOf(2, { currency: text, payload: json, tags: list(struct({ a: integer, b: text })) }, ['Odd', 'odd']),
      rows: [
        observe('8', 1, { payload: { amount: { value: number(3n, 0) } }, currency: 'EUR', Odd: 'a "b" \\c', odd: [number(1n, 0)] }),
        observe('9', 1, { tags: [{ a: number(1n, 0), b: 'tab\t' }, null, { a: null, b: null }] }),
      ],
    },
  ];

  test('of rows, by key and as a whole, with every column', async () => {
    const [duck, snow] = await both(stream, deliveries);
    expect(await all(snow.contents(stream))).toEqual(await all(duck.contents(stream)));
    expect(await all(snow.rows(stream))).toEqual(await all(duck.rows(stream)));
    expect(await snow.find(stream, [null, '4'])).toEqual(await duck.find(stream, [null, '4']));
    expect(await snow.summary(stream)).toEqual(await duck.summary(stream));
    expect(await snow.ledger('payments')).toEqual(await duck.ledger('payments'));
    expect(await snow.watermark('payments')).toEqual(await duck.watermark('payments'));
  });

  test('of money, wherever and as whatever type it stands', async () => {
    const [duck, snow] = await both(stream, deliveries);
    const sums = async (warehouse: Warehouse, of: Stream, from: number, to: number) => {
      const counts = new Map<string, number>();
      for await (const { amount, currency, rows } of warehouse.tally(of, from, to))
        counts.set(`${amount} ${currency}`, (counts.get(`${amount} ${currency}`) ?? 0) + rows);
      return Object.fromEntries(counts);
    };
    const [from, to] = [START, START + DAY];
    expect(await sums(snow, stream, from, to)).toEqual(await sums(duck, stream, from, to));
    expect(await sums(snow, stream, from, to)).toMatchObject({ '"12.50" "EUR"': 1 });
    expect(await sums(snow, stream, from, from + 1)).toEqual({});
    const odd = makeStream({ money: { amount: ['Odd'], currency: ['nowhere'] } });
    expect(await sums(snow, odd, from, to)).toEqual(await sums(duck, odd, from, to));
    const none = makeStream();
    expect(await sums(snow, none, from, to)).toEqual({ 'null null': 9 });
  });

  test('of what a load would change, before it does', async () => {
    const [duck, snow] = await both(stream, deliveries);
    const schema = schemaOf(3, { currency: text, payload: json, note: text, tags: list(struct({ a: integer, b: text })) }, ['Odd', 'odd']);
    const rows = [
      observe('1', 1, money(number(5n, 0), 'EUR')),
      observe('4', 2, { ...money(number(6n, 0), 'EUR'), note: 'more' }),
      observe('8', 2, { currency: 'EUR', Odd: 'other' }),
      observe('new', 1, money('9', 'USD')),
    ];
    const { batch, files } = await bench.batch('next', schema, rows);
    const [theirs, ours] = [await duck.preview(stream, batch, files), await snow.preview(stream, batch, files)];
    expect({ ...ours, statements: [] }).toEqual({ ...theirs, statements: [] });
    expect(ours.days).not.toEqual([]);
    expect(ours.statements).toEqual([expect.stringMatching(/^ALTER TABLE .*"PAYMENTS__ROWS" ADD COLUMN "NOTE" VARCHAR COMMENT/)]);
    expect((await snow.summary(stream)).rows).toBe(9);
    const young = makeStream({ name: 'young' });
    expect(await snow.preview(young, batch, files)).toEqual(await duck.preview(young, batch, files));
  });
});

describe('R27: rows that a transform made', () => {
  const made = schemaOf(1, { _derived: struct({ by: integer, net: decimal(18, 2) }) });

  /** One observation has one content hash, whoever reads it. */
  async function readBy(name: string, transform: number, versions: readonly (readonly [id: string, version: number])[]) {
    const rows = versions.map(([id, version]) => ({
      ...observe(id, version, {}),
      fields: { _derived: { by: number(BigInt(transform), 0), net: number(BigInt(transform * 150), 2) } },
    }));
    const written = await bench.batch(name, made, rows, transform === 0 ? {} : { transform });
    const [file = ''] = written.files;
    const same = 'SELECT * REPLACE (md5(event_id || event_version) AS _content_hash)';
    await bench.engine.run(`COPY (${same} FROM read_parquet('${file}')) TO '${file}.same' (FORMAT parquet)`);
    renameSync(`${file}.same`, file);
    return written;
  }

  test('are replaced by what a newer one made of the same observation, never by what an older one did', async () => {
    const warehouses = [bench.duckdb(), bench.open()];
    const steps = [
      await readBy('plain', 0, [
        ['1', 1],
        ['2', 1],
      ]),
      await readBy('second', 2, [['1', 1]]),
      await readBy('first', 1, [
        ['1', 1],
        ['2', 1],
      ]),
      await readBy('again', 2, [['1', 1]]),
      await readBy('newer', 0, [['2', 2]]),
    ];
    const told: unknown[][] = [];
    for (const warehouse of warehouses) {
      await warehouse.migrate(stream, made);
      const outcomes: unknown[] = [];
      for (const { batch, files } of steps) {
        const { days, fields, money: sums, samples, same } = await warehouse.preview(stream, batch, files);
        const { inserted, updated, unchanged } = await warehouse.load(stream, batch, files, null);
        outcomes.push({ days, fields, sums, samples, same, changed: [inserted, updated, unchanged] });
      }
      told.push(outcomes);
    }
    expect(told[1]).toEqual(told[0]);
    expect(told[1]?.map((one) => (one as { changed: number[] }).changed)).toEqual([
      [2, 0, 0],
      [0, 1, 0],
      [0, 1, 1],
      [0, 0, 1],
      [0, 1, 0],
    ]);
    const [duck, snow] = await Promise.all(warehouses.map((warehouse) => all(warehouse.contents(stream))));
    expect(snow).toEqual(duck);
  });
});
