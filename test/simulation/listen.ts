import type { Micros } from '../../src/clock.ts';
import type { Context } from '../../src/pipeline/context.ts';
import { createApp } from '../../src/serve/app.ts';
import { commitAbandoned } from '../../src/serve/commit-pushes.ts';
import { createDoor } from '../../src/serve/door.ts';
import type { Stream } from '../../src/stream.ts';
import { HOUR } from '../../src/time.ts';
import type { Dice } from './dice.ts';
import type { SimulatedProcess } from './process.ts';
import type { Pusher } from './pushes.ts';

/** What `tidemark serve` does, but for the socket: takes pushes for so long, or until it is told to end. */
export async function listen(
  pusher: Pusher,
  process: SimulatedProcess,
  context: Context,
  streams: readonly Stream[],
  duration: Micros,
): Promise<void> {
  const effects = context.serveEffects();
  const doors = streams.flatMap((stream) => (stream.listen ? [createDoor(effects, stream, stream.listen)] : []));
  let isEnding = false;
  const listening = { process, app: createApp({ doors, log: context.log, ending: () => isEnding }) };
  pusher.listening.add(listening);
  await context.clock.sleep(duration / 1000, context.signal).catch(() => undefined);
  isEnding = true;
  await Promise.all(doors.map(({ listener }) => listener.close()));
  pusher.listening.delete(listening);
}

/** By a clock that is an hour ahead every listener seems to be gone: whoever goes by it ends the windows that others land in. */
export async function hurry(context: Context, streams: readonly Stream[], dice: Dice, until: Micros): Promise<void> {
  const listening = streams.filter((stream) => stream.listen);
  while (context.clock.now() < until + HOUR && !context.signal?.aborted) {
    for (const stream of listening) await commitAbandoned(context.serveEffects(), stream);
    await context.clock.sleep(dice.between(2, 20) * 1000, context.signal).catch(() => undefined);
  }
}
