import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeMachine, freeBytes } from './machine.ts';
import { HELP, type Options, parseOptions } from './options.ts';
import { screen } from './screen.ts';
import { runStages } from './stages.ts';
import { contradictions, judgeTable, recordTable } from './verdict.ts';

/** Events, pages, intermediate files, Parquet twice and the warehouse, at their most, for each event. */
const BYTES_AN_EVENT = 2800;

async function main(args: readonly string[]): Promise<number> {
  const options = optionsOf(args);
  if (typeof options === 'number') return options;
  const need = options.workload.events * BYTES_AN_EVENT;
  if ((await freeBytes(tmpdir())) < need) {
    process.stderr.write(
      `bench: ${gigabytes(need)} are needed in ${tmpdir()}; set TMPDIR to a folder that has them, or --events to fewer\n`,
    );
    return 2;
  }
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const clean = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  process.once('SIGINT', () => {
    clean();
    process.exit(130);
  });
  try {
    process.stderr.write(`${gigabytes(need)} at most in ${folder}, which is removed at the end\n`);
    return await bench(folder, options);
  } finally {
    clean();
  }
}

function optionsOf(args: readonly string[]): Options | number {
  try {
    const options = parseOptions(args);
    if (options) return options;
    process.stdout.write(HELP);
    return 0;
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
}

async function bench(folder: string, options: Options): Promise<number> {
  const say = (doing: string): boolean => process.stderr.write(`  ${doing}\n`);
  const job = { workload: options.workload, folder, partnerUrl: 'http://127.0.0.1:9' };
  const machine = await describeMachine(folder);
  const measurements = await runStages(job, options, say);
  const wrong = contradictions(options.workload, measurements);
  const judge = options.record && wrong.length === 0 ? recordTable : judgeTable;
  const table = judge(options.workload, measurements);
  process.stdout.write(`\n${screen({ options, machine, measurements, table, contradictions: wrong })}`);
  return wrong.length > 0 || table === 'NOT AS EXPECTED' ? 1 : 0;
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

process.exitCode = await main(process.argv.slice(2));
