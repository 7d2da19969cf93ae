import { userInfo } from 'node:os';
import type { Command } from 'commander';
import type { LookedUp, LookupKey } from '../fetch/lookup.ts';
import { lookupColumns, lookupUrl } from '../fetch/lookup.ts';
import { keyPatterns } from '../inspect/key-pattern.ts';
import { type LookupReport, lookUpCandidates, lookUpKeys, repairLetter } from '../pipeline/lookup.ts';
import type { Stream } from '../stream.ts';
import { type Answer, type CommonOptions, invokeWithContext, oneStream, usage, withCommonOptions } from './command.ts';
import { EXIT, exitCodeOfRun, gravest } from './exit.ts';
import { table } from './terminal.ts';

interface LookupOptions extends CommonOptions {
  readonly candidates?: string;
  readonly again?: boolean;
}

/** `tidemark lookup`: records that are asked for one by one. */
export function addLookup(program: Command): void {
  const command = program
    .command('lookup [keys...]')
    .description('ask the source for records one by one, land what it says, and load it')
    .option('--candidates <name>', 'the keys that this configured query of the warehouse names, each once')
    .option('--again', 'with --candidates: also those that were asked for before');
  withCommonOptions(command, 'tidemark lookup prod/evt_1 prod/evt_2 --stream payments').action((keys: string[], options: LookupOptions) =>
    invokeWithContext(options, async ({ context, streams }) => {
      const stream = oneStream(streams);
      lookupColumns(stream);
      if (keys.length > 0 === (options.candidates !== undefined)) {
        throw usage('lookup takes either keys or --candidates NAME', 'A key is written as it stands in the record, or as environment/id.');
      }
      const report =
        options.candidates === undefined
          ? await lookUpKeys(context, stream, parsedKeys(stream, keys))
          : await lookUpCandidates(context, stream, options.candidates, options.again ?? false);
      return answerOf(stream, report);
    }),
  );
}

interface LetterOptions extends CommonOptions {
  readonly complete?: string;
}

/** `tidemark dead-letter lookup`: the same in place of a page that could not be had. */
export function addLetterLookup(parent: Command): void {
  const command = parent
    .command('lookup <id> [keys...]')
    .description('ask for records of its gap one by one: the one that its error names, and those that are given')
    .option('--complete <why>', 'close the gap: somebody knows that these are all, and says why');
  const example = 'tidemark dead-letter lookup ID prod/evt_1 --stream payments --complete "ticket 4711"';
  withCommonOptions(command, example).action((id: string, keys: string[], options: LetterOptions) =>
    invokeWithContext(options, async ({ context, streams }) => {
      const stream = oneStream(streams);
      lookupColumns(stream);
      const { complete = null } = options;
      const repair = await repairLetter(context, stream, id, { keys: parsedKeys(stream, keys), by: userInfo().username, complete });
      const answer = answerOf(stream, { ...repair, known: 0 });
      const closed = { already: 'resolved already', resolved: 'resolved', open: `open: ${STAYS_OPEN}` }[repair.outcome];
      return {
        exit: gravest([answer.exit ?? EXIT.done, repair.outcome === 'open' ? EXIT.incomplete : EXIT.done]),
        json: { id, stream: stream.name, outcome: repair.outcome, lookedUp: repair.lookedUp },
        text: `${answer.text}\ndead letter ${id} is ${closed}`,
      };
    }),
  );
}

const STAYS_OPEN =
  'whether its gap lacks other records too cannot be known from lookups. `dead-letter retry` and each sweep ask again; --complete closes it';

function parsedKeys(stream: Stream, keys: readonly string[]): LookupKey[] {
  return keys.map((text) => {
    const key = keyPatterns(stream, [text]).find((pattern) => lookupUrl(stream, pattern) !== null);
    if (key) return key.map((value, at) => value ?? stream.key[at]?.constant ?? null);
    throw usage(`${text} is no key that can be looked up`, `The address takes ${lookupColumns(stream).join(', ')}; nothing was asked.`);
  });
}

function answerOf(stream: Stream, { lookedUp, known, settled }: Pick<LookupReport, 'lookedUp' | 'known' | 'settled'>): Answer {
  const failed = lookedUp.some(({ outcome }) => outcome === 'failed');
  const rows = settled.reduce((sum, report) => sum + report.rows, 0);
  const run = exitCodeOfRun(settled.map((report) => ({ ...report, openDeadLetters: 0 })));
  return {
    exit: gravest([run, failed ? EXIT.unavailable : EXIT.done]),
    json: { stream: stream.name, lookedUp, known, rows },
    text: [...(lookedUp.length > 0 ? [lookupTable(lookedUp)] : []), summary(lookedUp, known, rows)].join('\n'),
  };
}

export const lookupTable = (lookedUp: readonly LookedUp[]): string =>
  table([
    ['key', 'outcome', 'records', 'page'],
    ...lookedUp.map(({ key, outcome, records, page, reason }) => [
      key.filter((value) => value !== null).join('/'),
      OUTCOMES[outcome],
      records,
      page ?? reason ?? '',
    ]),
  ]);

const OUTCOMES: Record<LookedUp['outcome'], string> = { found: 'found', missing: 'not there', failed: 'failed' };

function summary(lookedUp: readonly LookedUp[], known: number, rows: number): string {
  const answered = known > 0 ? `; ${known} were answered before` : '';
  return `${lookedUp.length} looked up${answered}; ${rows} ${rows === 1 ? 'row' : 'rows'} loaded`;
}
