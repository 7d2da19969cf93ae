import { rm } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { openEngine } from '../src/engine.ts';
import { literal } from '../src/sql.ts';
import { jobOfThisProcess, measure } from './child.ts';
import { READ_COLUMNS, STRUCT_COLUMNS } from './columns.ts';
import { eventsFile, storeFolder, THREADS } from './setup.ts';

/** What one would write by hand: read the JSON, keep the first row of each key by a window over whole rows, write Parquet. */
const job = jobOfThisProcess();
const output = join(job.folder, 'textbook.parquet');

/** The records one a line, or the landed pages as they are, whose records must be unnested. */
const SOURCES: Readonly<Record<string, string>> = {
  lines: `read_json(${literal(eventsFile(job))}, format = 'newline_delimited', columns = ${READ_COLUMNS})`,
  pages: `(SELECT unnest(record) FROM (SELECT unnest(data) AS record FROM read_json(${literal(join(storeFolder(job), 'raw/**/page-*.json.zst'))},
    columns = {data: ${literal(`STRUCT(${STRUCT_COLUMNS})[]`)}})))`,
};
const source = SOURCES[process.argv[3] ?? 'lines'];

const memoryBytes = Math.floor(totalmem() * 0.8);
const engine = await openEngine({ path: ':memory:', threads: THREADS, memoryBytes, tempDirectory: join(job.folder, 'spill') });
await measure(async () => {
  await engine.run(`COPY (SELECT * EXCLUDE (place) FROM (
      SELECT *, row_number() OVER (PARTITION BY environment, event_id ORDER BY updated_at DESC, event_version DESC) AS place FROM ${source})
    WHERE place = 1) TO ${literal(output)} (FORMAT parquet, COMPRESSION zstd)`);
  const [row] = await engine.rows(`SELECT num_rows AS n FROM parquet_file_metadata(${literal(output)})`);
  return { rows: Number(row?.['n']) };
});
await engine.close();
await rm(output);
