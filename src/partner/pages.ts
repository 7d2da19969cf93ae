import type { Micros } from '../clock.ts';
import { BodyWriter } from './body-writer.ts';
import { type Cursor, writeCursor } from './cursor.ts';
import type { Fault, FaultKind } from './faults.ts';
import { mix } from './hash.ts';
import { type Slice, type SliceQuestion, sliceFrom } from './listing.ts';
import type { RecordSource } from './record-source.ts';
import type { Entry } from './timeline.ts';

export interface PageRequest {
  /** The cursor that was sent, or one made of `updated_since`. */
  readonly cursor: Cursor;
  /** Whether the page has one before it in its chain. */
  readonly follows: boolean;
  readonly size: number;
  readonly now: Micros;
}

/** The records of one page, and what follows it. */
export interface PageContent {
  readonly entries: readonly Entry[];
  readonly next: Cursor;
  readonly more: boolean;
  /** Whether the fault that was asked for took effect: a page of one record cannot be short. */
  readonly faulty: boolean;
}

export function pageContent(source: RecordSource, request: PageRequest, fault: Fault | null): PageContent {
  const whole = sliceFrom(source.timeline, questionOf(request));
  const plain: PageContent = { entries: whole.entries, next: cursorAfter(request, whole), more: whole.more, faulty: false };
  if (fault?.kind === 'short') return shortened(plain, fault.draw);
  const repeated = fault && REPEATS[fault.kind]?.(source, request, fault.draw);
  return repeated ?? plain;
}

/** The body as it is served: each record is the same bytes in every page that holds it. */
export function pageBody(source: RecordSource, fingerprint: string, content: PageContent): Buffer {
  const body = new BodyWriter(content.entries.length);
  body.write('{"data":[');
  content.entries.forEach((entry, i) => {
    if (i > 0) body.write(',');
    body.write(source.textOf(entry));
  });
  const next = content.more ? `"${writeCursor(fingerprint, content.next)}"` : 'null';
  body.write(`],"next_cursor":${next},"has_more":${content.more}}`);
  return body.bytes();
}

function questionOf(request: PageRequest, size = request.size): SliceQuestion {
  return { from: request.cursor.next, since: request.cursor.since, now: request.now, size };
}

function cursorAfter(request: PageRequest, slice: Slice): Cursor {
  return { since: request.cursor.since, next: slice.end, previous: request.cursor.next, issued: request.now, nonce: 0 };
}

/** Pages that hold records of their own or of the page before once more; null where the page cannot be made. */
const REPEATS: Partial<Record<FaultKind, (source: RecordSource, request: PageRequest, draw: number) => PageContent | null>> = {
  'duplicate-records': duplicateOfPrevious,
  'repeat-within': repeatedWithin,
  'repeat-across': repeatedAcross,
};

/**
 * Up to half of the records are missing, at least one, and at least one stays. Only where more follows: the client cannot tell a last
 * page that is short from one that is whole.
 */
function shortened(plain: PageContent, draw: number): PageContent {
  const { entries } = plain;
  if (!plain.more || entries.length < 2) return plain;
  const missing = 1 + (draw % Math.max(1, Math.floor(entries.length / 2)));
  const first = mix(draw, 1) % (entries.length - missing + 1);
  return { ...plain, entries: [...entries.slice(0, first), ...entries.slice(first + missing)], faulty: true };
}

/** The page before, with a cursor that is new and leads to the page that was asked for. */
function duplicateOfPrevious(source: RecordSource, request: PageRequest): PageContent | null {
  const { cursor } = request;
  if (!request.follows || cursor.nonce > 0) return null;
  const { entries } = sliceBefore(source, request);
  const next = { ...cursor, issued: request.now, nonce: 1 };
  return entries.length > 0 ? { entries, next, more: true, faulty: true } : null;
}

function sliceBefore(source: RecordSource, request: PageRequest): Slice {
  return sliceFrom(source.timeline, { ...questionOf(request), from: request.cursor.previous }, request.cursor.next);
}

/** Fewer records than asked for, some of them twice, so that the page is no longer than asked for. */
function repeatedWithin(source: RecordSource, request: PageRequest, draw: number): PageContent | null {
  const repeats = repeatsFor(request.size, draw);
  const slice = sliceFrom(source.timeline, questionOf(request, request.size - repeats));
  if (repeats === 0 || slice.entries.length === 0) return null;
  const first = draw % slice.entries.length;
  const entries = [...slice.entries, ...slice.entries.slice(first, first + repeats)];
  return { entries, next: cursorAfter(request, slice), more: slice.more, faulty: true };
}

function repeatedAcross(source: RecordSource, request: PageRequest, draw: number): PageContent | null {
  if (!request.follows) return null;
  const repeats = repeatsFor(request.size, draw);
  const before = sliceBefore(source, request).entries;
  if (repeats === 0 || before.length === 0) return null;
  const slice = sliceFrom(source.timeline, questionOf(request, request.size - repeats));
  return { entries: [...before.slice(-repeats), ...slice.entries], next: cursorAfter(request, slice), more: slice.more, faulty: true };
}

/** Up to a tenth of the page, at least one; none where the page has room for one record only. */
function repeatsFor(size: number, draw: number): number {
  return size < 2 ? 0 : 1 + (draw % Math.max(1, Math.floor(size / 10)));
}
