import { type Command, Option } from 'commander';
import { type Clock, clockStartingAt, systemClock } from '../clock.ts';
import { loadConfiguration } from '../config.ts';
import { messageOf, TidemarkError } from '../errors.ts';
import { createLog, type Log } from '../log.ts';
import { type Context, type ContextOptions, openContext } from '../pipeline/context.ts';
import type { Configuration, Stream } from '../stream.ts';
import { parseDuration, parseInstant } from '../time.ts';
import { asTyped } from './as-typed.ts';
import { EXIT, type ExitCode, exitCodeOf } from './exit.ts';
import { formatError, systemTerminal, type Terminal, table } from './terminal.ts';

/** What every command has: the configuration, one JSON document on request, an example in its help. */
export interface CommonOptions {
  readonly config: string;
  readonly json?: boolean;
  readonly stream?: string;
  readonly now?: string;
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

export function withCommonOptions(command: Command, example: string): Command {
  return withStreamlessOptions(command, example).option('--stream <name>', 'only this stream');
}

/** The same for a command that is about no stream. */
export function withStreamlessOptions(command: Command, example: string): Command {
  return command
    .option('--config <file>', 'configuration', 'tidemark.yaml')
    .option('--json', 'print one JSON document')
    .addOption(new Option('--now <time>', 'take this for the current time (ISO 8601)').hideHelp())
    .addOption(new Option('--log-level <level>', 'of the log on standard error').choices(['debug', 'info', 'warn', 'error', 'silent']))
    .addHelpText('after', `\nExample:\n  ${example}`);
}

export interface Invocation<O extends CommonOptions = CommonOptions> {
  readonly options: O;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly configuration: () => Configuration;
}

export type Answer = { readonly exit?: ExitCode; readonly json: unknown; readonly text: string };

/** Runs one command: prints its answer, or its error with what to do, and sets the exit code. */
export async function invoke<O extends CommonOptions>(options: O, work: (invocation: Invocation<O>) => Promise<Answer>): Promise<void> {
  const terminal = systemTerminal();
  const typed = (text: string): string => asTyped(text, options.config);
  const ended = endOnSignal();
  try {
    const configuration = (): Configuration => loadConfiguration(options.config);
    const log = createLog(options.logLevel ?? (terminal.isLive ? 'silent' : 'info'));
    const answer = await work({ options, terminal, clock: clockOf(options), log, signal: ended, configuration });
    terminal.answer(options.json ? JSON.stringify(answer.json, null, 2) : typed(answer.text));
    process.exitCode = answer.exit ?? EXIT.done;
  } catch (error) {
    if (options.json) terminal.answer(JSON.stringify({ error: errorJson(error) }, null, 2));
    terminal.note(typed(formatError(error)));
    process.exitCode = exitCodeOf(error);
  }
}

function errorJson(error: unknown): object {
  if (!(error instanceof TidemarkError)) return { code: 'INTERNAL', message: messageOf(error) };
  const { code, message, hint, data } = error;
  return { code, message, hint, data };
}

/** The same with everything that the stages need, closed afterwards. */
export function invokeWithContext<O extends CommonOptions>(
  options: O,
  work: (invocation: Invocation<O> & { context: Context; streams: readonly Stream[] }) => Promise<Answer>,
): Promise<void> {
  return invoke(options, async (invocation) => {
    const configuration = invocation.configuration();
    const streams = selectStreams(configuration, options.stream);
    const { clock, log, signal, terminal } = invocation;
    const context = await openContext(configuration, { clock, log, signal, progress: liveProgress(terminal) });
    try {
      return await work({ ...invocation, context, streams });
    } finally {
      await context.close();
    }
  });
}

/** What is being fetched, one line a stream; nothing where there is no terminal. */
function liveProgress(terminal: Terminal): ContextOptions['progress'] {
  if (!terminal.isLive) return undefined;
  const rows = new Map<string, readonly (string | number)[]>();
  return ({ stream, window, totals }) => {
    rows.set(stream, [stream, window.kind, totals.asked, totals.retried, totals.pages, totals.records]);
    terminal.live(table([['stream', 'window', 'asked', 'retried', 'pages', 'records'], ...rows.values()]).split('\n'));
  };
}

export function selectStreams(configuration: Configuration, name: string | undefined): readonly Stream[] {
  if (name === undefined) return configuration.streams;
  const stream = configuration.streams.find((candidate) => candidate.name === name);
  if (stream) return [stream];
  throw usage(`there is no stream ${name}`, `Configured are: ${configuration.streams.map((candidate) => candidate.name).join(', ')}.`);
}

/** The one stream that a command is about. */
export function oneStream(streams: readonly Stream[]): Stream {
  if (streams.length === 1 && streams[0]) return streams[0];
  throw usage('several streams are configured', `Say which one: --stream ${streams.map((stream) => stream.name).join('|')}.`);
}

export const usage = (message: string, hint: string): TidemarkError => new TidemarkError({ code: 'CONFIG', message, hint });

export function instantOption(name: string, text: string): number {
  const instant = parseInstant(text, 'iso') ?? parseInstant(`${text}T00:00:00Z`, 'iso');
  if (instant !== null) return instant;
  throw usage(`${name} is no time: ${text}`, 'Write ISO 8601: 2026-11-20T10:00:00Z, or a day: 2026-11-20.');
}

/** Half-open. @throws CONFIG where it ends before it begins. */
export function requireForward({ from, to }: { readonly from?: number; readonly to?: number }): void {
  if (from === undefined || to === undefined || from < to) return;
  throw usage('the range ends before it begins', 'It is half-open: --from is before --to.');
}

export function durationOption(name: string, text: string): number {
  const duration = parseDuration(text);
  if (duration !== null) return duration;
  throw usage(`${name} is no duration: ${text}`, 'Write 90s, 5m, 48h or 7d.');
}

function clockOf(options: CommonOptions): Clock {
  return options.now === undefined ? systemClock : clockStartingAt(instantOption('--now', options.now));
}

/** SIGINT and SIGTERM end the work between two steps; a second one ends the process. */
function endOnSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () =>
      controller.abort(
        new TidemarkError({
          code: 'STORE',
          message: `ended by ${name}`,
          hint: 'What has landed is kept; run again to go on.',
          transient: true,
        }),
      ),
    );
  }
  return controller.signal;
}
