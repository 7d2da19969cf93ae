import { describe, expect, it } from 'vitest';
import { type ExplainedBatch, explainBatch } from '../../../src/load/snowflake/explain.ts';
import type { Stream } from '../../../src/stream.ts';
import { DAY, SECOND } from '../../../src/time.ts';
import { snowflakeBench } from '../snowflake/bench.ts';
import { makeStream, type Observation, observe, START, schemaOf } from '../support.ts';

const bench = snowflakeBench();

/** An event that was made and last updated so many days after the start. */
const event = (id: string, made: number, updated: number): Observation => ({
  ...observe(id, 1, { created_at: new Date((START + made * DAY) / 1000).toISOString() }),
  version: [START + updated * DAY + SECOND, 1],
});
const schema = schemaOf(1, { created_at: { kind: 'text' } });
const EVENTS = [event('a1', 60, 60), event('a2', 59, 60), event('a3', 40, 60), event('a9', 39, 60), event('b1', 1, 60)];

/** The plan of a batch, and the MERGE statements that loading it really sent; the staging table and the time of loading apart. */
async function planAndLoad(stream: Stream, events: readonly Observation[]): Promise<{ plan: ExplainedBatch; sent: readonly string[] }> {
  const { batch, files } = await bench.batch('b'.repeat(32), schema, events);
  const plan = await explainBatch(bench.engine, { database: 'DB', schema: bench.config.schema }, stream, batch, files);
  const warehouse = bench.open();
  await warehouse.migrate(stream, batch.schema);
  await warehouse.load(stream, batch, files, null);
  await warehouse.close();
  const merges = bench.server.statements.filter(({ sql }) => sql.startsWith(`MERGE INTO "DB"."${bench.config.schema}"."PAYMENTS__ROWS"`));
  return { plan, sent: merges.map(({ sql }) => plain(sql)) };
}

const plain = (sql: string): string =>
  sql
    .replaceAll(/"PAYMENTS__bbbbbbbb_\w+"/gi, '"STAGING"')
    // A plan can be run by hand, in whatever transaction.
    .replaceAll(/ AND CURRENT_TRANSACTION\(\) = '\d+'/g, '')
    .replaceAll(/TO_TIMESTAMP_LTZ\(\d+, 6\) AS "_LOADED_AT"/g, 'NOW AS "_LOADED_AT"');

describe('the plan of a batch', () => {
  it('is what loading it sends, stratum by stratum', async () => {
    const { plan, sent } = await planAndLoad(makeStream({ clusterBy: 'created_at' }), EVENTS);
    expect(plan.strata.map(({ name, rows }) => [name, rows])).toEqual([
      ['fresh', 2],
      ['late', 2],
      ['wide', 1],
    ]);
    expect(plan.strata.map(({ merge }) => plain(merge))).toEqual(sent);
  });

  it('says which keys and dates bound each stratum', async () => {
    const { plan } = await planAndLoad(makeStream({ clusterBy: 'created_at' }), EVENTS);
    const [fresh, late, wide] = plan.strata;
    expect(fresh?.days).toEqual({ first: '2026-12-30', last: '2026-12-31' });
    expect(late?.keys[1]).toEqual({ low: 'a3', high: 'a9' });
    expect([fresh, late, wide].map((stratum) => stratum?.partitionDays)).toEqual([2, 2, 1]);
    expect(fresh?.bounds.join(' ')).toContain(`BETWEEN '2026-12-30'::DATE AND '2026-12-31'::DATE`);
  });

  it('without clusterBy no date bounds anything: a key may lie under any', async () => {
    const { plan, sent } = await planAndLoad(makeStream(), EVENTS);
    expect(plan.strata.map(({ name, partitionDays }) => [name, partitionDays])).toEqual([['fresh', null]]);
    expect(plan.strata[0]?.bounds.join(' ')).not.toContain('_CLUSTER_DATE');
    expect(plan.strata.map(({ merge }) => plain(merge))).toEqual(sent);
  });

  it('a batch without rows asks for nothing', async () => {
    const { plan, sent } = await planAndLoad(makeStream({ clusterBy: 'created_at' }), []);
    expect([plan.strata, sent]).toEqual([[], []]);
  });
});
