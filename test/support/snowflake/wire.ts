import type { IncomingMessage, ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';

export interface WireRequest {
  readonly method: string;
  readonly url: URL;
  readonly token: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Reads a request whole: JSON, compressed or not, and the token that it comes with. */
export async function readRequest(incoming: IncomingMessage): Promise<WireRequest> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  const raw = Buffer.concat(parts);
  const text = incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(raw).toString() : raw.toString();
  return {
    method: incoming.method ?? 'GET',
    url: new URL(incoming.url ?? '/', `http://${incoming.headers.host}`),
    token: /Token="([^"]*)"/.exec(incoming.headers.authorization ?? '')?.[1] ?? '',
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
  };
}

export function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

export function sendStatus(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end('out of order');
}

/** A success that is no JSON: a proxy cut it. */
export function sendGarbled(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end('{"data":{"rowtype":[');
}

export const destroy = (response: ServerResponse): void => void response.socket?.destroy();
