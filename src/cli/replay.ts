import { resolve } from 'node:path';
import type { Command } from 'commander';
import { arrayPlace } from '../config.ts';
import type { TimeRange } from '../manifest/landed.ts';
import type { PageSource } from '../normalize/batch.ts';
import type { Context } from '../pipeline/context.ts';
import { type Rehearsal, rehearse } from '../pipeline/rehearse.ts';
import { concludeRange, pagesOfPrefix, pagesOfRange, type ReplayReport, replay } from '../pipeline/replay.ts';
import { openStore } from '../store/open.ts';
import { formatInstant } from '../time.ts';
import { type Answer, type CommonOptions, instantOption, invokeWithContext, oneStream, usage, withCommonOptions } from './command.ts';
import { rehearsedText, rowsText, schemaText } from './rehearsal-text.ts';
import { shardOption } from './shard.ts';
import { table } from './terminal.ts';

interface ReplayCommandOptions extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
  readonly prefix?: string;
  readonly shard?: string;
  readonly stopAfter?: string;
  readonly plan?: boolean;
}

export function addReplay(program: Command): void {
  const command = program.command('replay').description('normalize and load raw pages again; twice changes nothing');
  command
    .option('--from <time>', 'windows that reach into this range, from')
    .option('--to <time>', '… to')
    .option(
      '--prefix <url>',
      'every raw body under a prefix: a URL (file:…, s3://…) or a key of the store; plain, gzip or zstd, with or without receipts',
    )
    .option('--shard <i/n>', 'only the i-th of n shares of the pages (1/4 … 4/4); auto/4 or auto: the place in the batch array')
    .option('--stop-after <stage>', 'normalize: publish batches without loading them')
    .option('--plan', 'show what would change, by day and with samples, without changing it');
  withCommonOptions(command, 'tidemark replay --stream payments --from 2026-11-01 --to 2026-11-02').action(
    (options: ReplayCommandOptions) =>
      invokeWithContext(options, async ({ context, streams }) => {
        const stream = oneStream(streams);
        if (options.stopAfter !== undefined && options.stopAfter !== 'normalize')
          throw usage(`--stop-after ${options.stopAfter}`, 'It takes normalize.');
        const range = rangeOf(options);
        const pages = range ? pagesOfRange(context, stream, range) : await foreignPages(context, options.prefix ?? '');
        const [load, shard] = [options.stopAfter === undefined, shardOption(options.shard, arrayPlace())];
        if (options.plan) return planned(await rehearse(context, stream, pages, shard));
        const report = await replay(context, stream, pages, { load, shard });
        // A shard alone does not make a range complete, nor do bodies of which nobody knows what they answered.
        const watermark = range && load && !shard ? await concludeRange(context, stream, range) : null;
        const completeTo = watermark === null ? null : formatInstant(watermark);
        return {
          json: { ...report, completeTo },
          text: formatReplay(report) + (completeTo ? `\nthe warehouse is complete up to ${completeTo}` : ''),
        };
      }),
  );
}

/** @returns null where a prefix is to be replayed. */
function rangeOf(options: ReplayCommandOptions): TimeRange | null {
  if (options.prefix !== undefined && options.from === undefined && options.to === undefined) return null;
  if (options.prefix === undefined && options.from !== undefined && options.to !== undefined) {
    const range = { from: instantOption('--from', options.from), to: instantOption('--to', options.to) };
    if (range.from < range.to) return range;
  }
  throw usage('replay takes either --from and --to, or --prefix', 'The range is half-open: --from is before --to.');
}

async function foreignPages(context: Context, prefix: string): Promise<AsyncIterable<PageSource>> {
  const s3 = /^s3:\/\/([^/]+)\/?(.*)$/.exec(prefix);
  if (s3) {
    const configured = context.configuration.store;
    const settings =
      configured.kind === 's3' ? configured : { region: undefined, endpoint: undefined, pathStyle: false, kmsKey: undefined, tags: true };
    const store = await openStore({ ...settings, kind: 's3', bucket: s3[1] ?? '', prefix: '' });
    return pagesOfPrefix(store, s3[2] ?? '', false);
  }
  if (prefix.startsWith('file:')) {
    const store = await openStore({ kind: 'file', path: resolve(prefix.replace(/^file:(\/\/)?/, '')) });
    return pagesOfPrefix(store, '', false);
  }
  return pagesOfPrefix(context.store, prefix, true);
}

const planned = (rehearsal: Rehearsal): Answer => ({
  json: rehearsal,
  text: [rehearsedText(rehearsal), schemaText(rehearsal), rowsText(rehearsal)].join('\n'),
});

function formatReplay(report: ReplayReport): string {
  const { pages, records, quarantined, batches, rows, inserted, updated } = report;
  return table([
    ['pages', 'records', 'quarantined', 'batches', 'new rows', 'inserted', 'updated'],
    [pages, records, quarantined, batches, rows, inserted, updated],
  ]);
}
