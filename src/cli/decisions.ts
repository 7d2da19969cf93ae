import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { TidemarkError } from '../errors.ts';
import { listDeadLetters, resolveDeadLetter, showDeadLetter } from '../fetch/dead-letter.ts';
import { retryDeadLetter } from '../fetch/repair.ts';
import { decideHeld, listHeld, showHeld } from '../gate/held.ts';
import { decideQuarantine, listQuarantine, showQuarantined } from '../gate/quarantine.ts';
import type { Batch, Decision } from '../manifest/documents.ts';
import type { Context } from '../pipeline/context.ts';
import { redeliverPush } from '../pipeline/redeliver.ts';
import { releaseRecord } from '../pipeline/release.ts';
import { runStreams } from '../pipeline/run.ts';
import { getJson } from '../store/json.ts';
import { batchKey } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import { formatInstant } from '../time.ts';
import { type Answer, type CommonOptions, invokeWithContext, oneStream, usage, withCommonOptions } from './command.ts';
import { EXIT, exitCodeOfRun } from './exit.ts';
import { table } from './terminal.ts';

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
  add(parent, 'retry', 'ask its gap again, and load what comes', 'tidemark dead-letter retry ID --stream payments', retryLetter, true);
  const discard = 'tidemark dead-letter discard push-ID --stream payments --reason "sent again by the partner"';
  add(parent, 'discard', 'a push that cannot be read and is not needed', discard, discardLetter, true).option('--reason <text>', 'why');
}

const listLetters: Ask = async (context, streams, _id, options) => {
  const entries = (
    await Promise.all(streams.map((stream) => listDeadLetters(context.store, stream.name, options.all ? 'all' : 'open')))
  ).flat();
  const rows = entries.map(({ letter, resolution }) => [
    letter.id,
    letter.stream,
    resolution ? 'resolved' : 'open',
    letter.gap ? `${formatInstant(letter.gap.from)} to ${formatInstant(letter.gap.to)}` : 'none',
    letter.reason.slice(0, 60),
  ]);
  return { json: entries, text: listing('dead letters', ['id', 'stream', 'state', 'gap', 'reason'], rows) };
};

