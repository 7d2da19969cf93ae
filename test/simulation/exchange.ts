import type { Micros } from '../../src/clock.ts';
import { TidemarkError } from '../../src/errors.ts';
import type { Exchange, ExchangeLimits, HttpAnswer, HttpRequest } from '../../src/fetch/client.ts';
import { type Answer, httpDate, refusal } from '../../src/partner/answer.ts';
import type { PartnerService } from '../../src/partner/service.ts';
import type { Pagination } from '../../src/stream.ts';
import type { Faults } from './faults.ts';
import type { SimulatedProcess } from './process.ts';
import type { SentRequests } from './sent-requests.ts';

/** The partner as the world knows it; the simulation's own parts of it are here. */
export interface SimulatedPartner {
  readonly service: PartnerService;
  /** Stretches in which it answers nothing but 503. */
  readonly brownouts: readonly { readonly from: Micros; readonly to: Micros }[];
  readonly pagination: Pagination['kind'];
  /** Told of every request as it is sent. */
  readonly pace: SentRequests;
  requests: number;
}

/** Where the partner is said to be. */
export const PARTNER_URL = 'http://partner.simulated';

/** Exchange without sockets: what the client makes of each ending of an answer. */
export function partnerExchange(partner: SimulatedPartner, process: SimulatedProcess, faults: Faults): Exchange {
  return async (request, limits) => {
    limits.signal?.throwIfAborted();
    const { pathname, search } = new URL(request.url);
    const target = `${pathname}${search}`;
    partner.pace.sent(process.scheduler.now());
    const stale = faults.draw('staleConnection') !== null;
    const ask = async (): Promise<Answer> => {
      if (stale) throw unavailable('connection', 'read ECONNRESET');
      return answerOf(partner, process, target, request, faults);
    };
    const answered = process.perform('partner', `GET ${target}`, ask, ({ status, ending, records }) => `${status} ${ending} ${records}`);
    const answer = await within(process, answered, limits.timeoutMs, limits.signal);
    return received(partner, process, target, answer, limits);
  };
}

function answerOf(partner: SimulatedPartner, process: SimulatedProcess, target: string, request: HttpRequest, faults: Faults): Answer {
  const now = process.scheduler.now();
  if (!faults.over && partner.brownouts.some(({ from, to }) => now >= from && now < to)) {
    faults.count('brownout');
    return refusal(503, 'unavailable', 'brownout');
  }
  return partner.service.answer({ target, authorization: request.headers['authorization'] }, now);
}

/** With a reason: an error of its own for each request is most of what one costs. */
const ANSWERED = 'answered';

/** No complete answer within the time that an attempt has. */
async function within<T>(process: SimulatedProcess, answer: Promise<T>, timeoutMs: number, signal: AbortSignal | undefined): Promise<T> {
  const over = new AbortController();
  const late = (
    signal ? process.clock.sleep(timeoutMs, AbortSignal.any([signal, over.signal])) : process.clock.sleep(timeoutMs, over.signal)
  ).then(
    () => Promise.reject(unavailable('stall', `no complete answer within ${timeoutMs} ms`)),
    (reason: unknown) => Promise.reject(reason as Error),
  );
  late.catch(() => undefined);
  try {
    return await Promise.race([answer, late]);
  } finally {
    answer.catch(() => undefined);
    over.abort(ANSWERED);
  }
}

async function received(
  partner: SimulatedPartner,
  process: SimulatedProcess,
  target: string,
  answer: Answer,
  { timeoutMs, signal }: ExchangeLimits,
): Promise<HttpAnswer> {
  if (answer.ending === 'silence') {
    await process.clock.sleep(timeoutMs, signal);
    throw unavailable('stall', `no complete answer within ${timeoutMs} ms`);
  }
  if (answer.ending === 'reset-before') throw unavailable('connection', 'read ECONNRESET');
  if (answer.ending === 'reset-within') throw unavailable('truncated', 'other side closed');
  partner.requests += 1;
  const requestId = `req_${partner.requests}`;
  const headers = { ...answer.headers, date: httpDate(process.scheduler.now()), 'x-request-id': requestId };
  return translated(partner.pagination, target, { status: answer.status, headers, body: answer.body, requestId });
}

const NEXT = /"next_cursor":(?:"([^"]*)"|null),"has_more":(true|false)\}$/;

/** The partner knows cursors; other ways of naming the next page are made of them. */
function translated(kind: Pagination['kind'], target: string, answer: HttpAnswer): HttpAnswer {
  if (kind !== 'link-header' && kind !== 'next-url') return answer;
  const text = answer.body.toString();
  const [tail = '', cursor] = NEXT.exec(text) ?? [];
  if (tail === '') return answer;
  const next = cursor === undefined ? null : nextTarget(target, cursor);
  if (kind === 'link-header') {
    const link = next === null ? {} : { link: `<${PARTNER_URL}${next}>; rel="next"` };
    return { ...answer, headers: { ...answer.headers, ...link } };
  }
  const body = Buffer.from(`${text.slice(0, -tail.length)}"next":${JSON.stringify(next)}}`);
  return { ...answer, body };
}

function nextTarget(target: string, cursor: string): string {
  const next = new URL(target, PARTNER_URL);
  next.searchParams.set('cursor', cursor);
  return `${next.pathname}${next.search}`;
}

function unavailable(failure: string, what: string): TidemarkError {
  return new TidemarkError({
    code: 'SOURCE_UNAVAILABLE',
    message: `the partner did not answer: ${what}`,
    hint: 'What has landed is kept; the next run goes on from there.',
    transient: true,
    data: { failure },
  });
}
