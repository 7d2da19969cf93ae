import type { Command } from 'commander';
import { TidemarkError } from '../errors.ts';
import { readSchema, type SchemaDocument, type SchemaVersion } from '../normalize/schema-store.ts';
import { rehearse } from '../pipeline/rehearse.ts';
import { pagesOfRange } from '../pipeline/replay.ts';
import { describe } from '../schema/diff.ts';
import { DERIVED } from '../schema/types.ts';
import { openStore } from '../store/open.ts';
import type { Stream } from '../stream.ts';
import { formatInstant } from '../time.ts';
import {
  type Answer,
  type CommonOptions,
  instantOption,
  invoke,
  invokeWithContext,
  oneStream,
  requireForward,
  selectStreams,
  usage,
  withCommonOptions,
} from './command.ts';
import { rehearsedText, rowsText, schemaText } from './rehearsal-text.ts';
import { changeLine } from './schema-changes.ts';
import { table } from './terminal.ts';

interface SchemaOptions extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
}

export function addSchema(program: Command): void {
  const parent = program.command('schema').description('the columns of a stream and how they came to be: show, diff, history, rehearse');
  parent.addHelpText('after', '\nExample:\n  tidemark schema history --stream payments');
  const add = (name: string, text: string, ask: (document: SchemaDocument, stream: Stream, options: SchemaOptions) => Answer): Command =>
    withCommonOptions(parent.command(name).description(text), `tidemark schema ${name} --stream payments`).action(
      (options: SchemaOptions) =>
        invoke(options, async ({ configuration }) => {
          const settings = configuration();
          const stream = oneStream(selectStreams(settings, options.stream));
          const document = await readSchema(await openStore(settings.store), stream.name);
          if (document) return ask(document, stream, options);
          throw new TidemarkError({
            code: 'NOT_FOUND',
            message: `stream ${stream.name} has no schema yet`,
            hint: 'It comes with the first normalized batch: tidemark run --once.',
          });
        }),
    );
  add('show', 'the columns as they are', show);
  add('history', 'every change, with the page that brought it', history);
  add('diff', 'what changed between two versions', diff)
    .option('--from <version>', 'default: the one before the last')
    .option('--to <version>', 'default: the last');
  addRehearse(parent);
}

function addRehearse(parent: Command): void {
  const command = parent
    .command('rehearse')
    .description('what a configuration, or what has landed since, would do to stored history; changes nothing')
    .requiredOption('--from <time>', 'pages of windows that reach into this range, from')
    .requiredOption('--to <time>', '… to');
  withCommonOptions(
    command,
    'tidemark schema rehearse --stream payments --from 2026-11-01 --to 2026-11-02 --config tidemark.new.yaml',
  ).action((options: CommonOptions & { readonly from: string; readonly to: string }) =>
    invokeWithContext(options, async ({ context, streams }) => {
      const stream = oneStream(streams);
      const range = { from: instantOption('--from', options.from), to: instantOption('--to', options.to) };
      requireForward(range);
      const rehearsal = await rehearse(context, stream, pagesOfRange(context, stream, range));
      return { json: rehearsal, text: [rehearsedText(rehearsal), schemaText(rehearsal), rowsText(rehearsal)].join('\n') };
    }),
  );
}

function show({ schema }: SchemaDocument, stream: Stream): Answer {
  const fixed = [
    ...stream.key.map((column) => [column.name, 'key', 'text']),
    ...stream.version.map((column, at) => [column.name, 'version', at === 0 ? 'timestamp' : 'bigint']),
  ];
  const derived = (stream.transform?.columns ?? []).map(({ name, type }) => [`${DERIVED}.${name}`, 'transform', describe(type)]);
  const rows = [...fixed, ...schema.fields.map((field) => [field.name, '', describe(field.type)]), ...derived];
  const overflow = schema.overflow.length > 0 ? `\nin _overflow: ${schema.overflow.map((name) => JSON.stringify(name)).join(', ')}` : '';
  return { json: { stream: stream.name, ...schema }, text: `${stream.name}, version ${schema.version}\n${table(rows)}${overflow}` };
}

function history(document: SchemaDocument): Answer {
  const lines = document.history.flatMap((entry) => [
    `version ${entry.version}  ${formatInstant(entry.at)}  ${entry.page}`,
    ...changeLines([entry]),
  ]);
  return { json: document.history, text: lines.join('\n') };
}

function diff(document: SchemaDocument, _stream: Stream, options: SchemaOptions): Answer {
  const last = document.schema.version;
  const [from, to] = [version(options.from, last - 1, last), version(options.to, last, last)];
  const entries = document.history.filter((entry) => entry.version > from && entry.version <= to);
  const text = entries.length === 0 ? 'no difference' : [`version ${from} to ${to}`, ...changeLines(entries)].join('\n');
  return { json: { from, to, changes: entries.flatMap((entry) => entry.changes) }, text };
}

function version(text: string | undefined, fallback: number, last: number): number {
  const number = text === undefined ? fallback : Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= last) return number;
  throw usage(`there is no schema version ${text}`, `Versions run from 0 (nothing) to ${last}.`);
}

function changeLines(entries: readonly SchemaVersion[]): string[] {
  return entries.flatMap((entry) => entry.changes).map(changeLine);
}
