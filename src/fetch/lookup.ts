import { hash } from 'node:crypto';
import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import { JsonError, LayoutError } from '../json/errors.ts';
import { type BodyMeasure, measureBody } from '../json/measure.ts';
import { scalarText } from '../page/times.ts';
import { type Attempted, parseRetryAfter, retrying } from '../retry.ts';
import type { Stream } from '../stream.ts';
import { type AnswerOrigin, PAGE_POLICY } from './ask.ts';
import { behindCircuit, type SourceSays } from './behind-circuit.ts';
import type { HttpAnswer } from './client.ts';
import type { WindowJob } from './effects.ts';
import { layoutOf, type Page, pageTimes, partnersNow } from './judge.ts';
import { requestHeaders, secretReference, withoutSecret } from './request.ts';

/** A value for each key column; null where the lookup does not name it. */
export type LookupKey = readonly (string | null)[];

/** What became of one key. */
export interface LookedUp {
  readonly key: LookupKey;
  readonly outcome: 'found' | 'missing' | 'failed';
  /** Where its answer landed. */
  readonly page: string | null;
  readonly records: number;
  /** Why it failed. */
  readonly reason: string | null;
}

/** What the source says of one key. */
export type LookupAnswer =
  /** A page without records where there is no such record. */
  | { readonly kind: 'found' | 'missing'; readonly page: Page; readonly origin: AnswerOrigin }
  | { readonly kind: 'failed'; readonly reason: string; readonly says: SourceSays };

const PLACEHOLDER = /\{([^{}]*)\}/g;
const MISSING = new Set([404, 410]);
const TRANSIENT = new Set([408, 409, 423, 425, 429]);

/** Names of the key columns that the lookup's address takes. @throws CONFIG where the source has none. */
export function lookupColumns({ name, source }: Stream): readonly string[] {
  if (source.lookup !== null) return [...source.lookup.matchAll(PLACEHOLDER)].map(([, column = '']) => column);
  throw new TidemarkError({
    code: 'CONFIG',
    message: `${name} has no lookup`,
    hint: 'Nothing was asked. Write the address of one record as source.lookup, with the fields of its key in braces.',
  });
}

/** The address of one record. @returns null where the key leaves a column open that the address takes. */
export function lookupUrl(stream: Stream, key: LookupKey): string | null {
  const columns = lookupColumns(stream);
  const value = (column: string): string | null => key[stream.key.findIndex(({ name }) => name === column)] ?? null;
  if (columns.some((column) => value(column) === null)) return null;
  return (stream.source.lookup ?? '').replace(PLACEHOLDER, (_, column: string) => encodeURIComponent(value(column) ?? ''));
}

/** Asks for one record, again where that may help, within the budget and the attempts of pages. @throws SOURCE_REFUSED; the signal's reason. */
export async function askLookup(job: WindowJob, key: LookupKey, url: string): Promise<LookupAnswer> {
  const policy = { ...PAGE_POLICY, attempts: job.stream.source.attempts };
  const { value, attempts } = await retrying(policy, job.effects, (attempt) =>
    behindCircuit(job, lookupSays, () => attemptLookup(job, key, url, attempt)),
  );
  return value.kind === 'failed' ? value : { ...value, origin: { ...value.origin, attempts } };
}

const lookupSays = (value: LookupAnswer): SourceSays => (value.kind === 'failed' ? value.says : { answered: true });

async function attemptLookup(job: WindowJob, key: LookupKey, plain: string, attempt: number): Promise<Attempted<LookupAnswer>> {
  const { effects, stream, totals, credentials } = job;
  await effects.budget.take(effects.signal);
  totals.asked += 1;
  if (attempt > 1) totals.retried += 1;
  const url = new URL(plain);
  for (const [name, value] of Object.entries(credentials.query)) url.searchParams.set(name, value);
  const requestedAt = effects.clock.now();
  try {
    const request = { url: url.href, headers: requestHeaders(credentials) };
    const answer = await effects.exchange(request, { timeoutMs: stream.source.timeoutMs, signal: effects.signal });
    const origin = {
      url: withoutSecret(stream.source, url.href),
      status: answer.status,
      requestId: answer.requestId,
      attempts: attempt,
      requestedAt,
    };
    return conclude(job, key, answer, origin);
  } catch (error) {
    if (!isTidemarkError(error, 'SOURCE_UNAVAILABLE', 'SOURCE_SHAPE')) throw error;
    return error.transient ? unavailable(messageOf(error), null) : again(messageOf(error));
  }
}

