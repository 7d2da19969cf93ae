import { TidemarkError } from '../errors.ts';
import { resolveDeadLetter } from '../fetch/dead-letter.ts';
import type { DeadLetter } from '../manifest/documents.ts';
import { redeliver } from '../serve/redeliver.ts';
import type { Stream } from '../stream.ts';
import type { Context } from './context.ts';

/** Takes a push from dead letter in after all. @throws SOURCE_SHAPE where it still cannot be read; CONFIG where the stream does not listen. */
export async function redeliverPush(context: Context, stream: Stream, letter: DeadLetter): Promise<void> {
  if (!stream.listen) {
    throw new TidemarkError({
      code: 'CONFIG',
      message: `${stream.name} listens no more`,
      hint: 'Its bytes are kept. Say under `listen` what its pushes are, and retry.',
    });
  }
  await redeliver(context.serveEffects(), stream, stream.listen, letter);
  await resolveDeadLetter(context, letter, 'read as the configuration says now, and landed');
}
