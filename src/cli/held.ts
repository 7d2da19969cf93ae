import type { Command } from 'commander';
import { TidemarkError } from '../errors.ts';
import { decideHeld, listHeld, showHeld } from '../gate/held.ts';
import { plural } from '../inspect/text.ts';
import type { Batch, Decision } from '../manifest/documents.ts';
import { runStreams } from '../pipeline/run.ts';
import { getJson } from '../store/json.ts';
import { batchKey } from '../store/keys.ts';
import { EXIT, exitCodeOfRun } from './exit.ts';
import { addWaiting, decisionOf, listing, listVerb, type OneVerb, REASON, undecided } from './waiting.ts';

export function addHeld(program: Command): void {
  addWaiting(program, 'held', 'batches outside the volume band', [list, show, release, discard]);
}

const list = listVerb(async (context, streams, options) => {
  const entries = await undecided(streams, options, (stream) => listHeld(context.store, stream.name));
  const rows = entries.map(({ held, state }) => [held.batch, held.stream, state, held.rows, held.reason]);
  const exit = entries.some((entry) => entry.state === 'open') ? EXIT.held : EXIT.done;
  return { exit, json: entries, text: listing('batches held', ['batch', 'stream', 'state', 'rows', 'reason'], rows) };
});

const show: OneVerb = {
  name: 'show',
  does: 'one, with its counts',
  example: 'BATCH --stream settlements',
  askOne: async (context, stream, id) => {
    const entry = await showHeld(context.store, stream.name, id);
    if (!entry)
      throw new TidemarkError({
        code: 'NOT_FOUND',
        message: `batch ${id} of ${stream.name} is not held`,
        hint: 'tidemark held list --all names every batch that ever was.',
      });
    const batch = (await getJson<Batch>(context.store, batchKey(stream.name, id)))?.value ?? null;
    return { json: { ...entry, batch }, text: JSON.stringify({ ...entry, counts: batch?.counts }, null, 2) };
  },
};

const release: OneVerb = {
  name: 'release',
  does: 'load it',
  example: 'BATCH --stream settlements --reason "month end"',
  option: REASON,
  askOne: decide('release', (rows) => `released; ${plural(rows, 'row')} loaded`),
};

const discard: OneVerb = {
  name: 'discard',
  does: 'leave it out',
  example: 'BATCH --stream settlements',
  option: REASON,
  askOne: decide('discard', () => 'discarded; its pages stay in raw, and a sweep will see its records again'),
};

/** Either way the load stage is run: what waits behind the batch may go on. */
function decide(decision: Decision['decision'], say: (rows: number) => string): OneVerb['askOne'] {
  return async (context, stream, id, options) => {
    await decideHeld(context.store, stream.name, id, decisionOf(context, decision, options));
    const reports = await runStreams(context, [stream], { once: true, sweep: false, until: null, stages: ['load'] });
    const rows = reports.reduce((sum, report) => sum + report.rows, 0);
    const json = { batch: id, stream: stream.name, decision, rows };
    return { exit: exitCodeOfRun(reports), json, text: `batch ${id} is ${say(rows)}` };
  };
}
