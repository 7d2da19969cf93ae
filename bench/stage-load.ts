import { readFile, rm } from 'node:fs/promises';
import { systemClock } from '../src/clock.ts';
import { silentLog } from '../src/log.ts';
import type { Batch } from '../src/manifest/documents.ts';
import { openContext } from '../src/pipeline/context.ts';
import { loadBatch } from '../src/pipeline/load-batch.ts';
import { getJson } from '../src/store/json.ts';
import { batchKey } from '../src/store/keys.ts';
import { jobOfThisProcess, measure } from './child.ts';
import { batchesFile, openJob } from './setup.ts';

/** Loads the published batches into an empty warehouse: brought, checked, migrated, merged, committed. */
const job = jobOfThisProcess();
const { configuration, stream } = await openJob(job);
if (configuration.warehouse.kind === 'duckdb') await rm(configuration.warehouse.path, { force: true });
const context = await openContext(configuration, { clock: systemClock, log: silentLog });
const ids = JSON.parse(await readFile(batchesFile(job), 'utf8')) as string[];

await measure(async () => {
  let inserted = 0;
  let updated = 0;
  for (const id of ids) {
    const batch = await getJson<Batch>(context.store, batchKey(stream.name, id));
    if (!batch) throw new Error(`batch ${id} is not there`);
    const outcome = await loadBatch(context, stream, batch.value, null);
    inserted += outcome.inserted;
    updated += outcome.updated;
  }
  return { inserted, updated };
});
await context.close();
