import { mkdir, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readManifest } from '../../src/manifest/manifests.ts';
import { readHead } from '../../src/manifest/state.ts';
import { readBody } from '../../src/store/compress.ts';
import { openStore } from '../../src/store/open.ts';
import { type Measured, runStage } from '../child.ts';
import { type Bench, runBench, wholeNumber } from '../command.ts';
import { describeMachine } from '../machine.ts';
import { median, type Ratio, ratioLine } from '../ratios.ts';
import { recordRatios } from '../recorded.ts';
import { said } from '../said.ts';
import { eventsFile, type Job, openJob, THREADS } from '../setup.ts';
import { fetchFromPartner, type Normalized } from '../stages.ts';
import type { Workload } from '../workload.ts';

/** The normalizer against Spark on the same cores and the same events, in turns. */
interface Options {
  readonly workload: Workload;
  readonly runs: number;
  readonly python: string;
  /** Draws the ratios. */
  readonly record: boolean;
}

const HELP = `bench/run spark [--events N] [--runs N] [--seed N] [--python FILE]

  Measures normalize against Spark (local[${THREADS}], an explicit schema, what bench/spark/query.py does) on the same events. \`make bench-spark\`
  installs pyspark for it, where Python 3 and Java 17 exist.
  --events N     payments events; default 2,000,000
  --runs N       rounds; medians count; default 3
  --seed N       another workload; default 7
  --python FILE  a Python that has pyspark; default python3
  --record       draws the ratios in bench/ratios.svg
`;

/** Events as lines, as stored pages and as unpacked ones, and Parquet three times. */
const BYTES_AN_EVENT = 3200;

interface SparkRun {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rows: number;
}

interface Round {
  readonly own: Measured<Normalized>;
  readonly foreign: Measured<Normalized>;
  /** The second run in one process, on the bodies of the pages. */
  readonly pages: SparkRun;
  /** The second run in one process, on one record a line. */
  readonly lines: SparkRun;
  /** From the start of the process to its end, on the bodies of the pages. */
  readonly job: { readonly seconds: number; readonly rows: number };
}

const HELD_TO = [
  { of: 'own', against: 'pages', bar: 4, aim: 6 },
  { of: 'own', against: 'lines', bar: 4, aim: 6 },
  { of: 'own', against: 'job', bar: 8, aim: 12 },
  { of: 'foreign', against: 'pages', bar: 3, aim: 6 },
  { of: 'foreign', against: 'lines', bar: 3, aim: 6 },
  { of: 'foreign', against: 'job', bar: 6, aim: 12 },
] as const;

const NAMES = {
  own: 'own pages',
  foreign: 'foreign pages',
  pages: 'Spark, warm, on the bodies',
  lines: 'Spark, warm, on plain lines',
  job: 'Spark as a job, its start included',
} as const;

const spark: Bench<Options> = {
  name: 'bench spark',
  help: HELP,
  parse: (args) => {
    const text = { type: 'string' } as const;
    const flag = { type: 'boolean', default: false } as const;
    const options = { events: text, runs: text, seed: text, python: text, record: flag, help: flag } as const;
    const { values } = parseArgs({ args: [...args], options });
    if (values.help) return null;
    const workload = {
      seed: wholeNumber('--seed', values.seed, 7, 0),
      events: wholeNumber('--events', values.events, 2_000_000, 1000),
    };
    return { workload, runs: wholeNumber('--runs', values.runs, 3, 1), python: values.python ?? 'python3', record: values.record };
  },
  bytes: ({ workload }) => workload.events * BYTES_AN_EVENT,
  run: async (folder, { workload, runs, python, record }, say) => {
    const job = { workload, folder, partnerUrl: 'http://127.0.0.1:9' };
    const machine = await describeMachine(folder);
    const version = await said(python, ['-c', 'import pyspark; print(pyspark.__version__)']);
    say('writing the events as lines');
    const { distinct } = (await runStage<{ distinct: number }>('stage-write.ts', job)).result;
    say('fetch');
    await fetchFromPartner(job);
    say('unpacking the pages for Spark, which has no zstd of its own');
    await unpackPages(job);
    const rounds: Round[] = [];
    for (let run = 1; run <= runs; run++) {
      say(`normalize and Spark, ${run} of ${runs}`);
      rounds.push(await runRound(job, python));
    }
    process.stdout.write(`\n${screen({ machine, version: version.trim(), events: workload.events, rounds })}`);
    const wrong = rounds.flatMap(({ own, foreign, ...others }) => [
      ...[own, foreign].filter(({ result }) => result.observations !== workload.events || result.quarantined > 0),
      ...Object.values(others).filter(({ rows }) => rows !== distinct),
    ]);
    if (wrong.length > 0) process.stdout.write(`WRONG      not ${distinct} rows: ${JSON.stringify(wrong)}\n`);
    else if (record) recordRatios(ratiosOf(rounds));
    return wrong.length > 0 ? 1 : 0;
  },
};

