import { hash } from 'node:crypto';
import { messageOf, TidemarkError } from '../errors.ts';
import { JsonError, LayoutError } from '../json/errors.ts';
import type { DeadLetter } from '../manifest/documents.ts';
import type { Listen, Stream } from '../stream.ts';
import type { ServeEffects } from './effects.ts';
import { createPushWindows } from './push-window.ts';
import { measurePush } from './pushed-body.ts';

/**
 * Lands a push from dead letter: as if it came now, read as the configuration says now. @returns its records.
 * @throws SOURCE_SHAPE where it still cannot be read.
 */
export async function redeliver(effects: ServeEffects, stream: Stream, listen: Listen, letter: DeadLetter): Promise<number> {
  const body = Buffer.from(letter.body ?? '', 'base64');
  const page = readable(stream, letter, body);
  const { records } = page.measure;
  const windows = createPushWindows(effects, stream, listen);
  const delivery = { id: letter.id, sha256: hash('sha256', body), bytes: body.length, records, receivedAt: letter.at };
  if (records > 0) await windows.land([{ page, delivery }]);
  await windows.commit('now');
  return records;
}

function readable(stream: Stream, letter: DeadLetter, body: Buffer): ReturnType<typeof measurePush> {
  try {
    return measurePush(stream, body);
  } catch (cause) {
    if (!(cause instanceof JsonError || cause instanceof LayoutError)) throw cause;
    throw new TidemarkError({
      code: 'SOURCE_SHAPE',
      message: `the push ${letter.id} of ${stream.name} still cannot be read: ${messageOf(cause)}`,
      hint: 'Its bytes are kept. Correct `listen.body` if it is wrong; otherwise `tidemark dead-letter discard`, and the partner sends it right.',
      cause,
    });
  }
}
