import { writeFile } from 'node:fs/promises';
import { openEngine } from '../../src/engine.ts';
import type { Batch } from '../../src/manifest/documents.ts';
import { localFile } from '../../src/normalize/files.ts';
import { PARQUET } from '../../src/normalize/statements.ts';
import { LINEAGE } from '../../src/schema/types.ts';
import { identifier, literal, literalList } from '../../src/sql.ts';
import { getJson } from '../../src/store/json.ts';
import { batchKey, partKey } from '../../src/store/keys.ts';
import { openStore } from '../../src/store/open.ts';
import { jobOfThisProcess, measure } from '../child.ts';
import { batchIds, laterBatchesFile, openJob, THREADS } from '../setup.ts';
import { BATCH_ROWS, hundredFile } from './batches.ts';

/** Makes of the first published batch several small ones: half of each one's rows are new, half later versions of rows all over the table. */
const job = jobOfThisProcess();
const count = Number(process.argv[3]);
const { configuration, stream } = await openJob(job);
const store = await openStore(configuration.store);
const [first = ''] = await batchIds(job);
const from = (await getJson<Batch>(store, batchKey(stream.name, first)))?.value;
const [file] = from?.files ?? [];
if (!from || !file) throw new Error('nothing was normalized');
const before = await Promise.all(
  from.files.map(async ({ key }, index) => {
    const path = hundredFile(job, `before-${index}`);
    await store.download(key, path);
    return path;
  }),
);
const engine = await openEngine({ path: ':memory:', threads: THREADS, memoryBytes: 2e9, tempDirectory: job.folder });
const [key, time] = [identifier(stream.key.at(-1)?.name ?? ''), identifier(stream.version[0].name)];

await measure(async () => {
  const batches: Batch[] = [];
  for (let index = 0; index < count; index++) {
    const id = `${from.id}-${index}`;
    const path = hundredFile(job, id);
    await engine.run(`COPY (SELECT * REPLACE (if(${LINEAGE.position} % 2 = 0, 'new-${index}-' || ${key}, ${key}) AS ${key},
        ${time} + INTERVAL ${index + 1} DAY AS ${time}, ${literal(id)} AS ${LINEAGE.batch})
      FROM (FROM read_parquet(${literalList(before)}) ORDER BY hash(${key}, ${index}) LIMIT ${BATCH_ROWS})) TO ${literal(path)} (${PARQUET})`);
    const local = await localFile(path, BATCH_ROWS);
    const to = partKey(stream.name, id, 'part', 'bench', 0);
    await store.upload(to, path);
    batches.push({
      ...from,
      id,
      counts: { ...from.counts, rows: BATCH_ROWS },
      files: [{ ...file, key: to, rows: local.rows, bytes: local.bytes, sha256: local.sha256 }],
    });
  }
  await writeFile(laterBatchesFile(job), JSON.stringify(batches));
  return { batches: batches.length };
});
await engine.close();