const showLetter: Ask = async (context, streams, id) => {
  const entry = await showDeadLetter(context.store, oneStream(streams).name, id);
  const brought = entry.letter.body === null ? 'nothing' : Buffer.from(entry.letter.body, 'base64').toString('utf8').slice(0, 1000);
  return {
    json: entry,
    text: `${JSON.stringify({ ...entry.letter, body: undefined, resolution: entry.resolution }, null, 2)}\nlast attempt brought:\n${brought}`,
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

export function addQuarantine(program: Command): void {
  const parent = program.command('quarantine').description('records that may not enter: list, show, release, discard');
  parent.addHelpText('after', '\nExample:\n  tidemark quarantine list --stream settlements');
  add(parent, 'list', 'open ones; --all for the decided as well', 'tidemark quarantine list', listRecords, false).option(
    '--all',
    'decided ones as well',
  );
  add(parent, 'show', 'one, with its bytes', 'tidemark quarantine show ID --stream settlements', showRecord, true);
  add(
    parent,
    'release',
    'let it in, whatever the rules say',
    'tidemark quarantine release ID --stream settlements --reason "checked with finance"',
    decideRecord('release'),
    true,
  ).option('--reason <text>', 'why');
  add(
    parent,
    'discard',
    'leave it out for good',
    'tidemark quarantine discard ID --stream settlements',
    decideRecord('discard'),
    true,
  ).option('--reason <text>', 'why');
}

const listRecords: Ask = async (context, streams, _id, options) => {
  const entries = (await Promise.all(streams.map((stream) => listQuarantine(context.store, stream.name))))
    .flat()
    .filter((entry) => options.all || entry.state === 'open');
  const rows = entries.map((entry) => [
    entry.id,
    entry.stream,
    entry.state,
    entry.rules.join('; '),
    entry.key.join('/'),
    entry.value ?? '',
  ]);
  return { json: entries, text: listing('records in quarantine', ['id', 'stream', 'state', 'rule', 'key', 'value'], rows) };
};

const showRecord: Ask = async (context, streams, id) => {
  const detail = await showQuarantined(context.store, oneStream(streams).name, id);
  const bytes = Buffer.from(detail.records[0]?.body ?? '', 'base64').toString('utf8');
  return { json: detail, text: `${JSON.stringify({ ...detail, records: undefined }, null, 2)}\nbytes:\n${bytes}` };
};

const decideRecord =
  (decision: Decision['decision']): Ask =>
  async (context, streams, id, options) => {
    const stream = oneStream(streams);
    await decideQuarantine(context.store, stream.name, id, decisionOf(context, decision, options));
    const rows = decision === 'release' ? await releaseRecord(context, stream, id) : 0;
    const text =
      decision === 'release'
        ? `${id} is released; ${rows} ${rows === 1 ? 'row' : 'rows'} loaded`
        : `${id} is discarded; its bytes stay in quarantine and in raw`;
    return { json: { id, stream: stream.name, decision, rows }, text };
  };

export function addHeld(program: Command): void {
  const parent = program.command('held').description('batches outside the volume band: list, show, release, discard');
  parent.addHelpText('after', '\nExample:\n  tidemark held release BATCH --stream settlements');
  add(parent, 'list', 'open ones; --all for the decided as well', 'tidemark held list', listBatches, false).option(
    '--all',
    'decided ones as well',
  );
  add(parent, 'show', 'one, with its counts', 'tidemark held show BATCH --stream settlements', showBatch, true);
  add(
    parent,
    'release',
    'load it',
    'tidemark held release BATCH --stream settlements --reason "month end"',
    decideBatch('release'),
    true,
  ).option('--reason <text>', 'why');
  add(parent, 'discard', 'leave it out', 'tidemark held discard BATCH --stream settlements', decideBatch('discard'), true).option(
    '--reason <text>',
    'why',
  );
}

const listBatches: Ask = async (context, streams, _id, options) => {
  const entries = (await Promise.all(streams.map((stream) => listHeld(context.store, stream.name))))
    .flat()
    .filter((entry) => options.all || entry.state === 'open');
  const rows = entries.map(({ held, state }) => [held.batch, held.stream, state, held.rows, held.reason]);
  const exit = entries.some((entry) => entry.state === 'open') ? EXIT.held : EXIT.done;
  return { exit, json: entries, text: listing('batches held', ['batch', 'stream', 'state', 'rows', 'reason'], rows) };
};

const showBatch: Ask = async (context, streams, id) => {
  const stream = oneStream(streams);
  const entry = await showHeld(context.store, stream.name, id);
  if (!entry)
    throw new TidemarkError({
      code: 'NOT_FOUND',
      message: `batch ${id} of ${stream.name} is not held`,
      hint: 'tidemark held list --all names every batch that ever was.',
    });
  const batch = (await getJson<Batch>(context.store, batchKey(stream.name, id)))?.value ?? null;
  return { json: { ...entry, batch }, text: JSON.stringify({ ...entry, counts: batch?.counts }, null, 2) };
};

const decideBatch =
  (decision: Decision['decision']): Ask =>
  async (context, streams, id, options) => {
    const stream = oneStream(streams);
    await decideHeld(context.store, stream.name, id, decisionOf(context, decision, options));
    const reports = await runStreams(context, [stream], { once: true, sweep: false, until: null, stages: ['load'] });
    const rows = reports.reduce((sum, report) => sum + report.rows, 0);
    const text =
      decision === 'release'
        ? `batch ${id} is released; ${rows} rows loaded`
        : `batch ${id} is discarded; its pages stay in raw, and a sweep will see its records again`;
    return { exit: exitCodeOfRun(reports), json: { batch: id, stream: stream.name, decision, rows }, text };
  };

function decisionOf(context: Context, decision: Decision['decision'], options: DecisionOptions): Decision {
  return { format: 1, decision, by: userInfo().username, reason: options.reason ?? null, at: context.clock.now() };
}

function listing(what: string, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return rows.length === 0 ? `no ${what}` : table([head, ...rows]);
}
