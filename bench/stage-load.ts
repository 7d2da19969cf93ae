import { copyFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../src/clock.ts';
import { silentLog } from '../src/log.ts';
import type { Batch } from '../src/manifest/documents.ts';
import { type Context, openContext } from '../src/pipeline/context.ts';
import { loadBatch } from '../src/pipeline/load-batch.ts';
import { getJson } from '../src/store/json.ts';
import { batchKey } from '../src/store/keys.ts';
import { jobOfThisProcess, measure } from './child.ts';
import { batchIds, laterBatchesFile, openJob } from './setup.ts';

/**
 * Loads batches: brought, checked, migrated, merged, committed. The published ones into an empty warehouse; or, told `filled`, what
 * stage-later made of them into a copy of the warehouse that the first load left.
 */
const job = jobOfThisProcess();
const filled = process.argv[3] === 'filled';
const { configuration, stream } = await openJob(job);
if (configuration.warehouse.kind !== 'duckdb') throw new Error('the bench has a DuckDB warehouse');
const path = filled ? join(job.folder, 'filled.duckdb') : configuration.warehouse.path;
if (filled) await copyFile(configuration.warehouse.path, path);
else await rm(path, { force: true });
const warehouse = { ...configuration.warehouse, path };
const context = await openContext({ ...configuration, warehouse }, { clock: systemClock, log: silentLog });

async function* published({ store }: Context): AsyncIterable<Batch> {
  for (const id of await batchIds(job)) {
    const batch = await getJson<Batch>(store, batchKey(stream.name, id));
    if (!batch) throw new Error(`batch ${id} is not there`);
    yield batch.value;
  }
}
const later = async (): Promise<Batch[]> => JSON.parse(await readFile(laterBatchesFile(job), 'utf8')) as Batch[];

await measure(async () => {
  let inserted = 0;
  let updated = 0;
  for await (const batch of filled ? await later() : published(context)) {
    const outcome = await loadBatch(context, stream, batch, null);
    inserted += outcome.inserted;
    updated += outcome.updated;
  }
  return { inserted, updated };
});
await context.close();
if (filled) await rm(path);
