import { pagesOfRange, replay } from '../../src/pipeline/replay.ts';
import { jobOfThisProcess, measure } from '../child.ts';
import { openNormalizing } from '../normalizing.ts';
import { WORKLOAD_START, workloadEnd } from '../workload.ts';

/** One shard of a replay of everything that was fetched: told its index and the count, it knows nothing of the others. */
const job = jobOfThisProcess();
const [index = 0, count = 1] = process.argv.slice(3).map(Number);
const { context, stream } = await openNormalizing(job);
const range = { from: WORKLOAD_START, to: workloadEnd(job.workload) };

await measure(async () => {
  const report = await replay(context, stream, pagesOfRange(context, stream, range), { load: false, shard: { index, count } });
  return { batches: report.batches, observations: report.records, rows: report.rows, quarantined: report.quarantined };
});
await context.close();
