import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Workload } from '../load/snowflake/cost/model.ts';
import { partnerWorkload, spreadWorkload } from '../load/snowflake/cost/recorded.ts';
import { costReport, formatCost } from '../load/snowflake/cost/report.ts';
import { AUTO_SUSPEND_SECONDS } from '../load/snowflake/migrations/administrator.ts';
import { parseDuration, SECOND } from '../time.ts';
import { type CommonOptions, invoke, usage, withStreamlessOptions } from './command.ts';

interface CostOptions extends CommonOptions {
  readonly records: string;
  readonly every: string;
  readonly deadline: string;
  readonly shape: string;
  readonly threads: string;
  readonly batchRecords: string;
  readonly randomKeys?: boolean;
}

const SHAPES: Readonly<Record<string, (minutes: number) => Workload>> = { partner: partnerWorkload, spread: spreadWorkload };
/** More days than any bound leaves over; a table of years costs no more. */
const DAYS_HELD = 400;

export function addCost(parent: Command): void {
  const command = parent
    .command('cost')
    .description('a model of what loading into Snowflake costs a day, with its assumptions; asks nobody')
    .option('--records <numbers>', 'records a day, several with commas', '120000000,300000000')
    .option('--every <durations>', 'time between loads, several with commas', '5m,10m,15m')
    .option('--deadline <duration>', 'within which a record is to be in the table', '15m')
    .option('--shape <name>', `of the batches: ${Object.keys(SHAPES).join(', ')}, or a file with a shape as JSON`, 'partner')
    .option('--threads <number>', 'files of a batch: workers.threads', '8')
    .option('--batch-records <number>', 'records of a batch at most: workers.batchRecords', '5000000')
    .option('--random-keys', 'where keys do not rise with time')
    .option('--no-cluster-by', 'where the stream has no clusterBy');
  withStreamlessOptions(command, 'tidemark warehouse cost --records 300000000 --every 10m').action(
    (options: CostOptions & { readonly clusterBy: boolean }) =>
      invoke(options, async () => {
        const report = costReport({
          workload: workloadOf(options.shape),
          recordsADay: options.records.split(',').map((text) => wholeOption('--records', text)),
          everyMinutes: options.every.split(',').map((text) => secondsOption('--every', text) / 60),
          deadlineSeconds: secondsOption('--deadline', options.deadline),
          settings: {
            autoSuspendSeconds: AUTO_SUSPEND_SECONDS,
            clusterBy: options.clusterBy,
            keysRise: !options.randomKeys,
            files: wholeOption('--threads', options.threads),
            batchRecords: wholeOption('--batch-records', options.batchRecords),
            daysHeld: DAYS_HELD,
          },
        });
        return { json: report, text: formatCost(report) };
      }),
  );
}

function workloadOf(name: string): (minutes: number) => Workload {
  const known = SHAPES[name];
  if (known) return known;
  try {
    const live = JSON.parse(readFileSync(name, 'utf8')) as Workload['live'];
    if (!(live.records > 0 && live.minutes > 0 && live.rowBytes > 0 && Array.isArray(live.updates))) throw new Error('it is no shape');
    return () => ({ live, sweep: null });
  } catch (error) {
    throw usage(
      `--shape ${name}: ${(error as Error).message}`,
      `Name ${Object.keys(SHAPES).join(' or ')}, or a file as docs/SNOWFLAKE.md describes.`,
    );
  }
}

function wholeOption(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw usage(`${name} is no whole number: ${text}`, 'Write digits: 300000000.');
}

function secondsOption(name: string, text: string): number {
  const duration = parseDuration(text);
  if (duration !== null && duration > 0) return duration / SECOND;
  throw usage(`${name} is no duration: ${text}`, 'Write 90s, 5m or 2h.');
}
