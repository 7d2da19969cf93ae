import type { Command } from 'commander';
import { openInspection } from '../inspect/inspection.ts';
import { scorecard } from '../inspect/scorecard.ts';
import { formatScorecard } from '../inspect/scorecard-text.ts';
import { DAY } from '../time.ts';
import { type CommonOptions, instantOption, invoke, oneStream, requireForward, selectStreams, withCommonOptions } from './command.ts';

interface ScorecardCommandOptions extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
}

const DAYS = 7;

export function addScorecard(program: Command): void {
  const command = program
    .command('scorecard')
    .description('what the partner did, day by day: errors, short and repeated pages, lateness, silent changes')
    .option('--from <time>', `first day (default: ${DAYS} days before the last)`)
    .option('--to <time>', 'up to this time; the day that it lies in counts whole (default: now)');
  withCommonOptions(command, 'tidemark scorecard --stream payments --from 2026-11-01 --to 2026-11-08').action(
    (options: ScorecardCommandOptions) =>
      invoke(options, async ({ configuration, clock, terminal }) => {
        const all = configuration();
        const stream = oneStream(selectStreams(all, options.stream));
        const to = options.to === undefined ? clock.now() : instantOption('--to', options.to);
        const from = options.from === undefined ? to - DAYS * DAY : instantOption('--from', options.from);
        requireForward({ from, to });
        const inspection = await openInspection(all, { clock });
        try {
          const card = await scorecard(inspection, stream, { from, to });
          return { json: card, text: formatScorecard(card, terminal.paint) };
        } finally {
          await inspection.close();
        }
      }),
  );
}
