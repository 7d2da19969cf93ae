import { readFileSync } from 'node:fs';
import { systemClock } from '../../src/clock.ts';
import { openEngine } from '../../src/engine.ts';
import { DuckDBWarehouse } from '../../src/load/duckdb.ts';
import type { Batch } from '../../src/manifest/documents.ts';
import type { Stream } from '../../src/stream.ts';

/**
 * A process of its own for the tests: `hold PATH` keeps a database open until its input ends; `load PATH JOB` loads a batch. It says
 * `ready` when it has begun.
 */
export interface Job {
  readonly stream: Stream;
  readonly batch: Batch;
  readonly files: readonly string[];
}

const LIMITS = { threads: 1, memoryBytes: 256 << 20, tempDirectory: '/tmp' };
const [, , action, path = '', job = ''] = process.argv;

if (action === 'hold') {
  const engine = await openEngine({ path, ...LIMITS });
  process.stdout.write('ready\n');
  for await (const _ of process.stdin);
  await engine.close();
} else {
  const { stream, batch, files } = JSON.parse(readFileSync(job, 'utf8')) as Job;
  const warehouse = new DuckDBWarehouse({ path, clock: systemClock, ...LIMITS });
  process.stdout.write('ready\n');
  await warehouse.load(stream, batch, files, null);
  await warehouse.close();
}
