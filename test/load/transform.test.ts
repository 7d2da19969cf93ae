import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openEngine } from '../../src/engine.ts';
import type { Batch } from '../../src/manifest/documents.ts';
import { number } from '../support/canonical-json.ts';
import { integer, struct } from '../support/typed-sql.ts';
import { freshBench } from './fresh-bench.ts';
import { makeStream, observe, schemaOf, tableOf, type WrittenBatch } from './support.ts';

const bench = freshBench();
const stream = makeStream();

/** The column says which transform made the row. */
const schema = schemaOf(1, { _derived: struct({ by: integer }) });
const made = (transform: number) => ({ _derived: { by: number(BigInt(transform), 0) } });

async function batchOf(
  name: string,
  transform: number,
  versions: readonly (readonly [id: string, version: number])[],
): Promise<WrittenBatch> {
  const change: Partial<Batch> = transform === 0 ? {} : { transform };
  const observations = versions.map(([id, version]) => ({ ...observe(id, version, {}), fields: made(transform) }));
  const written = await bench.batch(name, schema, observations, change);
  // One observation has one content hash, whoever reads it.
  await bench.engine.run(`COPY (SELECT * REPLACE (md5(event_id || event_version) AS _content_hash) FROM read_parquet('${written.files[0]}'))
    TO '${written.files[0]}.same' (FORMAT parquet)`);
  return { batch: written.batch, files: [`${written.files[0]}.same`] };
}

const seen = async (warehouse: ReturnType<typeof bench.open>): Promise<readonly unknown[]> =>
  warehouse.query('SELECT event_id, event_version, _derived.by AS by FROM payments ORDER BY event_id');

describe('R27: rows that a transform made', () => {
  test('are replaced by what a newer one made of the same observation, never by what an older one did', async () => {
    const warehouse = bench.open();
    await warehouse.migrate(stream, schema);
    const load = async (written: WrittenBatch) => {
      const { inserted, updated, unchanged } = await warehouse.load(stream, written.batch, written.files, null);
      return [inserted, updated, unchanged];
    };
    expect(
      await load(
        await batchOf('plain', 0, [
          ['1', 1],
          ['2', 1],
        ]),
      ),
    ).toEqual([2, 0, 0]);
    expect(await load(await batchOf('second', 2, [['1', 1]]))).toEqual([0, 1, 0]);
    expect(
      await load(
        await batchOf('first', 1, [
          ['1', 1],
          ['2', 1],
        ]),
      ),
    ).toEqual([0, 1, 1]);
    expect(await load(await batchOf('second again', 2, [['1', 1]]))).toEqual([0, 0, 1]);
    expect(
      await load(
        await batchOf('plain again', 0, [
          ['1', 1],
          ['2', 1],
        ]),
      ),
    ).toEqual([0, 0, 2]);
    expect(await seen(warehouse)).toEqual([
      { event_id: '1', event_version: 1, by: 2 },
      { event_id: '2', event_version: 1, by: 1 },
    ]);
    const audit = await warehouse.query("SELECT detail FROM tidemark.audit WHERE action = 'load'");
    const transforms = audit.map(({ detail }) => Number(JSON.parse(String(detail)).transform ?? 0));
    expect(transforms.toSorted((a, b) => a - b)).toEqual([0, 0, 1, 2, 2]);
  });

  test('are the same table in whatever order batches of old and new processes come, and however often', async () => {
    const observed = fc.tuple(fc.constantFrom('1', '2', '3'), fc.integer({ min: 1, max: 3 }));
    const batch = fc.tuple(
      fc.integer({ min: 0, max: 2 }),
      fc.uniqueArray(observed, { minLength: 1, maxLength: 3, selector: ([id]) => id }),
    );
    let worlds = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 2, maxLength: 5 }), fc.infiniteStream(fc.nat()), async (batches, dice) => {
        const world = worlds++;
        const written = await Promise.all(batches.map(([transform, versions], at) => batchOf(`w${world}b${at}`, transform, versions)));
        const shuffled = [...written, ...written.slice(0, 1)]
          .map((one) => [dice.next().value ?? 0, one] as const)
          .sort(([a], [b]) => a - b)
          .map(([, one]) => one);
        const tables: string[][] = [];
        for (const [at, order] of [written, shuffled].entries()) {
          const warehouse = bench.open({ path: `${bench.folder}/w${world}-${at}.duckdb` });
          await warehouse.migrate(stream, schema);
          for (const { batch: document, files } of order) await warehouse.load(stream, document, files, null);
          tables.push(await tableOf(warehouse, stream));
          await warehouse.close();
        }
        expect(tables[1]).toEqual(tables[0]);
      }),
      { numRuns: 10 },
    );
  });

  test('come into a warehouse that was made before there were transforms', async () => {
    const warehouse = bench.open();
    await warehouse.migrate(stream, schema);
    const old = await batchOf('plain', 0, [['1', 1]]);
    await warehouse.load(stream, old.batch, old.files, null);
    await warehouse.close();
    const engine = await openEngine({ path: bench.path, threads: 1, memoryBytes: 256 << 20, tempDirectory: bench.folder });
    await engine.run('DROP TABLE tidemark.transforms');
    await engine.close();
    const later = bench.open();
    expect(await later.ledger('payments')).toHaveLength(1);
    const young = await batchOf('young', 1, [['1', 1]]);
    await later.migrate(stream, schema);
    await later.load(stream, young.batch, young.files, null);
    expect(await seen(later)).toEqual([{ event_id: '1', event_version: 1, by: 1 }]);
  });
});
