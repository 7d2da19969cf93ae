import { hash } from 'node:crypto';
import type { Micros } from '../clock.ts';
import { JsonError, LayoutError } from '../json/errors.ts';
import { type BodyLayout, type BodyMeasure, measureBody } from '../json/measure.ts';
import { fieldNames, streamFields } from '../page/fields.ts';
import { scalarText, timeReader as timesAt } from '../page/times.ts';
import { parseRetryAfter } from '../retry.ts';
import type { Stream } from '../stream.ts';
import type { HttpAnswer } from './client.ts';
import { type ChainEnd, ContinuationError, continuationOf, envelopePaths } from './continuation.ts';
import { isNewestFirst } from './order.ts';
import { statedTime } from './partner-clock.ts';
import { secretReference } from './request.ts';

/** A body that is a page, measured. */
export interface Page {
  readonly body: Buffer;
  readonly sha256: string;
  readonly measure: BodyMeasure;
  readonly next: string | null;
  /** How it is known that the chain ends here; null where it goes on. */
  readonly end: ChainEnd | null;
  readonly minTime: Micros | null;
  readonly maxTime: Micros | null;
  /** How far a record's version time lies on the wrong side of one that stands before it; 0 where the page is in order. */
  readonly disorder: Micros;
}

/** What one answer is, looked at by itself. */
export type Judgement =
  | { readonly kind: 'page'; readonly page: Page }
  /** Not a page, whatever its status says; or one that leads nowhere, though it says that there is more. */
  | { readonly kind: 'refused'; readonly reason: string; readonly hint: string; readonly page: Page | null }
  /** The cursor is not known any more. */
  | { readonly kind: 'expired'; readonly reason: string }
  /** The partner will never answer this. */
  | { readonly kind: 'denied'; readonly reason: string; readonly hint: string }
  /** The partner may answer later. */
  | { readonly kind: 'transient'; readonly reason: string; readonly retryAfterMs: number | null };

export interface Asked {
  readonly url: string;
  readonly cursor: string | null;
  readonly size: number;
}

const TRANSIENT = new Set([408, 409, 423, 425, 429]);
const FIRST_BYTES = 80;

/** @param now for a `Retry-After` that is a date. @throws SOURCE_REFUSED where the next URL leaves the source's origin. */
export function judgeAnswer(stream: Stream, asked: Asked, answer: HttpAnswer, now: Micros): Judgement {
  const { status } = answer;
  if (status >= 200 && status < 300) return judgeBody(stream, asked, answer);
  if (TRANSIENT.has(status) || status >= 500) {
    return {
      kind: 'transient',
      reason: `status ${status}`,
      retryAfterMs: parseRetryAfter(answer.headers['retry-after'], partnersNow(answer, now)),
    };
  }
  if (status >= 400 && status !== 401 && status !== 403 && asked.cursor !== null)
    return { kind: 'expired', reason: `status ${status} for a cursor` };
  return { kind: 'denied', reason: `status ${status}`, hint: hintForStatus(stream, answer) };
}

/** A `Retry-After` that is a date is of the partner's clock, which need not be ours. */
export const partnersNow = (answer: HttpAnswer, now: Micros): Micros => statedTime(answer) ?? now;

function hintForStatus(stream: Stream, { status, headers }: HttpAnswer): string {
  if (status === 401 || status === 403) return `Check the credential (${secretReference(stream.source.auth)}) and what it may read.`;
  if (status >= 300 && status < 400) {
    return `The address redirects${headers['location'] ? ` to ${headers['location'].split('?')[0]}` : ''}: set \`source.list\` to the final one.`;
  }
  return 'Check `source.list` and the names of its query parameters.';
}

/** Layout of a stream's bodies: the fields that the page's index names are captured first, then the id of `last-id`. */
export function layoutOf(stream: Stream): BodyLayout {
  const { records, pagination } = stream.source;
  return { records, envelope: envelopePaths(pagination), capture: captureOf(stream) };
}

