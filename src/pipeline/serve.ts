import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { thisProcess } from '../manifest/holder.ts';
import type { ServeEffects } from '../serve/effects.ts';
import type { PushServer } from '../serve/server.ts';
import { openStore } from '../store/open.ts';
import { probeStore } from '../store/probe.ts';
import type { Configuration, Stream } from '../stream.ts';

/** A listener of its own needs the store alone: the warehouse is another process's. @throws STORE, STORE_UNSAFE, CONFIG. */
export async function openPushServer(
  configuration: Configuration,
  streams: readonly Stream[],
  effects: { readonly clock: Clock; readonly log: Log },
  address: { readonly host: string; readonly port: number },
): Promise<PushServer> {
  const randomId = (): string => randomUUID();
  const store = await openStore(configuration.store, { clock: effects.clock, randomId, random: Math.random });
  await probeStore(store, randomId);
  const serve: ServeEffects = { ...effects, store, randomId, holder: thisProcess(randomId) };
  const { startPushServer } = await import('../serve/server.ts');
  return startPushServer(serve, streams, address);
}
