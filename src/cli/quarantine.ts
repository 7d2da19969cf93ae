import type { Command } from 'commander';
import { decideQuarantine, listQuarantine, showQuarantined } from '../gate/quarantine.ts';
import { plural } from '../inspect/text.ts';
import { releaseRecord } from '../pipeline/release.ts';
import { addWaiting, decisionOf, listing, listVerb, type OneVerb, REASON, undecided } from './waiting.ts';

export function addQuarantine(program: Command): void {
  addWaiting(program, 'quarantine', 'records that may not enter', [list, show, release, discard]);
}

const list = listVerb(async (context, streams, options) => {
  const entries = await undecided(streams, options, (stream) => listQuarantine(context.store, stream.name));
  const rows = entries.map(({ id, stream, state, rules, key, value }) => [id, stream, state, rules.join('; '), key.join('/'), value ?? '']);
  return { json: entries, text: listing('records in quarantine', ['id', 'stream', 'state', 'rule', 'key', 'value'], rows) };
});

const show: OneVerb = {
  name: 'show',
  does: 'one, with its bytes',
  example: 'ID --stream settlements',
  askOne: async (context, stream, id) => {
    const detail = await showQuarantined(context.store, stream.name, id);
    const bytes = Buffer.from(detail.records[0]?.body ?? '', 'base64').toString('utf8');
    return { json: detail, text: `${JSON.stringify({ ...detail, records: undefined }, null, 2)}\nbytes:\n${bytes}` };
  },
};

const release: OneVerb = {
  name: 'release',
  does: 'let it in, whatever the rules say',
  example: 'ID --stream settlements --reason "checked with finance"',
  option: REASON,
  askOne: async (context, stream, id, options) => {
    await decideQuarantine(context.store, stream.name, id, decisionOf(context, 'release', options));
    const rows = await releaseRecord(context, stream, id);
    return { json: { id, stream: stream.name, decision: 'release', rows }, text: `${id} is released; ${plural(rows, 'row')} loaded` };
  },
};

const discard: OneVerb = {
  name: 'discard',
  does: 'leave it out for good',
  example: 'ID --stream settlements',
  option: REASON,
  askOne: async (context, stream, id, options) => {
    await decideQuarantine(context.store, stream.name, id, decisionOf(context, 'discard', options));
    const text = `${id} is discarded; its bytes stay in quarantine and in raw`;
    return { json: { id, stream: stream.name, decision: 'discard', rows: 0 }, text };
  },
};
