import { renameSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RecordSchema } from '../../../src/schema/types.ts';
import { HOUR } from '../../../src/time.ts';
import { number } from '../../support/canonical-json.ts';
import { integer, text } from '../../support/typed-sql.ts';
import {
  expectedTable,
  type LoadBench,
  makeStream,
  type Observation,
  observe,
  START,
  schemaOf,
  tableOf,
  type WrittenBatch,
} from '../support.ts';

const stream = makeStream();
const schema = schemaOf(1, { amount: integer, note: text });
const first = [observe('1', 1, { amount: number(5n, 0), note: 'a' }), observe('2', 1, { amount: null, note: 'b' })];
const second = [observe('2', 2, { amount: number(7n, 0), note: null }), observe('3', 1, { amount: null, note: 'c' })];

/** What every warehouse does with batches. */
export function loadingSuite(bench: LoadBench): void {
  describe('a load is exactly once in effect', () => {
    test('R12: a batch that was loaded is left alone when it comes again, and its counts are told as they were', async () => {
      const warehouse = bench.open();
      const one = await bench.batch('one', schema, first);
      const two = await bench.batch('two', schema, second);
      await warehouse.migrate(stream, schema);
      expect(await warehouse.load(stream, one.batch, one.files, START)).toMatchObject({
        outcome: 'loaded',
        inserted: 2,
        updated: 0,
        unchanged: 0,
      });
      expect(await warehouse.load(stream, two.batch, two.files, START)).toMatchObject({
        outcome: 'loaded',
        inserted: 1,
        updated: 1,
        unchanged: 0,
      });
      expect(await warehouse.load(stream, one.batch, one.files, START + HOUR)).toMatchObject({
        outcome: 'already',
        inserted: 2,
        updated: 0,
      });
      expect(await tableOf(warehouse, stream)).toEqual(expectedTable([...first, ...second], schema));
      expect((await warehouse.ledger('payments')).map((entry) => entry.batch)).toEqual(['one', 'two']);
      expect(await warehouse.watermark('payments')).toBe(START + HOUR);
    });

    test('R11, R13: the same observation in another batch changes nothing: the row keeps the lineage of its first landing', async () => {
      const warehouse = bench.open();
      const one = await bench.batch('one', schema, first);
      const sweep = await bench.batch('sweep', schema, first);
      await warehouse.migrate(stream, schema);
      await warehouse.load(stream, one.batch, one.files, null);
      const before = await warehouse.find(stream, [null, null]);
      expect(await warehouse.load(stream, sweep.batch, sweep.files, null)).toMatchObject({ inserted: 0, updated: 0, unchanged: 2 });
      expect(await warehouse.find(stream, [null, null])).toEqual(before);
      expect(before[0]).toMatchObject({
        batch: 'one',
        page: 'raw/v1/payments/page-of-one.json.zst',
        position: 0,
        version: first[0]?.version,
      });
    });

    test('R7, R8: an older version that comes late changes nothing, and of two contents of one version the greater hash stays', async () => {
      const warehouse = bench.open();
      const newest = await bench.batch('newest', schema, [observe('1', 9, { note: 'new' })]);
      const older = await bench.batch('older', schema, [observe('1', 3, { note: 'old' })]);
      const twin = await bench.batch('twin', schema, [observe('1', 9, { note: 'other' })]);
      await warehouse.migrate(stream, schema);
      for (const { batch, files } of [newest, older, twin]) await warehouse.load(stream, batch, files, null);
      const all = [observe('1', 9, { note: 'new' }), observe('1', 3, { note: 'old' }), observe('1', 9, { note: 'other' })];
      expect(await tableOf(warehouse, stream)).toEqual(expectedTable(all, schema));
    });

    test('R7, R8: a batch of several files brings new, newer, older and known rows at once, whatever their fields are called', async () => {
      const warehouse = bench.open();
      const odd = schemaOf(1, { curated: text, held: text, incoming: text, is_newer: text, key_0: text, rowid: integer });
      const row = (id: string, version: number, name: string) =>
        observe(id, version, { curated: name, held: name, incoming: name, is_newer: name, key_0: name, rowid: number(0n, 0) });
      const held = [row('1', 5, 'a'), row('2', 5, 'b'), row('3', 5, 'c'), row('4', 5, 'd')];
      const files = [
        [row('1', 6, 'newer'), row('5', 1, 'new'), row('2', 4, 'older')],
        [row('3', 5, 'c'), row('4', 9, 'newer'), row('6', 1, 'new')],
      ];
      await warehouse.migrate(stream, odd);
      const one = await bench.batch('one', odd, held);
      await warehouse.load(stream, one.batch, one.files, null);
      const two = await inFiles(bench, 'two', odd, files);
      expect(await warehouse.load(stream, two.batch, two.files, null)).toMatchObject({ inserted: 2, updated: 2, unchanged: 2 });
      expect(await tableOf(warehouse, stream)).toEqual(expectedTable([...held, ...files.flat()], odd));
    });

    test('R6: one id in two environments is two rows', async () => {
      const warehouse = bench.open();
      const both = [observe('1', 1, { note: 'live' }, 'prod'), observe('1', 5, { note: 'test' }, 'sandbox')];
      const { batch, files } = await bench.batch('both', schema, both);
      await warehouse.migrate(stream, schema);
      await warehouse.load(stream, batch, files, null);
      expect(await tableOf(warehouse, stream)).toEqual(expectedTable(both, schema));
    });
  });

  describe('what a load refuses until it is right', () => {
    test('a batch that is wider than its table is refused until the table was migrated', async () => {
      const warehouse = bench.open();
      await warehouse.migrate(stream, schemaOf(1, { amount: integer }));
      const { batch, files } = await bench.batch('wide', schema, first);
      await expect(warehouse.load(stream, batch, files, null)).rejects.toMatchObject({
        code: 'SCHEMA',
        message: expect.stringMatching(/note/),
      });
      await warehouse.migrate(stream, schema);
      expect(await warehouse.load(stream, batch, files, null)).toMatchObject({ outcome: 'loaded', inserted: 2 });
    });

    test('a stream that was never migrated has nowhere to load into', async () => {
      const { batch, files } = await bench.batch('one', schema, first);
      await expect(bench.open().load(stream, batch, files, null)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });

  describe('batches without rows', () => {
    test('a batch of an empty file, and one without files, go into the ledger and move the watermark', async () => {
      const warehouse = bench.open();
      await warehouse.migrate(stream, schema);
      const empty = await bench.batch('empty', schema, []);
      const none = await bench.batch('none', schema, [], { files: [] });
      expect(await warehouse.load(stream, empty.batch, empty.files, START)).toMatchObject({ outcome: 'loaded', inserted: 0, unchanged: 0 });
      expect(await warehouse.load(stream, none.batch, [], START + HOUR)).toMatchObject({ outcome: 'loaded', inserted: 0 });
      expect((await warehouse.ledger('payments')).map(({ batch, rows }) => [batch, rows])).toEqual([
        ['empty', 0],
        ['none', 0],
      ]);
      expect(await warehouse.watermark('payments')).toBe(START + HOUR);
    });
  });
}

/** One batch in as many files. */
async function inFiles(bench: LoadBench, id: string, of: RecordSchema, files: readonly (readonly Observation[])[]): Promise<WrittenBatch> {
  const written: WrittenBatch[] = [];
  for (const [index, observations] of files.entries()) {
    const { batch, files: paths } = await bench.batch(id, of, observations);
    const path = `${bench.folder}/${id}-${index}.parquet`;
    renameSync(paths[0] ?? '', path);
    written.push({
      batch: { ...batch, files: batch.files.map((file) => ({ ...file, key: file.key.replace(basename(paths[0] ?? ''), basename(path)) })) },
      files: [path],
    });
  }
  const all = await bench.batch(id, of, files.flat());
  return {
    batch: { ...all.batch, files: written.flatMap(({ batch }) => batch.files) },
    files: written.flatMap(({ files: [path = ''] }) => path),
  };
}