const failed = (reason: string, says: SourceSays): LookupAnswer => ({ kind: 'failed', reason, says });
const again = (reason: string): Attempted<LookupAnswer> => ({ done: false, value: failed(reason, null), retryAfterMs: null });
const unavailable = (reason: string, retryAfterMs: number | null): Attempted<LookupAnswer> => ({
  done: false,
  value: failed(reason, { answered: false, reason }),
  retryAfterMs,
});

function conclude({ stream, effects }: WindowJob, key: LookupKey, answer: HttpAnswer, origin: AnswerOrigin): Attempted<LookupAnswer> {
  const { status, body } = answer;
  if (MISSING.has(status)) return { done: true, value: { kind: 'missing', page: emptyPage(body), origin } };
  if (status === 401 || status === 403 || (status >= 300 && status < 400)) throw refused(stream, origin);
  if (status >= 500 || TRANSIENT.has(status)) {
    const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], partnersNow(answer, effects.clock.now()));
    if (retryAfterMs !== null) effects.budget.pause(Math.min(retryAfterMs, PAGE_POLICY.deadlineMs));
    return unavailable(`status ${status}`, retryAfterMs);
  }
  if (status >= 400) return { done: true, value: failed(`status ${status}`, { answered: true }) };
  try {
    const page = measureLookup(stream, body);
    if (page.measure.records === 0) return { done: true, value: { kind: 'missing', page, origin } };
    return holds(stream, page, key) ? { done: true, value: { kind: 'found', page, origin } } : again('the answer is about another record');
  } catch (error) {
    if (error instanceof JsonError || error instanceof LayoutError) return again(`the answer is no record (${error.message})`);
    throw error;
  }
}

const refused = (stream: Stream, { url, status }: AnswerOrigin): TidemarkError =>
  new TidemarkError({
    code: 'SOURCE_REFUSED',
    message: `the partner refuses ${url.split('?')[0]}: status ${status}`,
    hint: `What has landed is kept. Check \`source.lookup\` and the credential (${secretReference(stream.source.auth)}).`,
    data: { url, status },
  });

/** In the shape of the list's pages, or the record itself. */
function measureLookup(stream: Stream, body: Buffer): Page {
  const layout = { ...layoutOf(stream), envelope: [] };
  return pageOf(stream, body, measured());
  function measured(): BodyMeasure {
    try {
      return measureBody(body, layout);
    } catch (error) {
      if (!(error instanceof LayoutError)) throw error;
      return measureBody(body, { ...layout, records: 'lines' });
    }
  }
}

const pageOf = (stream: Stream, body: Buffer, measure: BodyMeasure): Page => ({
  body,
  sha256: hash('sha256', body),
  measure,
  next: null,
  end: 'stated',
  ...pageTimes(stream, { body, measure }),
});

/** What is not there has bytes, but no records. */
function emptyPage(body: Buffer): Page {
  const measure = { ...measureBody(Buffer.from('[]'), { records: [], envelope: [], capture: [] }), span: { start: 0, end: 0 } };
  return { body, sha256: hash('sha256', body), measure, next: null, end: 'stated', minTime: null, maxTime: null, disorder: 0 };
}

function holds(stream: Stream, { body, measure }: Page, key: LookupKey): boolean {
  const capture = layoutOf(stream).capture;
  const isAsked = (record: number): boolean =>
    stream.key.every(({ name, constant }, at) => {
      const wanted = key[at] ?? null;
      return (
        wanted === null || wanted === (constant ?? scalarText(body, measure.captured, record * capture.length + capture.indexOf(name)))
      );
    });
  return Array.from({ length: measure.records }, (_, record) => record).some(isAsked);
}
