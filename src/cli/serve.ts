import type { Command } from 'commander';
import { openPushServer } from '../pipeline/serve.ts';
import { type CommonOptions, invoke, selectStreams, usage, withCommonOptions } from './command.ts';
import { EXIT } from './exit.ts';
import { table } from './terminal.ts';

interface ServeOptions extends CommonOptions {
  readonly host: string;
  readonly port: string;
}

export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .description('receive signed pushes into the raw layout, until it is ended; `run` normalizes and loads them')
    .option('--host <address>', 'to listen on', '127.0.0.1')
    .option('--port <number>', 'to listen on; 0 for any free one', '8090');
  withCommonOptions(command, 'tidemark serve --host 0.0.0.0 --port 8090').action((options: ServeOptions) =>
    invoke(options, async ({ configuration, clock, log, signal, terminal }) => {
      const all = configuration();
      const streams = selectStreams(all, options.stream);
      const server = await openPushServer(all, streams, { clock, log }, { host: options.host, port: portOf(options.port) });
      const places = server.doors.map(({ stream, listen }) => `${stream.name} at ${server.url}${listen.path}`);
      log.info({ url: server.url, streams: server.doors.map(({ stream }) => stream.name) }, 'listening');
      terminal.note(`listening: ${places.join(', ')}. End with Ctrl-C.`);
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await server.close();
      const counted = server.doors.map(({ stream, listener, counts }) => ({ stream: stream.name, ...listener.counts, ...counts }));
      const rows = counted.map(({ stream, deliveries, known, records, pages }) => [stream, deliveries, known, records, pages]);
      return { exit: EXIT.done, json: counted, text: table([['stream', 'deliveries', 'sent again', 'records', 'pages'], ...rows]) };
    }),
  );
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw usage(`--port is no port: ${text}`, 'Write a number from 0 to 65535.');
}
