import { systemClock } from '../src/clock.ts';
import { fetchWindow } from '../src/fetch/window.ts';
import { silentLog } from '../src/log.ts';
import { openContext } from '../src/pipeline/context.ts';
import { jobOfThisProcess, measure } from './child.ts';
import { openJob } from './setup.ts';
import { WORKLOAD_START, workloadEnd } from './workload.ts';

/** Fetches the workload as one window: pages, receipts and the manifest, committed. */
const job = jobOfThisProcess();
const { configuration, stream } = await openJob(job);
const context = await openContext(configuration, { clock: systemClock, log: silentLog });
const lease = await context.lease(stream);

await measure(async () => {
  const window = { kind: 'backfill', start: WORKLOAD_START, end: workloadEnd(job.workload) } as const;
  const fetched = await fetchWindow(context.fetchEffects(stream), stream, window, lease);
  return { records: fetched.manifest.totals.records, pages: fetched.manifest.pages.length, manifest: fetched.key };
});
await lease.release();
await context.close();
