import type { Micros } from '../clock.ts';
import type { Fault, FaultKind } from './faults.ts';

/** One answer as it is to go over the wire. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /**
   * How the body ends. 'whole'; 'cut': only the first part, as a complete HTTP message; 'reset-within': the connection is reset after
   * the first part; 'reset-before': it is reset before the headers; 'silence': nothing is ever sent.
   */
  readonly ending: 'whole' | 'cut' | 'reset-within' | 'reset-before' | 'silence';
  /** Records in `body`, for the statistics. */
  readonly records: number;
  /** Whether `body` may be compressed. */
  readonly compressible: boolean;
}

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  const body = Buffer.from(JSON.stringify(value));
  return { status, headers: { 'content-type': 'application/json', ...headers }, body, ending: 'whole', records: 0, compressible: false };
}

export function refusal(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return json(status, { error: { code, message } }, headers);
}

export function page(body: Buffer, records: number): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body,
    ending: 'whole',
    records,
    compressible: true,
  };
}

/** Both forms of `Retry-After`: seconds, or a date by the clock of the `date` header. */
export function retryAfter(draw: number, seconds: number, now: Micros): Record<string, string> {
  return { 'retry-after': draw % 2 === 0 ? String(seconds) : httpDate(now + seconds * 1_000_000) };
}

export function httpDate(instant: Micros): string {
  return new Date(Math.ceil(instant / 1_000_000) * 1000).toUTCString();
}

type Early = (draw: number, wait: Record<string, string>) => Answer;

/** The faults that need no page. */
const EARLY: Partial<Record<FaultKind, Early>> = {
  'too-many-requests': (_, wait) => refusal(429, 'rate_limited', 'too many requests', wait),
  unavailable: (draw, wait) => refusal(503, 'unavailable', 'the service is temporarily unavailable', draw % 3 === 0 ? {} : wait),
  'gateway-timeout': gatewayTimeout,
  reset: () => ({ ...empty(), ending: 'reset-before' }),
  stall: () => ({ ...empty(), ending: 'silence' }),
  html: () => ({ ...empty(), headers: { 'content-type': 'text/html; charset=utf-8' }, body: Buffer.from(HTML) }),
  empty: () => ({ ...empty(), headers: { 'content-type': 'application/json' } }),
};

/** Null where the fault is one of a page: in its bytes, its ending or its records. */
export function faultWithoutPage(fault: Fault, retryAfterSeconds: number, now: Micros): Answer | null {
  return EARLY[fault.kind]?.(fault.draw, retryAfter(fault.draw, retryAfterSeconds, now)) ?? null;
}

/** The faults that strike a page that was made as it should be. */
export function spoil(answer: Answer, fault: Fault): Answer {
  if (fault.kind === 'late-gateway-timeout') return gatewayTimeout();
  if (fault.kind !== 'truncated' && fault.kind !== 'reset-in-body') return answer;
  const kept = 1 + (fault.draw % Math.max(1, answer.body.length - 1));
  const ending = fault.kind === 'truncated' ? 'cut' : 'reset-within';
  return { ...answer, ending, body: answer.body.subarray(0, kept), headers: { ...answer.headers, ...lengthBefore(ending, answer) } };
}

/** A reset is only seen as one where the length promised more. */
function lengthBefore(ending: 'cut' | 'reset-within', answer: Answer): Record<string, string> {
  return ending === 'reset-within' ? { 'content-length': String(answer.body.length) } : {};
}

function gatewayTimeout(): Answer {
  return {
    ...empty(),
    status: 504,
    headers: { 'content-type': 'text/html' },
    body: Buffer.from('<html><h1>504 Gateway Time-out</h1></html>'),
  };
}

function empty(): Answer {
  return { status: 200, headers: {}, body: Buffer.alloc(0), ending: 'whole', records: 0, compressible: false };
}

const HTML = '<!doctype html><html><head><title>Scheduled maintenance</title></head><body><h1>We will be right back</h1></body></html>';
