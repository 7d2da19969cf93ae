import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the server does with one request. Plain objects are sent as JSON. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string | object;
  /**
   * reset: the socket is destroyed before any byte; reset-in-body, truncated: in the middle of the body, without and with a stated
   * length; stall: nothing ever comes; stall-in-body: half of the body comes, and nothing more.
   */
  readonly fault?: 'reset' | 'reset-in-body' | 'truncated' | 'stall' | 'stall-in-body';
}

export interface ReceivedRequest {
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  /** One-based, over the server's life. */
  readonly count: number;
}

export interface MisbehavingServer {
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  close(): Promise<void>;
}

/** A real HTTP server whose every answer is decided by the test. */
export async function startMisbehavingServer(decide: (request: ReceivedRequest) => Reply): Promise<MisbehavingServer> {
  const requests: ReceivedRequest[] = [];
  const server = createServer((incoming, response) => {
    const url = new URL(incoming.url ?? '/', `http://${incoming.headers.host}`);
    const request = { url, headers: incoming.headers, count: requests.length + 1 };
    requests.push(request);
    answer(response, decide(request));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, requests, close };
}

function answer(response: ServerResponse, reply: Reply): void {
  const body = bytesOf(reply.body);
  const half = body.subarray(0, Math.floor(body.length / 2));
  const headers = { 'content-type': 'application/json', ...reply.headers };
  switch (reply.fault) {
    case 'reset':
      response.socket?.destroy();
      return;
    case 'stall':
      return;
    case 'reset-in-body':
    case 'stall-in-body':
      response.writeHead(reply.status ?? 200, headers);
      response.write(half, () => (reply.fault === 'reset-in-body' ? response.socket?.destroy() : undefined));
      return;
    case 'truncated':
      response.writeHead(reply.status ?? 200, { ...headers, 'content-length': String(body.length) });
      response.write(half, () => response.socket?.end());
      return;
    case undefined:
      response.writeHead(reply.status ?? 200, { 'content-length': String(body.length), ...headers });
      response.end(body);
  }
}

function bytesOf(body: Reply['body']): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
