import type { Command } from 'commander';
import { messageOf, TidemarkError } from '../errors.ts';
import { ALL_STAGES, type Stage, type StreamReport } from '../pipeline/report.ts';
import { runStreams } from '../pipeline/run.ts';
import { formatInstant } from '../time.ts';
import { type Answer, type CommonOptions, durationOption, invokeWithContext, withCommonOptions } from './command.ts';
import { exitCodeOfRun } from './exit.ts';
import { table } from './terminal.ts';

interface RunCommandOptions extends CommonOptions {
  readonly once?: boolean;
  readonly for?: string;
  readonly sweep?: boolean;
}

export function addRun(program: Command): void {
  const run = program.command('run').description('poll, sweep, normalize, gate and load: what the container runs');
  run
    .option('--once', 'end when caught up')
    .option('--for <duration>', 'end after this time')
    .option('--sweep', 'make the sweep over the whole lateness bound due now');
  withCommonOptions(run, 'tidemark run --once --sweep').action((options: RunCommandOptions) => runStages(options, ALL_STAGES));
}

const STAGES: Record<Stage, string> = {
  fetch: 'ask the source for what is due, land and commit it',
  normalize: 'turn committed windows into deduplicated Parquet',
  load: 'take normalized batches through the gate into the warehouse',
};

export function addStages(program: Command): void {
  for (const stage of ALL_STAGES) {
    const command = program.command(stage).description(`${STAGES[stage]} (one stage alone)`);
    if (stage === 'fetch') command.option('--sweep', 'make the sweep over the whole lateness bound due now');
    withCommonOptions(command, `tidemark ${stage} --stream payments`).action((options: RunCommandOptions) =>
      runStages({ ...options, once: true }, [stage]),
    );
  }
}

function runStages(options: RunCommandOptions, stages: readonly Stage[]): Promise<void> {
  return invokeWithContext(options, async ({ context, streams, clock }): Promise<Answer> => {
    const until = options.for === undefined ? null : clock.now() + durationOption('--for', options.for);
    const reports = await runStreams(context, streams, { once: options.once ?? false, sweep: options.sweep ?? false, until, stages });
    return { exit: exitCodeOfRun(reports), json: reports.map(reportJson), text: formatReports(reports) };
  });
}

const instantOrNull = (micros: number | null): string | null => (micros === null ? null : formatInstant(micros));

function reportJson(report: StreamReport): object {
  return {
    ...report,
    watermark: instantOrNull(report.watermark),
    loadedWatermark: instantOrNull(report.loadedWatermark),
    failures: report.failures.map(({ error, at }) => ({
      at,
      message: messageOf(error),
      ...(error instanceof TidemarkError ? { code: error.code, hint: error.hint } : {}),
    })),
  };
}

function formatReports(reports: readonly StreamReport[]): string {
  const head = ['stream', 'windows', 'asked', 'retried', 'pages', 'records', 'batches', 'rows', 'complete up to'];
  const rows = reports.map(({ stream, windows, totals, batches, rows: loaded, loadedWatermark }) => [
    stream,
    windows,
    totals.asked,
    totals.retried,
    totals.pages,
    totals.records,
    batches,
    loaded,
    instantOrNull(loadedWatermark) ?? 'nothing yet',
  ]);
  return [table([head, ...rows]), ...reports.flatMap(troubles)].join('\n');
}

function troubles(report: StreamReport): string[] {
  return [
    ...report.failures.map(
      ({ error, at }) =>
        `${report.stream}: ${messageOf(error)} (${at})${error instanceof TidemarkError && error.hint ? `\n  ${error.hint}` : ''}`,
    ),
    ...(report.held > 0 ? [`${report.stream}: ${report.held} held; see tidemark held list --stream ${report.stream}`] : []),
    ...(report.openDeadLetters > 0
      ? [`${report.stream}: ${report.openDeadLetters} in dead letter; see tidemark dead-letter list --stream ${report.stream}`]
      : []),
  ];
}
