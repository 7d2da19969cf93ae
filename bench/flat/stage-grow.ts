import { openEngine } from '../../src/engine.ts';
import { identifier } from '../../src/sql.ts';
import { jobOfThisProcess, measure } from '../child.ts';
import { openJob, THREADS } from '../setup.ts';

/** Fills the loaded table up to so many rows: the first rows again, under ids of their own. */
const job = jobOfThisProcess();
const wanted = Number(process.argv[3]);
const { configuration, stream } = await openJob(job);
if (configuration.warehouse.kind !== 'duckdb') throw new Error('the bench has a DuckDB warehouse');
const engine = await openEngine({
  path: configuration.warehouse.path,
  threads: THREADS,
  memoryBytes: 8e9,
  tempDirectory: configuration.workers.scratch,
});
const table = `main.${identifier(stream.name)}`;
const key = identifier(stream.key.at(-1)?.name ?? '');
const rowsNow = async (): Promise<number> => Number((await engine.rows(`SELECT count(*) AS n FROM ${table}`))[0]?.['n']);

await measure(async () => {
  await engine.run(`CREATE TEMP TABLE original AS FROM ${table} LIMIT 1_000_000`);
  for (let rows = await rowsNow(); rows < wanted; rows = await rowsNow()) {
    await engine.run(`INSERT INTO ${table} SELECT * REPLACE (${key} || '-${rows}' AS ${key}) FROM original LIMIT ${wanted - rows}`);
  }
  await engine.run('CHECKPOINT');
  return { rows: await rowsNow() };
});
await engine.close();
