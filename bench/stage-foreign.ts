import { link, mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pagesOfPrefix, replay } from '../src/pipeline/replay.ts';
import { jobOfThisProcess, measure } from './child.ts';
import { forgetBatches, openNormalizing } from './normalizing.ts';
import { storeFolder } from './setup.ts';

/** Normalizes the same bodies as `replay --prefix` does pages that something else landed: without receipts, and without indexes. */
const job = jobOfThisProcess();
const normalizing = await openNormalizing(job);
const { context, stream, manifest } = normalizing;
await forgetBatches(job, normalizing);
const prefix = 'foreign';
await mkdir(join(storeFolder(job), prefix), { recursive: true });
for (const { key } of manifest.pages) await link(join(storeFolder(job), key), join(storeFolder(job), prefix, basename(key)));

await measure(async () => {
  const report = await replay(context, stream, pagesOfPrefix(context.store, `${prefix}/`, false), { load: false, shard: null });
  return { batches: report.batches, observations: report.records, rows: report.rows, quarantined: report.quarantined };
});
await rm(join(storeFolder(job), prefix), { recursive: true });
await context.close();
