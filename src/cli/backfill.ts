import type { Command } from 'commander';
import { BACKFILL_LIMITS, type Range } from '../fetch/backfill-plan.ts';
import { type BackfillProgress, type BackfillReport, type BackfillState, planBackfill, runBackfill } from '../pipeline/backfill.ts';
import type { Stream } from '../stream.ts';
import { formatDuration, formatInstant, MINUTE, SECOND } from '../time.ts';
import { type CommonOptions, instantOption, invokeWithContext, oneStream, usage, withCommonOptions } from './command.ts';
import { EXIT } from './exit.ts';
import { type Terminal, table } from './terminal.ts';

interface BackfillOptions extends CommonOptions {
  readonly from: string;
  readonly to: string;
  readonly plan?: boolean;
  readonly parallel: string;
}

const MOST_PARALLEL = 16;

export function addBackfill(program: Command): void {
  const command = program
    .command('backfill')
    .description('pull a past range again from the source, beside live runs; run again, it goes on');
  command
    .requiredOption('--from <time>', 'beginning of the range, an hour to 30 days long')
    .requiredOption('--to <time>', 'its end')
    .option('--plan', 'show requests, time, and what changed so far, without asking anything')
    .option('--parallel <n>', 'chains at once', '4');
  withCommonOptions(command, 'tidemark backfill --stream payments --from 2026-11-01 --to 2026-11-02').action((options: BackfillOptions) =>
    invokeWithContext(options, async ({ context, streams, clock, terminal }) => {
      const stream = oneStream(streams);
      const range = rangeOf(options, clock.now());
      const parallel = parallelOf(options.parallel);
      if (options.plan) {
        const state = await planBackfill(context, stream, range);
        return { json: stateJson(state, stream), text: formatState(state, stream) };
      }
      const report = await runBackfill(context, stream, range, parallel, progressOn(terminal));
      const exit = report.gaps > 0 ? EXIT.incomplete : EXIT.done;
      return { exit, json: { ...stateJson(report, stream), totals: report.totals, gaps: report.gaps }, text: formatReport(report, stream) };
    }),
  );
}

function rangeOf(options: BackfillOptions, now: number): Range {
  const range = { start: instantOption('--from', options.from), end: instantOption('--to', options.to) };
  const length = range.end - range.start;
  if (length < BACKFILL_LIMITS.shortest || length > BACKFILL_LIMITS.longest)
    throw usage(
      `the range is ${formatDuration(Math.max(0, length))} long`,
      'A backfill takes from 1 hour to 30 days: --from is before --to.',
    );
  if (range.end > now) throw usage('--to lies in the future', `It is ${formatInstant(now)}; what is to come is for live polls.`);
  return range;
}

function parallelOf(text: string): number {
  const parallel = Number(text);
  if (Number.isInteger(parallel) && parallel >= 1 && parallel <= MOST_PARALLEL) return parallel;
  throw usage(`--parallel ${text}`, `It takes a whole number from 1 to ${MOST_PARALLEL}.`);
}

/** A line for each chain that is done; on a terminal, the last one stays in its place. */
function progressOn(terminal: Terminal): (progress: BackfillProgress) => void {
  let told = -1;
  return (progress) => {
    if (terminal.isLive) terminal.live([progressLine(progress)]);
    else if (progress.chainsDone > told && told >= 0) terminal.note(progressLine(progress));
    told = progress.chainsDone;
  };
}

function progressLine({ chains, chainsDone, asked, requestsLeft, secondsLeft }: BackfillProgress): string {
  const rest =
    secondsLeft === null
      ? 'what is left is not known before the first chain is done'
      : `about ${requestsLeft} requests left, ${span(secondsLeft)}`;
  return `${chainsDone} of ${chains} chains done, ${asked} requests; ${rest}`;
}

const span = (seconds: number): string => formatDuration(seconds * SECOND);
const done = ({ chains }: BackfillState): number => chains.filter(({ state }) => state === 'done').length;

/** At the whole budget of the key: live polls take from it first. */
const leastSeconds = ({ requestsLeft }: BackfillState, { source }: Stream): number | null =>
  requestsLeft === null ? null : Math.ceil((requestsLeft * MINUTE) / source.requestsPerMinute / SECOND);

function stateJson(state: BackfillState, stream: Stream): object {
  const { plan, requestsLeft, finishedAt } = state;
  return {
    stream: plan.stream,
    from: formatInstant(plan.range.start),
    to: formatInstant(plan.range.end),
    pull: plan.number,
    chains: plan.chains.length,
    chainsDone: done(state),
    expectedRecords: plan.records,
    requestsLeft,
    leastSecondsLeft: leastSeconds(state, stream),
    finishedAt: finishedAt === null ? null : formatInstant(finishedAt),
    changes: state.changes.map(({ day, inserted, updated }) => ({ day: formatInstant(day).slice(0, 10), inserted, updated })),
  };
}

function formatState(state: BackfillState, stream: Stream): string {
  const { plan, requestsLeft, finishedAt } = state;
  const least = leastSeconds(state, stream);
  const cost =
    requestsLeft === null || least === null
      ? 'nothing loaded tells how many records there are; the first chains will'
      : `about ${requestsLeft} requests, ${span(least)} at the whole budget of ${stream.source.requestsPerMinute} a minute`;
  return [
    `pull ${plan.number} of ${formatInstant(plan.range.start)} to ${formatInstant(plan.range.end)}: ${done(state)} of ${plan.chains.length} chains done`,
    finishedAt === null ? `left: ${cost}` : `finished ${formatInstant(finishedAt)}; without --plan the range is pulled once more`,
    ...changeLines(state),
  ].join('\n');
}

const changeLines = ({ changes }: BackfillState): string[] =>
  changes.length === 0
    ? []
    : [
        table([
          ['day', 'inserted', 'updated'],
          ...changes.map(({ day, inserted, updated }) => [formatInstant(day).slice(0, 10), inserted, updated]),
        ]),
      ];

function formatReport(report: BackfillReport, stream: Stream): string {
  const { totals, gaps } = report;
  const trouble = gaps > 0 ? [`${gaps} gaps in dead letter; see tidemark dead-letter list --stream ${stream.name}`] : [];
  const asked = `${totals.asked} requests, ${totals.retried} of them again; ${totals.pages} pages, ${totals.records} records`;
  return [`${done(report)} of ${report.plan.chains.length} chains done`, asked, ...changeLines(report), ...trouble].join('\n');
}
