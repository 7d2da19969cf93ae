import type { Command } from 'commander';
import { type Agreement, agree, type Difference } from '../pipeline/agree.ts';
import type { Stream } from '../stream.ts';
import { formatInstant } from '../time.ts';
import { type CommonOptions, instantOption, invokeWithContext, oneStream, usage, withCommonOptions } from './command.ts';
import { EXIT } from './exit.ts';
import { table } from './terminal.ts';

interface AgreeOptions extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
  readonly pageSize?: string;
}

/** Differences that are shown; --json lists them all. */
const SHOWN = 20;

export function addAgree(program: Command): void {
  const command = program
    .command('agree')
    .description('ask a past range once more in pages of another size: does the source say the same; what differs, record by record');
  command
    .option('--from <time>', 'of the records’ version time, from')
    .option('--to <time>', '… to')
    .option('--page-size <number>', 'records a page; default a size that divides the pages anew');
  withCommonOptions(command, 'tidemark agree --stream payments --from 2026-11-01 --to 2026-11-02').action((options: AgreeOptions) =>
    invokeWithContext(options, async ({ context, streams, clock }) => {
      const stream = oneStream(streams);
      const range = rangeOf(options, clock.now());
      const report = await agree(context, stream, range, sizeOf(stream, options.pageSize));
      const agreed = report.differences.length === 0 && report.gaps === 0;
      return { exit: agreed ? EXIT.done : EXIT.incomplete, json: report, text: format(report) };
    }),
  );
}

function rangeOf(options: AgreeOptions, now: number): { from: number; to: number } {
  if (options.from !== undefined && options.to !== undefined) {
    const range = { from: instantOption('--from', options.from), to: instantOption('--to', options.to) };
    if (range.from < range.to && range.to <= now) return range;
  }
  throw usage('agree takes --from and --to of a past range', 'The range is half-open: --from is before --to, and --to is not after now.');
}

/** Pages break at other records, everywhere but at multiples of both sizes. */
function sizeOf({ source: { pageSize } }: Stream, text: string | undefined): number {
  if (text === undefined) return Math.max(1, Math.floor(pageSize * 0.6) - 1);
  const size = Number(text);
  if (/^\d+$/.test(text) && size >= 1 && size <= pageSize) return size;
  throw usage(`--page-size ${text}`, `It takes a number from 1 to the configured page size, ${pageSize}.`);
}

function format({ stream, window, pageSize, totals, found, rows, differing, differences, gaps }: Agreement): string {
  const count = Object.values(differing).reduce((sum, n) => sum + n, 0);
  const range = `${formatInstant(window.start)} to ${formatInstant(window.end)}`;
  const asked = `${stream}, ${range}: ${totals.asked} requests for pages of ${pageSize}, ${found} observations; the table has ${rows} rows there`;
  const gap = gaps > 0 ? [`${gaps} stretches could not be asked: see tidemark dead-letter list --stream ${stream}`] : [];
  if (count === 0) return [asked, ...gap, ...(gaps > 0 ? [] : ['both passes found the same'])].join('\n');
  const shown = differences
    .slice(0, SHOWN)
    .map((one) => [one.what, one.key.join('/'), versionOf(one), one.contentHash, `${one.page} #${one.position}`]);
  const rest = count > SHOWN ? [`… and ${count - SHOWN} more: --json lists them`] : [];
  return [
    asked,
    ...gap,
    `${differing.new} new, ${differing.changed} changed without a new version, ${differing.missing} missing:`,
    table(shown),
    ...rest,
  ].join('\n');
}

const versionOf = ({ version: [time = '0', ...rest] }: Difference): string => [formatInstant(Number(time)), ...rest].join(' ');
