import { rm } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { openEngine } from '../src/engine.ts';
import { PARQUET } from '../src/normalize/statements.ts';
import { literal } from '../src/sql.ts';
import { jobOfThisProcess, measure } from './child.ts';
import { READ_COLUMNS } from './columns.ts';
import { eventsFile, THREADS } from './setup.ts';

/** The floor: DuckDB parses plain lines and writes Parquet, tuned as well as we know, and does nothing else: duplicates stay. */
const job = jobOfThisProcess();
const output = join(job.folder, 'floor.parquet');
const memoryBytes = Math.floor(totalmem() * 0.8);
const engine = await openEngine({ path: ':memory:', threads: THREADS, memoryBytes, tempDirectory: join(job.folder, 'spill') });
await measure(async () => {
  await engine.run(`COPY (FROM read_json(${literal(eventsFile(job))}, format = 'newline_delimited', maximum_object_size = ${1 << 20},
    columns = ${READ_COLUMNS})) TO ${literal(output)} (${PARQUET})`);
  const [row] = await engine.rows(`SELECT num_rows AS n FROM parquet_file_metadata(${literal(output)})`);
  return { rows: Number(row?.['n']) };
});
await engine.close();
await rm(output);
