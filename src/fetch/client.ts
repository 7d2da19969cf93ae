import type { Agent } from 'undici';
import type { Clock } from '../clock.ts';
import { messageOf, TidemarkError } from '../errors.ts';
import { decodeBody } from './decode.ts';
import { receive } from './receive.ts';

/** No answer may be larger than this, neither on the wire nor decoded. */
export const BODY_LIMIT_BYTES = 256 * 1024 * 1024;
/** Sockets to one origin: a chain asks one page after another, so this bounds the chains that run at once. */
const SOCKETS_PER_ORIGIN = 16;
const CONNECT_TIMEOUT_MS = 10_000;
/** Below the 5 s after which many servers close an idle socket, so that a request seldom meets a closing one. */
const KEEP_ALIVE_MS = 4_000;

export interface HttpRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names; repeated headers joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** After content decoding. */
  readonly body: Buffer;
  /** The partner's own id of the request, where it names one. */
  readonly requestId: string | null;
}

export interface ExchangeLimits {
  /** From the request's start to the body's last byte. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly bodyLimitBytes?: number;
}

/**
 * One GET, one answer, no retries, no redirects.
 * @throws SOURCE_UNAVAILABLE (transient) for a reset, stall, truncated body, DNS or refused connection; SOURCE_SHAPE for a body that
 * is too large or cannot be decoded; SOURCE_REFUSED for TLS and URLs; the signal's reason where `signal` ended it.
 */
export type Exchange = (request: HttpRequest, limits: ExchangeLimits) => Promise<HttpAnswer>;

export interface HttpClient {
  readonly exchange: Exchange;
  close(): Promise<void>;
}

/** @param clock judges the deadline of each attempt; a real one wherever the sockets are real. */
export function createHttpClient(clock: Clock): HttpClient {
  let opened: Promise<Agent> | null = null;
  return {
    exchange: async (asked, limits) => exchangeOnce(await (opened ??= openAgent()), clock, asked, limits),
    close: async () => await (await opened)?.close(),
  };
}

/** Loaded with the first request: most commands make none, and it would be a fifth of their start. */
async function openAgent(): Promise<Agent> {
  const { Agent } = await import('undici');
  return new Agent({
    connections: SOCKETS_PER_ORIGIN,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    keepAliveTimeout: KEEP_ALIVE_MS,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

class Stalled extends Error {}

async function exchangeOnce(agent: Agent, clock: Clock, asked: HttpRequest, limits: ExchangeLimits): Promise<HttpAnswer> {
  limits.signal?.throwIfAborted();
  const attempt = new AbortController();
  const timer = new AbortController();
  const stop = (): void => attempt.abort(limits.signal?.reason);
  limits.signal?.addEventListener('abort', stop, { once: true });
  clock.sleep(limits.timeoutMs, timer.signal).then(
    () => attempt.abort(new Stalled(`no complete answer within ${limits.timeoutMs} ms`)),
    () => undefined,
  );
  try {
    return await answerTo(agent, asked, attempt.signal, limits.bodyLimitBytes ?? BODY_LIMIT_BYTES);
  } catch (error) {
    limits.signal?.throwIfAborted();
    throw classify(error, asked.url);
  } finally {
    timer.abort();
    limits.signal?.removeEventListener('abort', stop);
  }
}

async function answerTo(agent: Agent, asked: HttpRequest, signal: AbortSignal, limitBytes: number): Promise<HttpAnswer> {
  const received = await receive(agent, asked, signal, limitBytes);
  const headers = joinHeaders(received.headers);
  const body = await decodeBody(received.body, headers['content-encoding'], limitBytes);
  return { status: received.status, headers, body, requestId: headers['x-request-id'] ?? headers['request-id'] ?? null };
}

function joinHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const joined = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')] as const);
  return Object.fromEntries(joined);
}

const TERMINAL = /^(ERR_TLS|ERR_SSL|ERR_INVALID_URL|CERT_|DEPTH_ZERO|UNABLE_TO_|SELF_SIGNED|EPROTO$|UND_ERR_INVALID_ARG$)/;
const TRUNCATED = /^(UND_ERR_RES_CONTENT_LENGTH_MISMATCH|UND_ERR_SOCKET|HPE_)/;

/** Messages name the host, never the URL: its query may hold the key. */
function classify(error: unknown, url: string): unknown {
  if (error instanceof TidemarkError) return error;
  const code = codeOf(error);
  const host = URL.canParse(url) ? new URL(url).host : 'the configured address';
  if (error instanceof Stalled) return unavailable(host, 'stall', messageOf(error), error);
  if (TERMINAL.test(code)) return refusedConnection(host, code, error);
  return unavailable(host, TRUNCATED.test(code) ? 'truncated' : 'connection', messageOf(error) || code, error);
}

function codeOf(error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  if (typeof code === 'string') return code;
  return cause === undefined ? '' : codeOf(cause);
}

const unavailable = (host: string, failure: string, what: string, cause: unknown): TidemarkError =>
  new TidemarkError({
    code: 'SOURCE_UNAVAILABLE',
    message: `${host} did not answer: ${what}`,
    hint: 'Check the address and the network, or try again later: what has landed is kept.',
    transient: true,
    data: { failure },
    cause,
  });

const refusedConnection = (host: string, code: string, cause: unknown): TidemarkError =>
  new TidemarkError({
    code: 'SOURCE_REFUSED',
    message: `cannot talk to ${host}: ${messageOf(cause) || code}`,
    hint: 'What has landed is kept. Check the URL of `source.list` and the certificates that this machine trusts.',
    data: { failure: code },
    cause,
  });
