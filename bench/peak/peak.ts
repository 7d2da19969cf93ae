import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/clock.ts';
import { loadConfiguration } from '../../src/config.ts';
import { isProved, prove } from '../../src/demo/proof.ts';
import { silentLog } from '../../src/log.ts';
import { worldOptions } from '../../src/partner/options.ts';
import type { PartnerStats } from '../../src/partner/stats.ts';
import { truth } from '../../src/partner/truth.ts';
import { createWorld } from '../../src/partner/world.ts';
import { openContext } from '../../src/pipeline/context.ts';
import { formatInstant, MINUTE, SECOND } from '../../src/time.ts';
import { type Bench, runBench, wholeNumber } from '../command.ts';
import { describeMachine } from '../machine.ts';
import { said } from '../said.ts';
import { FreshnessMeter, type RowFreshness } from './freshness.ts';
import { BURST_FACTOR, configurationText, KEY, LATEST, type PeakJob, peakJob, RECORDS_PER_SECOND } from './world.ts';

/** The whole line at the pace of 300 million events a day, in real time against a hostile partner, with a promotion's bursts. */
interface Options {
  readonly minutes: number;
  readonly pollSeconds: number;
  readonly seed: number;
}

/** With what showed before, and bursts. */
const BYTES_A_MINUTE = 1.2e9;

const HELP = `bench/run peak [--minutes N] [--poll SECONDS] [--seed N]

  A partner with ${RECORDS_PER_SECOND.toLocaleString('en')} records a second, two minutes of it at ${BURST_FACTOR} times that, in real time and as hostile as the demo's; the program runs
  against it, polls often, and loads. Then: how fresh each row was when it was loaded, and the table held against the partner's truth.
  --minutes N     default 8
  --poll SECONDS  between polls; default 30, where payments have 300
  --seed N        another world; default 7
`;

interface Ended {
  readonly cpuSeconds: number;
  readonly stats: PartnerStats;
}

const peak: Bench<Options> = {
  name: 'bench peak',
  help: HELP,
  parse: (args) => {
    const text = { type: 'string' } as const;
    const options = { minutes: text, poll: text, seed: text, help: { type: 'boolean', default: false } } as const;
    const { values } = parseArgs({ args: [...args], options });
    if (values.help) return null;
    return {
      minutes: wholeNumber('--minutes', values.minutes, 8, 4),
      pollSeconds: wholeNumber('--poll', values.poll, 30, 1),
      seed: wholeNumber('--seed', values.seed, 7, 0),
    };
  },
  bytes: ({ minutes }) => (minutes + 4) * BYTES_A_MINUTE,
  run: async (folder, { minutes, pollSeconds, seed }, say) => {
    const machine = await describeMachine(folder);
    const job = peakJob(systemClock.now(), minutes, seed);
    const partner = fork(fileURLToPath(new URL('./partner.ts', import.meta.url)), [JSON.stringify(job)], { execArgv: process.execArgv });
    const { config, ended } = await live(folder, partner, job, { pollSeconds, say }).finally(() => partner.kill());
    say('the proof');
    return conclude(config, job, ended, [
      `machine    ${machine}`,
      `workload   ${minutes} minutes at ${RECORDS_PER_SECOND.toLocaleString('en')} records a second, two of them at ${BURST_FACTOR} ×, a hostile partner in the same machine; polls every ${pollSeconds} s`,
    ]);
  },
};

/** The program against the partner: live, then once more over everything. */
async function live(
  folder: string,
  partner: ChildProcess,
  job: PeakJob,
  { pollSeconds, say }: { pollSeconds: number; say: (doing: string) => void },
) {
  const { url } = (await messageOf(partner)) as { url: string };
  const config = join(folder, 'tidemark.yaml');
  await writeFile(join(folder, 'key'), KEY);
  await writeFile(config, configurationText(url, pollSeconds));
  const tidemark = (...given: string[]): Promise<string> =>
    said(fileURLToPath(new URL('../../bin/tidemark', import.meta.url)), [...given, '--config', config, '--log-level', 'error']);
  say(`live until ${formatInstant(job.to)}, and what is late`);
  await tidemark('run', '--for', `${(job.to + LATEST - systemClock.now()) / SECOND + pollSeconds}s`);
  say('the last sweep');
  await tidemark('run', '--once', '--sweep');
  partner.send('end');
  const ended = (await messageOf(partner)) as Ended;
  return { config, ended };
}

async function conclude(config: string, job: PeakJob, { cpuSeconds, stats }: Ended, head: readonly string[]): Promise<number> {
  const configuration = loadConfiguration(config);
  const [stream] = configuration.streams;
  if (!stream) throw new Error('the configuration of the bench has no stream');
  const context = await openContext(configuration, { clock: systemClock, log: silentLog });
  const source = createWorld(worldOptions(job.settings)).payments;
  const meter = new FreshnessMeter(context.warehouse, source, job.from);
  const now = job.to + LATEST;
  const proof = await prove(meter, stream, { truth: () => truth(source, { now }) });
  await context.close();
  const { rows } = meter;
  const inBursts = rows.filter(({ visibleAt }) =>
    job.settings.payments?.surges?.some(({ from, to }) => visibleAt >= from && visibleAt < to),
  );
  const { keys, missing, duplicated, stale, altered, foreign } = proof;
  process.stdout.write(
    `\n${[
      ...head,
      `asked      ${stats.requests.payments.list.toLocaleString('en')} lists, ${stats.recordsServed.toLocaleString('en')} records served, ${stats.overLimit} over the limit; ${Object.values(stats.faults).reduce((sum, n) => sum + n, 0)} faults; the partner took ${cpuSeconds.toFixed(0)} CPU-s`,
      '',
      'freshness  from when the partner could show a version to when the row that has it was loaded',
      freshnessLine('live rows', rows),
      freshnessLine('in bursts', inBursts),
      '',
      `table      ${proof.rows.toLocaleString('en')} rows of ${keys.toLocaleString('en')} keys: ${missing} missing, ${duplicated} duplicated, ${stale} stale, ${altered} altered, ${foreign} foreign: ${isProved(proof) ? 'proved' : 'NOT PROVED'}`,
      ...proof.samples.map((sample) => `  ${sample}`),
    ].join('\n')}\n`,
  );
  return isProved(proof) ? 0 : 1;
}

function freshnessLine(name: string, rows: readonly RowFreshness[]): string {
  const sorted = Float64Array.from(rows, ({ took }) => took).toSorted();
  const at = (share: number): string =>
    `${((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0) / SECOND).toFixed(1)} s`;
  const inTime = sorted.filter((took) => took <= 15 * MINUTE).length / Math.max(1, sorted.length);
  return `  ${name}  ${rows.length.toLocaleString('en').padStart(10)}   p50 ${at(0.5)}   p90 ${at(0.9)}   p99 ${at(0.99)}   p99.9 ${at(0.999)}   most ${at(1)}   within 15 min ${(inTime * 100).toFixed(2)}%`;
}

async function messageOf(child: ChildProcess): Promise<unknown> {
  const [message] = (await once(child, 'message')) as [unknown];
  return message;
}

process.exitCode = await runBench(peak, process.argv.slice(2));
