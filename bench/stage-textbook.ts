import { rm } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { openEngine } from '../src/engine.ts';
import { identifier, literal } from '../src/sql.ts';
import { jobOfThisProcess, measure } from './child.ts';
import { eventsFile, storeFolder, THREADS } from './setup.ts';

/**
 * What one would write by hand: read the JSON, keep the first row of each key by a window over whole rows, write Parquet. It is given
 * the columns: left to find them, DuckDB looks at the first rows only and then fails at the object that appears half-way.
 */
const COLUMNS: Readonly<Record<string, string>> = {
  event_id: 'VARCHAR',
  environment: 'VARCHAR',
  transaction_id: 'VARCHAR',
  event_type: 'VARCHAR',
  event_version: 'BIGINT',
  updated_at: 'TIMESTAMPTZ',
  created_at: 'VARCHAR',
  payload: `STRUCT(amount DECIMAL(18, 2), currency VARCHAR, exchange_rate DECIMAL(18, 4),
    customer STRUCT(id VARCHAR, email VARCHAR, "name" VARCHAR, ip VARCHAR),
    merchant STRUCT(id VARCHAR, "name" VARCHAR, country VARCHAR, mcc BIGINT),
    card STRUCT(brand VARCHAR, last4 VARCHAR, expiry VARCHAR),
    items STRUCT(sku VARCHAR, quantity BIGINT, unit_price DECIMAL(18, 2))[],
    metadata STRUCT(channel VARCHAR, trace BIGINT, note VARCHAR, device STRUCT(os VARCHAR, "version" VARCHAR)),
    risk STRUCT(score DECIMAL(18, 3), "level" VARCHAR, rules VARCHAR[]))`,
};
const list = (of: (name: string, type: string) => string): string =>
  Object.entries(COLUMNS)
    .map(([name, type]) => of(name, type))
    .join(', ');

const job = jobOfThisProcess();
const output = join(job.folder, 'textbook.parquet');

/** The records one a line, or the landed pages as they are, whose records must be unnested. */
const SOURCES: Readonly<Record<string, string>> = {
  lines: `read_json(${literal(eventsFile(job))}, format = 'newline_delimited', columns = {${list((name, type) => `${name}: ${literal(type)}`)}})`,
  pages: `(SELECT unnest(record) FROM (SELECT unnest(data) AS record FROM read_json(${literal(join(storeFolder(job), 'raw/**/page-*.json.zst'))},
    columns = {data: ${literal(`STRUCT(${list((name, type) => `${identifier(name)} ${type}`)})[]`)}})))`,
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
