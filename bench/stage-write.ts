import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { jobOfThisProcess, measure } from './child.ts';
import { eventsFile } from './setup.ts';
import { distinctKeys, textOf } from './workload.ts';

/** Writes the workload as plain NDJSON: the textbook query's input. */
const job = jobOfThisProcess();
const LINES = 1000;

await measure(async () => {
  const file = createWriteStream(eventsFile(job));
  let bytes = 0;
  for (let n = 0; n < job.workload.events; n += LINES) {
    const count = Math.min(LINES, job.workload.events - n);
    const lines = Buffer.from(Array.from({ length: count }, (_, i) => `${textOf(job.workload, n + i)}\n`).join(''));
    bytes += lines.length;
    if (!file.write(lines)) await once(file, 'drain');
  }
  file.end();
  await finished(file);
  return { bytes, distinct: distinctKeys(job.workload) };
});