function captureOf(stream: Stream): readonly string[] {
  const { pagination } = stream.source;
  const names = fieldNames(streamFields(stream));
  return pagination.kind === 'last-id' && !names.includes(pagination.field) ? [...names, pagination.field] : names;
}

function judgeBody(stream: Stream, asked: Asked, answer: HttpAnswer): Judgement {
  try {
    const page = measurePage(stream, asked, answer);
    if (page.end !== 'lost') return { kind: 'page', page };
    return { kind: 'refused', reason: 'the answer says that there is more, but not where', hint: hintForBody(stream, answer), page };
  } catch (error) {
    if (error instanceof JsonError || error instanceof LayoutError || error instanceof ContinuationError) {
      return { kind: 'refused', reason: reasonFor(answer, error), hint: hintForBody(stream, answer), page: null };
    }
    throw error;
  }
}

function reasonFor({ body }: HttpAnswer, error: Error): string {
  if (body.length === 0) return 'the body is empty';
  if (error instanceof JsonError)
    return error.truncated ? `the body breaks off (${error.message})` : `the body is not JSON (${error.message})`;
  return error instanceof ContinuationError ? `the answer ${error.message}` : error.message;
}

function hintForBody({ source }: Stream, { headers, body }: HttpAnswer): string {
  const first = JSON.stringify(body.toString('utf8', 0, FIRST_BYTES));
  const where = source.records.length === 0 ? 'the body itself' : `$.${source.records.join('.')}`;
  return `Records are expected in ${where}. The answer's content type is ${headers['content-type'] ?? 'not stated'}, its first bytes are ${first}.`;
}

/** @throws JsonError, LayoutError, ContinuationError where the body is no page of this stream. */
export function measurePage(stream: Stream, asked: Asked, answer: Pick<HttpAnswer, 'headers' | 'body'>): Page {
  const { body, headers } = answer;
  const measure = measureBody(body, layoutOf(stream));
  const { pagination } = stream.source;
  const lastId = pagination.kind === 'last-id' ? capturedText(stream, { body, measure }, measure.records - 1, pagination.field) : null;
  const { next, end } = continuationOf(stream.source, {
    headers,
    body,
    measure,
    url: asked.url,
    lastId,
    cursor: asked.cursor,
    size: asked.size,
  });
  return { body, sha256: hash('sha256', body), measure, next, end, ...pageTimes(stream, { body, measure }) };
}

/** Least and greatest version time, and the order; texts that are no times are passed over (normalize quarantines their records). */
export function pageTimes(stream: Stream, page: Measured): Pick<Page, 'minTime' | 'maxTime' | 'disorder'> {
  let minTime: Micros | null = null;
  let maxTime: Micros | null = null;
  let [fall, rise] = [0, 0];
  const timeAt = timeReader(stream, page);
  for (let record = 0; record < page.measure.records; record++) {
    const time = timeAt(record);
    if (time === null) continue;
    if (minTime === null || time < minTime) minTime = time;
    if (maxTime === null || time > maxTime) maxTime = time;
    fall = Math.max(fall, maxTime - time);
    rise = Math.max(rise, time - minTime);
  }
  return { minTime, maxTime, disorder: isNewestFirst(stream.source) ? rise : fall };
}

type Measured = Pick<Page, 'body' | 'measure'>;

/** Reads the version time of a record by its position; null where it has none that is a time. */
export function timeReader(stream: Stream, { body, measure }: Measured): (record: number) => Micros | null {
  const capture = captureOf(stream);
  const [{ name, form }] = stream.version;
  return timesAt({ body, captured: measure.captured, width: capture.length }, capture.indexOf(name), form);
}

function capturedText(stream: Stream, { body, measure }: Measured, record: number, name: string): string | null {
  const capture = captureOf(stream);
  return record < 0 ? null : scalarText(body, measure.captured, record * capture.length + capture.indexOf(name));
}
