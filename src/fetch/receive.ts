import type { Agent, Dispatcher } from 'undici';
import { TidemarkError } from '../errors.ts';
import type { HttpRequest } from './client.ts';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** An answer as it came over the wire, before content decoding. */
export interface Received {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/**
 * Sends a GET and takes the answer without a stream in between: each piece is copied to its place as it comes, so that what a page needs
 * is one piece of memory of its own size, and no queue of pieces that are joined at the end.
 * @throws SOURCE_SHAPE where the body is larger than the limit; undici's errors; the signal's reason.
 */
export function receive(agent: Agent, { url, headers }: HttpRequest, signal: AbortSignal, limitBytes: number): Promise<Received> {
  const { origin, pathname, search } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<Received>();
  const body = new Body(limitBytes);
  let status = 0;
  let received: Headers = {};
  let stop: (() => void) | null = null;
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart: (controller) => {
      stop = () => controller.abort(signal.reason as Error);
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    },
    onResponseStart: (_controller, code, answered) => {
      if (code < 200) return;
      status = code;
      received = answered;
      body.expect(Number(answered['content-length'] ?? 0));
    },
    onResponseData: (_controller, chunk) => body.add(chunk),
    onResponseEnd: () => resolve({ status, headers: received, body: body.bytes() }),
    onResponseError: (_controller, error) => reject(error),
  };
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  agent.dispatch({ origin, path: pathname + search, method: 'GET', headers: { ...headers } }, handler);
  return promise.finally(() => stop && signal.removeEventListener('abort', stop));
}

/** More than this is not taken on the word of a header. */
const TRUSTED_BYTES = 16 * 1024 * 1024;
const LEAST_BYTES = 64 * 1024;

class Body {
  private buffer: Buffer = Buffer.alloc(0);
  private size = 0;
  private readonly limitBytes: number;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** @param size as the header states it; not a number, or 0, where it does not. */
  expect(size: number): void {
    if (size > this.limitBytes) throw tooLarge(this.limitBytes);
    if (size > 0) this.buffer = Buffer.allocUnsafeSlow(Math.min(size, TRUSTED_BYTES));
  }

  add(chunk: Buffer): void {
    const size = this.size + chunk.length;
    if (size > this.limitBytes) throw tooLarge(this.limitBytes);
    if (size > this.buffer.length) this.grow(size);
    chunk.copy(this.buffer, this.size);
    this.size = size;
  }

  private grow(size: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(size, this.buffer.length * 2, LEAST_BYTES));
    this.buffer.copy(larger, 0, 0, this.size);
    this.buffer = larger;
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.size);
  }
}

const tooLarge = (limitBytes: number): TidemarkError =>
  new TidemarkError({
    code: 'SOURCE_SHAPE',
    message: `the answer is larger than ${limitBytes} bytes`,
    hint: 'Nothing of it was kept. Set a smaller pageSize for this source.',
  });
