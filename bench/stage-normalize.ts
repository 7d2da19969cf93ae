import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../src/clock.ts';
import { silentLog } from '../src/log.ts';
import { readHead } from '../src/manifest/state.ts';
import { openContext } from '../src/pipeline/context.ts';
import { normalizeWindow } from '../src/pipeline/normalize-window.ts';
import { schemaKey } from '../src/store/keys.ts';
import { jobOfThisProcess, measure } from './child.ts';
import { batchesFile, openJob, storeFolder, THREADS } from './setup.ts';

/** Normalizes the fetched window into published batches. What an earlier run published is removed first. */
const job = jobOfThisProcess();
const { configuration, stream } = await openJob(job);
const context = await openContext(configuration, { clock: systemClock, log: silentLog });
await rm(join(storeFolder(job), 'curated'), { recursive: true, force: true });
await context.store.remove(schemaKey(stream.name));
const [pending] = (await readHead(context.store, stream.name))?.head.pending ?? [];
if (!pending) throw new Error('nothing was fetched');

// Threads that are up, as in a process that runs: no process's start is measured.
const { pool } = context.normalizeEffects(stream);
await Promise.all(Array.from({ length: THREADS }, () => pool.run({ kind: 'statements', run: ['SELECT 1'], ask: {}, after: [] })));

await measure(async () => {
  const batches = await normalizeWindow(context, stream, pending);
  await writeFile(batchesFile(job), JSON.stringify(batches.map((batch) => batch.id)));
  const sum = (of: 'observations' | 'rows' | 'quarantined'): number => batches.reduce((total, { counts }) => total + counts[of], 0);
  return { batches: batches.length, observations: sum('observations'), rows: sum('rows'), quarantined: sum('quarantined') };
});
await context.close();
