import { totalmem } from 'node:os';
import { systemClock } from '../../src/clock.ts';
import { openEngine } from '../../src/engine.ts';
import { silentLog } from '../../src/log.ts';
import { openContext } from '../../src/pipeline/context.ts';
import { loadBatch } from '../../src/pipeline/load-batch.ts';
import { LINEAGE } from '../../src/schema/types.ts';
import { identifier, literal } from '../../src/sql.ts';
import { jobOfThisProcess, measure } from '../child.ts';
import { openJob, THREADS } from '../setup.ts';
import { hundredFile, hundreds } from './batches.ts';

/**
 * Brings one small batch into the table, from opening the database to closing it: `tidemark` as the load stage does, with its checks, its
 * ledger and its audit; `merge` by the statement that one would write by hand, and nothing else.
 */
const job = jobOfThisProcess();
const [how, index] = process.argv.slice(3);
const { configuration, stream } = await openJob(job);
const { warehouse } = configuration;
if (warehouse.kind !== 'duckdb') throw new Error('the bench has a DuckDB warehouse');
const { path } = warehouse;
const batch = (await hundreds(job))[Number(index)];
if (!batch) throw new Error(`there is no batch ${index}`);

async function byTidemark(): Promise<number> {
  const context = await openContext(configuration, { clock: systemClock, log: silentLog });
  const { inserted, updated } = await loadBatch(context, stream, batch as NonNullable<typeof batch>, null);
  await context.close();
  return inserted + updated;
}

async function byMerge(id: string): Promise<number> {
  const memoryBytes = Math.floor(totalmem() * 0.8);
  const engine = await openEngine({ path, threads: THREADS, memoryBytes, tempDirectory: configuration.workers.scratch });
  const keys = stream.key.map(({ name }) => `held.${identifier(name)} = incoming.${identifier(name)}`);
  const version = (of: string): string => `(${stream.version.map(({ name }) => `${of}.${identifier(name)}`).join(', ')})`;
  const [row] = await engine.rows(`MERGE INTO main.${identifier(stream.name)} AS held
    USING (SELECT *, now() AS ${LINEAGE.loadedAt} FROM read_parquet(${literal(hundredFile(job, id))}, hive_partitioning = false)) AS incoming
    ON (${keys.join(' AND ')})
    WHEN MATCHED AND ${version('incoming')} > ${version('held')} THEN UPDATE BY NAME
    WHEN NOT MATCHED THEN INSERT BY NAME`);
  await engine.close();
  return Number(row?.['Count']);
}

await measure(async () => ({ rows: await (how === 'merge' ? byMerge(batch.id) : byTidemark()) }));
