import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { layoutOf } from '../src/fetch/judge.ts';
import { measureBody } from '../src/json/measure.ts';
import { landIndex } from '../src/landing/land.ts';
import { readManifest } from '../src/manifest/manifests.ts';
import { readHead } from '../src/manifest/state.ts';
import { readBody } from '../src/store/compress.ts';
import { openStore } from '../src/store/open.ts';
import { jobOfThisProcess, measure } from './child.ts';
import { openJob } from './setup.ts';

/**
 * What landing does for the stages behind it, once more and by itself, with the pages that were fetched: reading each body (its grammar,
 * its records' spans, its shape), and making and storing its index.
 */
const job = jobOfThisProcess();
const { configuration, stream } = await openJob(job);
const store = await openStore(configuration.store);
const scratch = join(job.folder, 'indexes');
const indexes = await openStore({ kind: 'file', path: scratch });
const [pending] = (await readHead(store, stream.name))?.head.pending ?? [];
if (!pending) throw new Error('nothing was fetched');
const layout = layoutOf(stream);
const spent = { reading: 0, index: 0 };

async function cpuSecondsOf<T>(part: keyof typeof spent, work: () => T | Promise<T>): Promise<T> {
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  spent[part] += (user + system) / 1e6;
  return result;
}

await measure(async () => {
  for (const { key, sha256, minTime, maxTime } of (await readManifest(store, pending.manifest)).pages) {
    const body = (await readBody(store, key)) ?? Buffer.alloc(0);
    const measured = await cpuSecondsOf('reading', () => measureBody(body, layout));
    await cpuSecondsOf('index', () => landIndex({ store: indexes, stream }, { body, sha256, measure: measured, minTime, maxTime }, key));
  }
  return spent;
});
await rm(scratch, { recursive: true });
