import type { Micros } from '../../src/clock.ts';
import type { Context } from '../../src/pipeline/context.ts';
import { createApp } from '../../src/serve/app.ts';
import { createDoor } from '../../src/serve/door.ts';
import type { Stream } from '../../src/stream.ts';
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
