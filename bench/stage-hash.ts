import { openEngine } from '../src/engine.ts';
import { readSchema } from '../src/normalize/schema-store.ts';
import { jsonSql } from '../src/schema/json-sql.ts';
import { LINEAGE } from '../src/schema/types.ts';
import { identifier } from '../src/sql.ts';
import { openStore } from '../src/store/open.ts';
import { jobOfThisProcess, measure } from './child.ts';
import { openJob, THREADS } from './setup.ts';

/**
 * The hash of the curated table: of each row its key, version, content hash and the canonical text of every field, put together so that
 * the order of rows does not count. Page, batch and time of loading are left out: they are not the same in two runs.
 */
const job = jobOfThisProcess();
const { configuration, stream } = await openJob(job);
const schema = (await readSchema(await openStore(configuration.store), stream.name))?.schema;
if (!schema || configuration.warehouse.kind !== 'duckdb') throw new Error('nothing was loaded');

const text = (name: string): string => `CAST(to_json(${identifier(name)}) AS VARCHAR)`;
const [time, ...integers] = stream.version;
const parts = [
  ...stream.key.map(({ name }) => text(name)),
  `CAST(epoch_us(${identifier(time.name)}) AS VARCHAR)`,
  ...integers.map(({ name }) => `CAST(${identifier(name)} AS VARCHAR)`),
  text(LINEAGE.contentHash),
  ...schema.fields.map(({ name, type }) => `coalesce(${jsonSql(identifier(name), type)}, 'null')`),
];
const engine = await openEngine({
  path: configuration.warehouse.path,
  threads: THREADS,
  memoryBytes: 1e9,
  tempDirectory: configuration.workers.scratch,
  readOnly: true,
});
await measure(async () => {
  const [row] = await engine.rows(
    `SELECT count(*) AS n, CAST(bit_xor(md5_number(concat_ws(',', ${parts.join(', ')}))) AS VARCHAR) AS hash FROM main.${identifier(stream.name)}`,
  );
  return {
    rows: Number(row?.['n']),
    hash: BigInt(row?.['hash'] as string)
      .toString(16)
      .padStart(32, '0'),
  };
});
await engine.close();
