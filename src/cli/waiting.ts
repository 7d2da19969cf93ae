import { userInfo } from 'node:os';
import type { Command } from 'commander';
import type { Decision } from '../manifest/documents.ts';
import type { Context } from '../pipeline/context.ts';
import type { Stream } from '../stream.ts';
import { type Answer, type CommonOptions, invokeWithContext, oneStream, withCommonOptions } from './command.ts';
import { table } from './terminal.ts';

/** What waits for somebody (dead letters, quarantine, held batches) is listed, shown and decided by commands of the same form. */
export interface WaitingOptions extends CommonOptions {
  readonly all?: boolean;
  readonly reason?: string;
}

interface Verb {
  readonly name: string;
  readonly does: string;
  /** What follows the command's name in its example. */
  readonly example: string;
  readonly option?: readonly [flags: string, description: string];
}

/** Asks about everything of a kind. */
export interface ListVerb extends Verb {
  readonly ask: (context: Context, streams: readonly Stream[], options: WaitingOptions) => Promise<Answer>;
}

/** Asks about, or does something to, one of a kind. */
export interface OneVerb extends Verb {
  readonly askOne: (context: Context, stream: Stream, id: string, options: WaitingOptions) => Promise<Answer>;
}

/** The list of a kind: what waits, and on request what no longer does. */
export const listVerb = (ask: ListVerb['ask']): ListVerb => ({
  name: 'list',
  does: 'open ones; --all for the decided as well',
  example: '',
  option: ['--all', 'decided ones as well'],
  ask,
});

export const REASON = ['--reason <text>', 'why'] as const;

/** A command with a command of its own for each verb. */
export function addWaiting(program: Command, name: string, description: string, verbs: readonly (ListVerb | OneVerb)[]): void {
  const parent = program.command(name).description(`${description}: ${verbs.map((verb) => verb.name).join(', ')}`);
  parent.addHelpText('after', `\nExample:\n  ${exampleOf(name, verbs[0])}`);
  for (const verb of verbs) {
    const command = parent.command('askOne' in verb ? `${verb.name} <id>` : verb.name).description(verb.does);
    withCommonOptions(command, exampleOf(name, verb));
    if (verb.option) command.option(...verb.option);
    command.action('askOne' in verb ? actionOnOne(verb) : actionOnAll(verb));
  }
}

const exampleOf = (name: string, verb: Verb | undefined): string => `tidemark ${name} ${verb?.name ?? ''} ${verb?.example ?? ''}`.trimEnd();

const actionOnAll =
  ({ ask }: ListVerb) =>
  (options: WaitingOptions): Promise<void> =>
    invokeWithContext(options, ({ context, streams }) => ask(context, streams, options));

const actionOnOne =
  ({ askOne }: OneVerb) =>
  (id: string, options: WaitingOptions): Promise<void> =>
    invokeWithContext(options, ({ context, streams }) => askOne(context, oneStream(streams), id, options));

/** What each of the streams has of a kind. */
async function acrossStreams<T>(streams: readonly Stream[], list: (stream: Stream) => Promise<readonly T[]>): Promise<T[]> {
  return (await Promise.all(streams.map(list))).flat();
}

/** The same, without what was decided already, unless all are asked for. */
export async function undecided<T extends { readonly state: string }>(
  streams: readonly Stream[],
  { all }: WaitingOptions,
  list: (stream: Stream) => Promise<readonly T[]>,
): Promise<T[]> {
  return (await acrossStreams(streams, list)).filter((entry) => all || entry.state === 'open');
}

export const decisionOf = (context: Context, decision: Decision['decision'], { reason }: WaitingOptions): Decision => ({
  format: 1,
  decision,
  by: userInfo().username,
  reason: reason ?? null,
  at: context.clock.now(),
});

export function listing(what: string, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return rows.length === 0 ? `no ${what}` : table([head, ...rows]);
}
