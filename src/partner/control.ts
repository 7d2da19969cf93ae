import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { formatInstant, parseInstant } from '../time.ts';
import { STREAM_NAMES } from './options.ts';
import type { Partner } from './server.ts';
import type { Truth } from './truth.ts';

/** The endpoints for whoever runs the experiment: no key, no faults, no rate limit. */
export async function control(partner: Partner, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://partner');
  const [, , name, stream] = url.pathname.split('/');
  if (name === 'clock' && request.method === 'POST') return setClock(partner, await text(request), response);
  if (name === 'clock') return send(response, 200, { now: formatInstant(partner.now()) });
  if (name === 'stats') return send(response, 200, { seed: partner.seed, now: formatInstant(partner.now()), ...partner.stats() });
  const known = STREAM_NAMES.find((each) => each === stream);
  if (name !== 'truth' || !known) return send(response, 404, { error: `there is no ${url.pathname}` });
  const now = instantOf(url, 'now', partner.now());
  const since = instantOf(url, 'since', undefined);
  if (now === null || since === null) return send(response, 400, { error: 'now and since are ISO 8601 times' });
  const refused = url.searchParams.get('refused') === 'include' ? 'include' : 'exclude';
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  const answer = partner.truth(known, { ...(now === undefined ? {} : { now }), ...(since === undefined ? {} : { since }), refused });
  await pipeline(Readable.from(linesOf(answer)), response);
}

/** One line an item; the last one holds the totals. */
function* linesOf(truth: Truth): Generator<string> {
  let lines = '';
  for (const item of truth) {
    lines += `${JSON.stringify(item)}\n`;
    if (lines.length < 65_536) continue;
    yield lines;
    lines = '';
  }
  yield `${lines}${JSON.stringify({ totals: truth.totals })}\n`;
}

function setClock(partner: Partner, body: string, response: ServerResponse): void {
  const instant = parseInstant(/"now"\s*:\s*"([^"]*)"/.exec(body)?.[1] ?? '', 'iso');
  if (instant === null) return send(response, 400, { error: 'send {"now": "2026-11-20T10:00:00Z"}' });
  partner.setNow(instant);
  send(response, 200, { now: formatInstant(partner.now()) });
}

function instantOf<T>(url: URL, name: string, otherwise: T): number | T | null {
  const value = url.searchParams.get(name);
  return value === null ? otherwise : parseInstant(value, 'iso');
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
