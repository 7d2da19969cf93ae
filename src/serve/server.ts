import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { TidemarkError } from '../errors.ts';
import type { Stream } from '../stream.ts';
import { createApp } from './app.ts';
import { createDoor, type Door } from './door.ts';
import type { ServeEffects } from './effects.ts';

/** Milliseconds. A request that has not come whole by then is refused; what ends waits no longer for those that are on their way. */
const TIMES = { headers: 10_000, request: 30_000, ending: 20_000 } as const;

export interface PushServer {
  /** `http://<host>:<port>`. */
  readonly url: string;
  readonly doors: readonly Door[];
  /** Answers what has come, commits, and ends. @throws where a window could not be committed: it is, by the next process that looks. */
  close(): Promise<void>;
}

/** @throws CONFIG where no stream listens, a secret is missing, or the port is taken. */
export async function startPushServer(
  effects: ServeEffects,
  streams: readonly Stream[],
  { host, port }: { readonly host: string; readonly port: number },
): Promise<PushServer> {
  const listening = streams.flatMap((stream) => (stream.listen ? [{ stream, listen: stream.listen }] : []));
  if (listening.length === 0) throw nobodyListens(streams);
  const doors = listening.map(({ stream, listen }) => createDoor(effects, stream, listen));
  let ending = false;
  const app = createApp({ doors, log: effects.log, ending: () => ending });
  const server = await listen(app.fetch, host, port).catch(async (error: unknown) => {
    await Promise.all(doors.map(({ listener }) => listener.close()));
    throw error;
  });
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
    doors,
    close: async () => {
      ending = true;
      await closed(server, effects);
      const ended = await Promise.allSettled(doors.map(({ listener }) => listener.close()));
      for (const each of ended) if (each.status === 'rejected') throw each.reason;
    },
  };
}

function listen(fetch: Parameters<typeof serve>[0]['fetch'], hostname: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const serverOptions = { headersTimeout: TIMES.headers, requestTimeout: TIMES.request };
    const server = serve({ fetch, hostname, port, serverOptions }, () => resolve(server)) as Server;
    server.once('error', (cause: NodeJS.ErrnoException) => reject(notListening(hostname, port, cause)));
  });
}

/** Takes no more connections, and lets those that are on their way have their answers. */
async function closed(server: Server, { clock }: ServeEffects): Promise<void> {
  const over = new AbortController();
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  void clock.sleep(TIMES.ending, over.signal).then(
    () => server.closeAllConnections(),
    () => undefined,
  );
  await ended;
  over.abort();
}

const notListening = (host: string, port: number, cause: NodeJS.ErrnoException): TidemarkError =>
  new TidemarkError({
    code: 'CONFIG',
    message: `cannot listen at ${host}:${port}: ${cause.code === 'EADDRINUSE' ? 'the port is taken' : cause.message}`,
    hint: 'Nothing was started. Name another with --host and --port, or end the process that has it.',
    cause,
  });

const nobodyListens = (streams: readonly Stream[]): TidemarkError =>
  new TidemarkError({
    code: 'CONFIG',
    message: `${streams.map(({ name }) => name).join(', ')}: no stream listens`,
    hint: 'Nothing was started. Say under `listen` how the partner signs its pushes.',
  });
