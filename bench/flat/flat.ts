import { parseArgs } from 'node:util';
import { type Measured, runStage } from '../child.ts';
import { type Bench, runBench, wholeNumber } from '../command.ts';
import { describeMachine } from '../machine.ts';
import { type Job, openJob } from '../setup.ts';
import { fetchFromPartner } from '../stages.ts';
import { BATCH_ROWS } from './batches.ts';

/** What loading a small batch costs as the table grows, against a bare MERGE of the same file into the same table, in turns. */
interface Options {
  readonly sizes: readonly number[];
  readonly pairs: number;
}

const BAR = 0.9;
const EVENTS = 1_040_000;
/** Of the table in DuckDB's file, and of what the batches take beside it. */
const BYTES_A_ROW = 400;
const BYTES_BESIDE = 4e9;

const HELP = `bench/run flat [--rows N,N,…] [--pairs N]

  Loads batches of ${BATCH_ROWS.toLocaleString('en')} rows, half new and half later versions, into a table that grows, in turns with a bare MERGE of such a file.
  --rows N,N,…  rows of the table; default 1000000,10000000,50000000
  --pairs N     loads of each kind at each size; default 6
`;

type One = Measured<{ rows: number }>;

interface Sized {
  readonly rows: number;
  readonly tidemark: One[];
  readonly merge: One[];
}

const flat: Bench<Options> = {
  name: 'bench flat',
  help: HELP,
  parse: (args) => {
    const text = { type: 'string' } as const;
    const { values } = parseArgs({ args: [...args], options: { rows: text, pairs: text, help: { type: 'boolean', default: false } } });
    if (values.help) return null;
    const sizes = (values.rows ?? '1000000,10000000,50000000').split(',').map((size) => wholeNumber('--rows', size, 0, 1_000_000));
    return { sizes: sizes.toSorted((a, b) => a - b), pairs: wholeNumber('--pairs', values.pairs, 6, 1) };
  },
  bytes: ({ sizes }) => Math.max(...sizes) * BYTES_A_ROW + BYTES_BESIDE,
  run: async (folder, { sizes, pairs }, say) => {
    const job: Job = { workload: { seed: 7, events: EVENTS }, folder, partnerUrl: 'http://127.0.0.1:9' };
    const machine = await describeMachine(folder);
    say('fetching, normalizing and loading the first million');
    await openJob(job);
    await fetchFromPartner(job);
    await runStage('stage-normalize.ts', job);
    await runStage('stage-load.ts', job);
    await runStage('flat/stage-hundreds.ts', job, String(sizes.length * loadsOf(pairs)));
    const measured: Sized[] = [];
    for (const [order, rows] of sizes.entries()) {
      say(`growing the table to ${rows.toLocaleString('en')} rows`);
      await runStage('flat/stage-grow.ts', job, String(rows));
      say('loading batches');
      // The first one after the table grew reads what none after it reads again.
      await runStage('flat/stage-one.ts', job, 'merge', String(order * loadsOf(pairs)));
      measured.push({ rows, ...(await inTurns(job, order * loadsOf(pairs) + 1, pairs)) });
    }
    process.stdout.write(`\n${screen(machine, measured)}`);
    const wrong = measured.flatMap(({ tidemark, merge }) => [...tidemark, ...merge]).filter(({ result }) => result.rows !== BATCH_ROWS);
    if (wrong.length > 0) process.stdout.write(`WRONG      not ${BATCH_ROWS} rows: ${JSON.stringify(wrong)}\n`);
    return wrong.length > 0 ? 1 : 0;
  },
};

const loadsOf = (pairs: number): number => 1 + 2 * pairs;

/** Strictly in turns: DuckDB puts a table in order again with every third load, whoever makes it, so that both must pay for it as often. */
async function inTurns(job: Job, from: number, pairs: number): Promise<Pick<Sized, 'tidemark' | 'merge'>> {
  const found: Pick<Sized, 'tidemark' | 'merge'> = { tidemark: [], merge: [] };
  for (let pair = 0; pair < pairs; pair++) {
    for (const [turn, how] of (['tidemark', 'merge'] as const).entries()) {
      found[how].push(await runStage('flat/stage-one.ts', job, how, String(from + pair * 2 + turn)));
    }
  }
  return found;
}

function screen(machine: string, measured: readonly Sized[]): string {
  const mean = (all: readonly One[], of: 'seconds' | 'cpuSeconds'): number => all.reduce((sum, one) => sum + one[of], 0) / all.length;
  const spent = (all: readonly One[]): string => {
    const [least, most] = [Math.min, Math.max].map((of) => of(...all.map((one) => one.seconds)).toFixed(2));
    return `${mean(all, 'seconds').toFixed(2)} s [${least} to ${most}], ${mean(all, 'cpuSeconds').toFixed(1)} CPU-s`;
  };
  const first = mean(measured[0]?.tidemark ?? [], 'seconds');
  return `${[
    `machine    ${machine}`,
    `batches    of ${BATCH_ROWS.toLocaleString('en')} rows, half new, half later versions, in a process each, from opening the database to closing it`,
    '',
    ...measured.map(({ rows, tidemark, merge }) => {
      const pace = mean(merge, 'seconds') / mean(tidemark, 'seconds');
      return [
        `${rows.toLocaleString('en').padStart(11)} rows`,
        `load ${spent(tidemark)}`,
        `bare MERGE ${spent(merge)}`,
        `load at ${pace.toFixed(2)} of it; bar ${BAR}: ${pace >= BAR ? 'ok' : 'MISSED'}`,
        `${(mean(tidemark, 'seconds') / first).toFixed(2)} × the smallest`,
      ].join('   ');
    }),
  ].join('\n')}\n`;
}

process.exitCode = await runBench(flat, process.argv.slice(2));
