import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openEngine } from '../src/engine.ts';
import type { Batch } from '../src/manifest/documents.ts';
import { localFile } from '../src/normalize/files.ts';
import { LINEAGE } from '../src/schema/types.ts';
import { identifier, literal } from '../src/sql.ts';
import { getJson } from '../src/store/json.ts';
import { batchKey, partKey } from '../src/store/keys.ts';
import type { ObjectStore } from '../src/store/object-store.ts';
import { openStore } from '../src/store/open.ts';
import { jobOfThisProcess, measure } from './child.ts';
import { batchIds, laterBatchesFile, openJob, THREADS } from './setup.ts';

/**
 * Makes of each published batch a later one, for a table that holds the first: every row a day later, and every second one under an id
 * that the table does not know. It is published in the store, but in no ledger's list.
 */
const job = jobOfThisProcess();
const { configuration, stream } = await openJob(job);
const store: ObjectStore = await openStore(configuration.store);
const folder = join(job.folder, 'later');
await mkdir(folder);
const engine = await openEngine({ path: ':memory:', threads: THREADS, memoryBytes: 1e9, tempDirectory: folder });
const [key, time] = [identifier(stream.key.at(-1)?.name ?? ''), identifier(stream.version[0].name)];

async function laterFile(from: Batch['files'][number], id: string, index: number): Promise<Batch['files'][number]> {
  const [before, after] = [join(folder, 'before.parquet'), join(folder, 'after.parquet')];
  await store.download(from.key, before);
  await engine.run(`COPY (SELECT * REPLACE (if(${LINEAGE.position} % 2 = 0, ${key}, 'new-' || ${key}) AS ${key},
      ${time} + INTERVAL 1 DAY AS ${time}, ${literal(id)} AS ${LINEAGE.batch})
    FROM read_parquet(${literal(before)})) TO ${literal(after)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARQUET_VERSION v2)`);
  const { rows, bytes, sha256 } = await localFile(after, from.rows);
  const to = partKey(stream.name, id, 'part', 'bench', index);
  await store.upload(to, after);
  await Promise.all([rm(before), rm(after)]);
  return { ...from, key: to, rows, bytes, sha256 };
}

await measure(async () => {
  const batches: Batch[] = [];
  for (const from of await batchIds(job)) {
    const batch = (await getJson<Batch>(store, batchKey(stream.name, from)))?.value;
    if (!batch) throw new Error(`batch ${from} is not there`);
    const id = `${from}-later`;
    const files: Batch['files'][number][] = [];
    for (const [index, file] of batch.files.entries()) files.push(await laterFile(file, id, index));
    batches.push({ ...batch, id, files });
  }
  await writeFile(laterBatchesFile(job), JSON.stringify(batches));
  return { batches: batches.length };
});
await engine.close();
await rm(folder, { recursive: true });
