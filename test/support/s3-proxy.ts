import { Agent, createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { seededRandom } from '../../src/store/faulty.ts';

/** What goes wrong between client and server: shares of the requests that it can happen to, by chance from a seed. */
export interface ProxyFaults {
  /** 503 SlowDown; nothing was done. */
  readonly throttled?: number;
  /** 500 InternalError; half of the times the server did it. */
  readonly failed?: number;
  /** 409 to a conditional write; nothing was done. */
  readonly collided?: number;
  /** The connection is reset before the request was read. */
  readonly reset?: number;
  /** Half of the body reaches the server, then both connections are reset. */
  readonly cut?: number;
  /** Done, and the connection is reset before the answer. */
  readonly lost?: number;
  /** Hangs: before the body is read, after the server did it, or in the middle of the answer's body. */
  readonly stalled?: number;
  /** Hangs, and reaches the server once the client has given up. */
  readonly late?: number;
  /** The answer's body breaks off in the middle. */
  readonly truncated?: number;
  /** The answer's body comes in pieces of a few bytes. */
  readonly slow?: number;
}

type Fault = keyof ProxyFaults;

export interface ProxyOptions {
  readonly seed: number;
  readonly faults: ProxyFaults;
  /** A request hangs now: only a deadline ends it. */
  readonly onStall?: () => void;
}

export interface S3Proxy {
  readonly endpoint: string;
  readonly requests: () => number;
  /** How often each fault happened so far. */
  readonly counts: Readonly<Record<string, number>>;
  /** Tells of each request, before anything is done about it, until the function that it gives is called. */
  watch(watcher: () => void): () => void;
  /** Waits for what still reaches the server, and ends. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** A proxy in front of an S3 server that passes every request on unchanged, its signature too, or does one thing wrong with it. */
export async function startS3Proxy(upstream: string, options: ProxyOptions): Promise<S3Proxy> {
  const random = seededRandom(options.seed);
  const agent = new Agent({ keepAlive: true });
  const counts: Record<string, number> = {};
  const underway = new Set<Promise<void>>();
  const watchers = new Set<() => void>();
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    for (const watcher of watchers) watcher();
    const fault = chosen(options.faults, request, random());
    if (fault) counts[fault] = (counts[fault] ?? 0) + 1;
    const exchange = new Exchange(request, response, upstream, agent, options.onStall ?? ignore);
    const work = exchange.run(fault, random()).catch(() => reset(request));
    underway.add(work);
    work.finally(() => underway.delete(work)).catch(ignore);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    counts,
    watch: (watcher) => {
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    },
    close: async () => {
      server.closeAllConnections();
      while (underway.size > 0) await Promise.all(underway);
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
    },
  };
}

const ignore = (): void => undefined;
/** Not `resetAndDestroy`: where an answer is still being ended it leaves a handle behind, and Node never gets through its exit. */
const reset = ({ socket }: IncomingMessage): void => void socket.destroy();

function chosen(faults: ProxyFaults, request: IncomingMessage, chance: number): Fault | null {
  let below = 0;
  for (const [fault, share] of Object.entries(faults) as [Fault, number][]) {
    if (!applies(fault, request)) continue;
    below += share;
    if (chance < below) return fault;
  }
  return null;
}

function applies(fault: Fault, { method, headers }: IncomingMessage): boolean {
  if (fault === 'collided' || fault === 'late') return 'if-match' in headers || 'if-none-match' in headers;
  if (fault === 'cut') return method === 'PUT';
  if (fault === 'truncated' || fault === 'slow') return method === 'GET';
  return true;
}

/** One request, and what becomes of it. */
class Exchange {
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private readonly upstream: string;
  private readonly agent: Agent;
  private readonly onStall: () => void;

  constructor(request: IncomingMessage, response: ServerResponse, upstream: string, agent: Agent, onStall: () => void) {
    this.request = request;
    this.response = response;
    this.upstream = upstream;
    this.agent = agent;
    this.onStall = onStall;
  }

  /** @param chance in [0, 1): where a fault has several forms, which. */
  async run(fault: Fault | null, chance: number): Promise<void> {
    if (fault === 'reset') return reset(this.request);
    if (fault === 'stalled' && chance < 1 / 3) return this.stall();
    const body = await bytesOf(this.request);
    if (fault === 'throttled') return this.answer(errorAnswer(503, 'SlowDown'));
    if (fault === 'collided') return this.answer(errorAnswer(409, 'ConditionalRequestConflict'));
    if (fault === 'cut') return this.cut(body);
    if (fault === 'late') await this.givenUp();
    const answer = fault === 'failed' && chance < 1 / 2 ? null : await this.forward(body);
    if (fault === 'late') return;
    if (fault === 'failed' || answer === null) return this.answer(errorAnswer(500, 'InternalError'));
    return this.spoil(answer, fault, chance);
  }

  /** What goes wrong once the server has answered. */
  private spoil(answer: Answer, fault: Fault | null, chance: number): void {
    const isDownload = this.request.method === 'GET' && answer.body.length > 1;
    if (fault === 'lost') return reset(this.request);
    if (fault === 'stalled' && !(isDownload && chance < 2 / 3)) return this.stall();
    if (fault === 'slow') return void this.trickle(answer);
    if (fault !== 'stalled' && !(fault === 'truncated' && isDownload)) return this.answer(answer);
    this.head(answer);
    const half = answer.body.subarray(0, answer.body.length >> 1);
    this.response.write(half, () => (fault === 'stalled' ? this.stall() : this.request.socket.end()));
  }

  private stall(): void {
    this.onStall();
  }

  /** Hangs until the client has closed the connection. */
  private async givenUp(): Promise<void> {
    const { socket } = this.request;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    this.onStall();
    if (!socket.destroyed) await closed;
  }

  private head({ status, headers, body }: Answer): void {
    const { connection: _connection, 'keep-alive': _keepAlive, 'transfer-encoding': _encoding, ...kept } = headers;
    this.response.writeHead(status, this.request.method === 'HEAD' ? kept : { ...kept, 'content-length': String(body.length) });
  }

  private answer(answer: Answer): void {
    this.head(answer);
    this.response.end(this.request.method === 'HEAD' ? undefined : answer.body);
  }

  private async trickle(answer: Answer): Promise<void> {
    this.head(answer);
    const step = Math.max(7, Math.ceil(answer.body.length / 50));
    for (let at = 0; at < answer.body.length && !this.response.destroyed; at += step) {
      this.response.write(answer.body.subarray(at, at + step));
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.response.end();
  }

  private forward(body: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const onward = this.onward((answer) => {
        bytesOf(answer).then((bytes) => resolve({ status: answer.statusCode ?? 500, headers: answer.headers, body: bytes }), reject);
      });
      onward.on('error', reject);
      onward.end(body);
    });
  }

  private async cut(body: Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      const onward = this.onward(ignore);
      onward.on('error', ignore);
      onward.on('close', resolve);
      onward.write(body.subarray(0, body.length >> 1), () => onward.destroy());
      if (body.length < 2) onward.destroy();
    });
    reset(this.request);
  }

  private onward(answered: (answer: IncomingMessage) => void): ReturnType<typeof send> {
    const { method, url = '/', headers } = this.request;
    const { expect: _expect, connection: _connection, ...kept } = headers;
    return send(`${this.upstream}${url}`, { method: method ?? 'GET', headers: kept, agent: this.agent, path: url }, answered);
  }
}

async function bytesOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function errorAnswer(status: number, code: string): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  return { status, headers: { 'content-type': 'application/xml' }, body: Buffer.from(body) };
}
