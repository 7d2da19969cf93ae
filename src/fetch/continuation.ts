import type { BodyMeasure } from '../json/measure.ts';
import type { Pagination, Source } from '../stream.ts';
import { nextUrl } from './request.ts';

/** Where the chain goes after a page, or how it is known that it ends there. */
export interface Continuation {
  readonly next: string | null;
  readonly end: ChainEnd | null;
}

/**
 * stated: the partner says that there is no more; inferred: the page is shorter than asked, which a page that came short is as well;
 * lost: the partner says that there is more, but not where. Null where the chain goes on.
 */
export type ChainEnd = 'stated' | 'inferred' | 'lost';

const STATED: Continuation = { next: null, end: 'stated' };
const INFERRED: Continuation = { next: null, end: 'inferred' };
const LOST: Continuation = { next: null, end: 'lost' };
const goesOn = (next: string): Continuation => ({ next, end: null });

/** What an answer says about what comes next. */
export interface AnswerFacts {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly measure: BodyMeasure;
  /** The URL that was asked, for relative next URLs. */
  readonly url: string;
  /** The last record's id, for `last-id`. */
  readonly lastId: string | null;
  readonly cursor: string | null;
  readonly size: number;
}

/** The answer does not say what the configuration expects it to say about the next page. */
export class ContinuationError extends Error {
  override readonly name = 'ContinuationError';
}

/** Envelope paths that `continuationOf` reads, in the order in which it reads them from `measure.envelope`. */
export function envelopePaths(pagination: Pagination): (readonly string[])[] {
  const next = 'next' in pagination ? [pagination.next] : [];
  const more = 'more' in pagination && pagination.more !== null ? [pagination.more] : [];
  return [...next, ...more];
}

/**
 * @throws ContinuationError where the envelope contradicts the configuration (no `more`, a cursor that is none); SOURCE_REFUSED where the next URL
 * leaves the source's origin.
 */
export function continuationOf(source: Source, facts: AnswerFacts): Continuation {
  const { pagination } = source;
  if (pagination.kind === 'link-header') {
    const target = linkNext(facts.headers['link'] ?? '');
    return target === null ? STATED : goesOn(nextUrl(source, target, facts.url));
  }
  const more = statedMore(pagination, facts);
  if (more === false) return STATED;
  switch (pagination.kind) {
    case 'cursor':
      return named(statedNext(facts), facts, more);
    case 'next-url': {
      const next = statedNext(facts);
      return named(next === null ? null : nextUrl(source, next, facts.url), facts, more);
    }
    case 'page':
      return counted(String(Number(facts.cursor ?? pagination.first) + 1), facts, more);
    case 'offset':
      // A page without records does not move the position, whatever it says of more.
      return facts.measure.records === 0 && more ? LOST : counted(String(Number(facts.cursor ?? 0) + facts.measure.records), facts, more);
    case 'last-id':
      return counted(facts.lastId, facts, more);
  }
}

/** The position that the envelope names. Some APIs always name one: an empty page that names its own has nothing behind it. */
function named(next: string | null, { measure, cursor }: AnswerFacts, more: boolean | null): Continuation {
  if (next === null) return more ? LOST : STATED;
  return more === null && measure.records === 0 && next === cursor ? STATED : goesOn(next);
}

/** The position that follows from the page. Without a statement, a page that is shorter than asked is the last. */
function counted(next: string | null, { measure, size }: AnswerFacts, more: boolean | null): Continuation {
  if (more === null && (measure.records === 0 || measure.records < size)) return INFERRED;
  return next === null ? LOST : goesOn(next);
}

/** `more` as the envelope states it; null where the configuration names no such member. */
function statedMore(pagination: Pagination, { measure }: AnswerFacts): boolean | null {
  if (!('more' in pagination) || pagination.more === null) return null;
  const value = measure.envelope['next' in pagination ? 1 : 0];
  if (value === true || value === 1 || value === 'true') return true;
  if (value === false || value === 0 || value === 'false') return false;
  throw new ContinuationError(`has no true or false at ${pagination.more.join('.')}`);
}

function statedNext({ measure, body }: AnswerFacts): string | null {
  const value = measure.envelope[0];
  if (value === undefined || value === null || value === '' || value === false) return null;
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : exactNumber(value, body, measure);
  throw new ContinuationError('has a next position that is neither text nor a number');
}

/** The digits of a cursor that a double cannot hold, as they stand in the envelope. */
function exactNumber(value: number, body: Buffer, { span }: BodyMeasure): string {
  const envelope = `${body.toString('utf8', 0, span.start)} ${body.toString('utf8', span.end)}`;
  const candidates = (envelope.match(/-?\d[\d.eE+-]*/g) ?? []).filter((digits) => Number(digits) === value);
  if (new Set(candidates).size !== 1) throw new ContinuationError('has a next position whose digits cannot be told apart');
  return candidates[0] as string;
}

const LINK = /<([^>]*)>((?:\s*;\s*[^\s=;,]+\s*(?:=\s*(?:"[^"]*"|[^\s",;]*))?)*)/g;
const LINK_PARAMETER = /;\s*([^\s=;,]+)\s*(?:=\s*(?:"([^"]*)"|([^\s",;]*)))?/g;

/** Target of the first link with relation `next` (RFC 8288). */
export function linkNext(header: string): string | null {
  for (const [, target = '', parameters = ''] of header.matchAll(LINK)) {
    const relation = [...parameters.matchAll(LINK_PARAMETER)].find(([, name = '']) => name.toLowerCase() === 'rel');
    const relations = (relation?.[2] ?? relation?.[3] ?? '').toLowerCase().split(/\s+/);
    if (relations.includes('next')) return target;
  }
  return null;
}
