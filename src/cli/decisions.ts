import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { type DeadLetterEntry, listDeadLetters, resolveDeadLetter, showDeadLetter, stateOf } from '../fetch/dead-letter.ts';
import { retryDeadLetter } from '../fetch/repair.ts';
import type { Context } from '../pipeline/context.ts';
import { redeliverPush } from '../pipeline/redeliver.ts';
import { runStreams } from '../pipeline/run.ts';
import type { Stream } from '../stream.ts';
import { formatInstant } from '../time.ts';
import { type Answer, type CommonOptions, invokeWithContext, oneStream, usage, withCommonOptions } from './command.ts';
import { EXIT, exitCodeOfRun } from './exit.ts';
import { addLetterLookup, lookupTable } from './lookup.ts';
import { listing } from './waiting.ts';

interface DecisionOptions extends CommonOptions {
  readonly all?: boolean;
  readonly reason?: string;
}

type Ask = (context: Context, streams: readonly Stream[], id: string, options: DecisionOptions) => Promise<Answer>;

function add(parent: Command, name: string, description: string, example: string, ask: Ask, takesId: boolean): Command {
  const command = parent.command(takesId ? `${name} <id>` : name).description(description);
  withCommonOptions(command, example);
  if (takesId)
    command.action((id: string, options: DecisionOptions) =>
      invokeWithContext(options, ({ context, streams }) => ask(context, streams, id, options)),
    );
  else
    command.action((options: DecisionOptions) => invokeWithContext(options, ({ context, streams }) => ask(context, streams, '', options)));
  return command;
}

export function addDeadLetter(program: Command): void {
  const parent = program
    .command('dead-letter')
    .description('requests that could not be answered, pushes that could not be read: list, show, retry, discard');
  parent.addHelpText('after', '\nExample:\n  tidemark dead-letter list --stream payments');
  add(parent, 'list', 'open ones; --all for the resolved as well', 'tidemark dead-letter list', listLetters, false).option(
    '--all',
    'resolved ones as well',
  );
  add(parent, 'show', 'one, with what the last attempt brought', 'tidemark dead-letter show ID --stream payments', showLetter, true);
  addLetterLookup(parent);
  add(parent, 'retry', 'ask its gap again, and load what comes', 'tidemark dead-letter retry ID --stream payments', retryLetter, true);
  const discard = 'tidemark dead-letter discard push-ID --stream payments --reason "sent again by the partner"';
  add(parent, 'discard', 'a push that cannot be read and is not needed', discard, discardLetter, true).option('--reason <text>', 'why');
}

const listLetters: Ask = async (context, streams, _id, options) => {
  const entries = (
    await Promise.all(streams.map((stream) => listDeadLetters(context.store, stream.name, options.all ? 'all' : 'open')))
  ).flat();
  const rows = entries
    .map((entry) => ({ ...entry, state: stateOf(entry) }))
    .map(({ letter, state }) => [
      letter.id,
      letter.stream,
      state,
      letter.gap ? `${formatInstant(letter.gap.from)} to ${formatInstant(letter.gap.to)}` : 'none',
      letter.reason.slice(0, 60),
    ]);
  return { json: entries, text: listing('dead letters', ['id', 'stream', 'state', 'gap', 'reason'], rows) };
};

/** Open or not, how it came to be so, and what would change it. */
function whatIsLeft({ letter, resolution, lookups }: DeadLetterEntry): string {
  if (resolution) return `resolved at ${formatInstant(resolution.at)}${resolution.by ? ` by ${resolution.by}` : ''}: ${resolution.reason}`;
  const lookedUp = lookups.length > 0 ? ', and lookups do not tell whether that was all' : '';
  return `open: nobody has asked for the whole of its gap with success${lookedUp}; \`dead-letter retry ${letter.id}\` asks again, as does each sweep that goes over it`;
}

const showLetter: Ask = async (context, streams, id) => {
  const entry = await showDeadLetter(context.store, oneStream(streams).name, id);
  const brought = entry.letter.body === null ? 'nothing' : Buffer.from(entry.letter.body, 'base64').toString('utf8').slice(0, 1000);
  return {
    json: entry,
    text: [
      JSON.stringify({ ...entry.letter, body: undefined, resolution: entry.resolution }, null, 2),
      `last attempt brought:\n${brought}`,
      ...entry.lookups.map(({ by, at, lookedUp }) => `looked up by ${by} at ${formatInstant(at)}:\n${lookupTable(lookedUp)}`),
      whatIsLeft(entry),
    ].join('\n'),
  };
};

const retryLetter: Ask = async (context, streams, id) => {
  const stream = oneStream(streams);
  const outcome = await retried(context, stream, id);
  const reports = await runStreams(context, [stream], { once: true, sweep: false, until: null, stages: ['normalize', 'load'] });
  const exit = outcome === 'open' ? EXIT.incomplete : exitCodeOfRun(reports.map((report) => ({ ...report, openDeadLetters: 0 })));
  return { exit, json: { outcome, id, stream: stream.name }, text: `dead letter ${id}: ${outcome}` };
};

async function retried(context: Context, stream: Stream, id: string): Promise<'resolved' | 'open' | 'already'> {
  const { letter, resolution } = await showDeadLetter(context.store, stream.name, id);
  if (letter.window.kind === 'push' && resolution === null) {
    await redeliverPush(context, stream, letter);
    return 'resolved';
  }
  const lease = await context.lease(stream);
  try {
    return (await retryDeadLetter(context.fetchEffects(stream), stream, lease, id)).outcome;
  } finally {
    await lease.release();
  }
}

/** Of a push alone: the partner was told, and sends it right. What was to be asked stays missing until it is asked again. */
const discardLetter: Ask = async (context, streams, id, { reason }) => {
  const stream = oneStream(streams);
  const { letter } = await showDeadLetter(context.store, stream.name, id);
  if (letter.window.kind !== 'push')
    throw usage(`${id} is a page that could not be had, not a push`, 'Nothing was changed. `dead-letter retry` asks for it again.');
  await resolveDeadLetter(context, letter, `discarded by ${userInfo().username}${reason === undefined ? '' : `: ${reason}`}`);
  return { json: { outcome: 'discarded', id, stream: stream.name }, text: `dead letter ${id} is discarded; its bytes stay in it` };
};
