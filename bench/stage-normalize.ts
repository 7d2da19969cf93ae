import { writeFile } from 'node:fs/promises';
import { normalizeWindow } from '../src/pipeline/normalize-window.ts';
import { jobOfThisProcess, measure } from './child.ts';
import { forgetBatches, openNormalizing } from './normalizing.ts';
import { batchesFile } from './setup.ts';

/** Normalizes the fetched window into published batches. What an earlier run published is removed first. */
const job = jobOfThisProcess();
const normalizing = await openNormalizing(job);
const { context, stream, pending } = normalizing;
await forgetBatches(job, normalizing);

await measure(async () => {
  const batches = await normalizeWindow(context, stream, pending);
  await writeFile(batchesFile(job), JSON.stringify(batches.map((batch) => batch.id)));
  const sum = (of: 'observations' | 'rows' | 'quarantined'): number => batches.reduce((total, { counts }) => total + counts[of], 0);
  return { batches: batches.length, observations: sum('observations'), rows: sum('rows'), quarantined: sum('quarantined') };
});
await context.close();