const pagesFolder = ({ folder }: Job): string => join(folder, 'pages');

/** A body has no line break, so that Spark can take each file for a line, which is the faster of its ways. */
async function unpackPages(job: Job): Promise<void> {
  const { configuration, stream } = await openJob(job);
  const store = await openStore(configuration.store);
  const [pending] = (await readHead(store, stream.name))?.head.pending ?? [];
  if (!pending) throw new Error('nothing was fetched');
  await mkdir(pagesFolder(job));
  for (const [index, { key }] of (await readManifest(store, pending.manifest)).pages.entries()) {
    const body = await readBody(store, key);
    if (!body || body.includes('\n')) throw new Error(`${key} is not there, or has a line break`);
    await writeFile(join(pagesFolder(job), `${index}.json`), body);
  }
}

async function runRound(job: Job, python: string): Promise<Round> {
  const foreign: Round['foreign'] = await runStage('stage-foreign.ts', job);
  const pages = await runSpark(job, python, 'pages', 2);
  const own: Round['own'] = await runStage('stage-normalize.ts', job);
  const lines = await runSpark(job, python, 'lines', 2);
  const start = performance.now();
  const { rows } = await runSpark(job, python, 'pages', 1);
  return { own, foreign, pages, lines, job: { seconds: (performance.now() - start) / 1000, rows } };
}

/** @returns the last of `runs` in one process. */
async function runSpark(job: Job, python: string, form: 'pages' | 'lines', runs: number): Promise<SparkRun> {
  const query = fileURLToPath(new URL('./query.py', import.meta.url));
  const output = join(job.folder, 'spark');
  const source = form === 'lines' ? eventsFile(job) : pagesFolder(job);
  const answers = (await said(python, [query, source, form, output, String(THREADS), String(runs)])).trim().split('\n');
  await rm(output, { recursive: true });
  return JSON.parse(answers.at(-1) ?? '') as SparkRun;
}

function screen({
  machine,
  version,
  events,
  rounds,
}: {
  machine: string;
  version: string;
  events: number;
  rounds: readonly Round[];
}): string {
  const perSecond = (of: keyof Round): string => Math.round(events / median(rounds.map((round) => round[of].seconds))).toLocaleString('en');
  const cpu = (of: Exclude<keyof Round, 'job'>): string =>
    ((median(rounds.map((round) => round[of].cpuSeconds)) / events) * 1e6).toFixed(1);
  const lines = [
    `workload   ${events.toLocaleString('en')} payments events, 3% later versions`,
    `machine    ${machine}; Spark ${version} at local[${THREADS}] of ${cpus().length} cores`,
    '',
    ...(['own', 'foreign', 'pages', 'lines'] as const).map((of) => row(NAMES[of], `${perSecond(of)} events/s`, `${cpu(of)} CPU s/M`)),
    row(NAMES.job, `${perSecond('job')} events/s`, ''),
    '',
    ...ratiosOf(rounds).map(ratioLine),
  ];
  return `${lines.join('\n')}\n`;
}

const ratiosOf = (rounds: readonly Round[]): Ratio[] =>
  HELD_TO.map(({ of, against, bar, aim }) => ({
    of: NAMES[of],
    against: NAMES[against],
    paces: rounds.map((round) => round[against].seconds / round[of].seconds),
    cpu: null,
    bar,
    aim,
  }));

const row = (name: string, pace: string, cpu: string): string => `${name.padEnd(36)}${pace.padStart(18)}${cpu.padStart(16)}`.trimEnd();

process.exitCode = await runBench(spark, process.argv.slice(2));
