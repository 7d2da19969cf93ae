import { hash } from 'node:crypto';
import type { Micros } from '../clock.ts';
import type { DeadLetter } from '../manifest/documents.ts';
import { createJson } from '../store/json.ts';
import { deadLetterKey } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import type { ServeEffects } from './effects.ts';

/** What was signed by the partner, and cannot be read: kept with all its bytes. The same bytes are one letter. @returns its id. */
export async function keepRefused({ store, clock, log }: ServeEffects, stream: Stream, body: Buffer, reason: string): Promise<string> {
  const letter = letterFor(stream, body, reason, clock.now());
  await createJson(store, deadLetterKey(stream.name, letter.id), letter);
  log.warn({ stream: stream.name, deadLetter: letter.id, reason }, 'push goes to dead letter');
  return letter.id;
}

function letterFor(stream: Stream, body: Buffer, reason: string, at: Micros): DeadLetter {
  return {
    format: 1,
    id: `push-${hash('sha256', body).slice(0, 16)}`,
    stream: stream.name,
    window: { kind: 'push', start: at, end: at + 1 },
    slot: 0,
    cursor: null,
    url: stream.listen?.path ?? '',
    pageSize: 0,
    attempts: 1,
    reason,
    status: 400,
    body: body.toString('base64'),
    gap: null,
    at,
  };
}
