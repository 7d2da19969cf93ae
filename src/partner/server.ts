import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Micros } from '../clock.ts';
import { SECOND } from '../time.ts';
import { type Answer, httpDate, refusal } from './answer.ts';
import { control } from './control.ts';
import { hex8 } from './hash.ts';
import { type PartnerSettings, partnerOptions, type StreamName, type WorldOptions } from './options.ts';
import { type PushQuestion, type PushReport, pushRecords } from './pusher.ts';
import { PartnerService } from './service.ts';
import type { PartnerStats } from './stats.ts';
import { type Truth, type TruthQuestion, truth } from './truth.ts';
import { createWorld, type World } from './world.ts';

/** A running partner. */
export interface Partner {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  readonly seed: number;
  /** The bearer tokens that it accepts. */
  readonly keys: readonly string[];
  /** The partner's clock: what it reads, and setting it. */
  now(): Micros;
  setNow(instant: Micros): void;
  stats(): PartnerStats;
  /** What a correct warehouse holds; `now` is the partner's clock unless said otherwise. */
  truth(stream: StreamName, question?: Partial<TruthQuestion>): Truth;
  /** Pushes what becomes visible, instead of waiting to be asked; the times of sending are of the partner's clock. */
  push(stream: StreamName, question: Omit<PushQuestion, 'nowSeconds'>): Promise<PushReport>;
  /** Ends every connection, also the stalled ones. */
  close(): Promise<void>;
}

const compress = promisify(gzip);

/** @param makeWorld makes another world than the simulated one. */
export async function startPartner(
  settings: PartnerSettings = {},
  makeWorld: (options: WorldOptions) => World = createWorld,
): Promise<Partner> {
  const options = partnerOptions(settings);
  const world = makeWorld(options);
  const service = new PartnerService(options, world);
  const clock = worldClock(options);
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 });
  const port = await listen(server, options.port, options.host);
  const partner: Partner = {
    url: `http://${options.host}:${port}`,
    port,
    seed: options.seed,
    keys: options.keys,
    ...clock,
    stats: () => structuredClone(service.stats),
    truth: (stream, question) => truth(world[stream], { now: clock.now(), ...question }),
    push: (stream, question) => pushRecords(world[stream], { ...question, nowSeconds: () => Math.floor(clock.now() / SECOND) }),
    close: () => close(server),
  };
  let requests = 0;
  server.on('request', (request, response) => {
    requests += 1;
    response.setHeader('x-request-id', `req_${hex8(options.seed)}_${requests}`);
    response.setHeader('date', httpDate(options.clock.now()));
    void handle(partner, service, request, response).catch(() => response.destroy());
  });
  return partner;
}

async function handle(partner: Partner, service: PartnerService, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const target = request.url ?? '/';
  if (target.startsWith('/_partner/')) return control(partner, request, response);
  const answer =
    request.method === 'GET'
      ? service.answer({ target, authorization: request.headers.authorization }, partner.now())
      : refusal(405, 'method_not_allowed', 'only GET', { allow: 'GET' });
  const status = answer.ending === 'silence' || answer.ending === 'reset-before' ? 0 : answer.status;
  service.stats.statuses[status] = (service.stats.statuses[status] ?? 0) + 1;
  if (answer.ending === 'whole') service.stats.recordsServed += answer.records;
  const gzips = answer.compressible && answer.ending === 'whole' && acceptsGzip(request) && service.compresses(target);
  write(gzips ? await compressed(answer) : answer, request, response);
}

function acceptsGzip(request: IncomingMessage): boolean {
  return /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
}

async function compressed(answer: Answer): Promise<Answer> {
  const body = await compress(answer.body, { level: 1 });
  return { ...answer, body, headers: { ...answer.headers, 'content-encoding': 'gzip' } };
}

function write(answer: Answer, request: IncomingMessage, response: ServerResponse): void {
  if (answer.ending === 'silence') return;
  if (answer.ending === 'reset-before') {
    request.socket.resetAndDestroy();
    return;
  }
  response.writeHead(answer.status, { 'content-length': String(answer.body.length), ...answer.headers });
  if (answer.ending === 'reset-within') response.write(answer.body, () => request.socket.resetAndDestroy());
  else response.end(answer.body);
}

function worldClock({
  now,
  pace,
  clock,
}: {
  now: Micros;
  pace: number;
  clock: { monotonicMs(): number };
}): Pick<Partner, 'now' | 'setNow'> {
  let base = { instant: now, at: clock.monotonicMs() };
  return {
    now: () => base.instant + Math.round((clock.monotonicMs() - base.at) * pace * 1000),
    setNow: (instant) => {
      base = { instant, at: clock.monotonicMs() };
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
