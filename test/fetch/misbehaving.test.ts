import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Micros } from '../../src/clock.ts';
import { isTidemarkError } from '../../src/errors.ts';
import type { FetchedWindow } from '../../src/fetch/window.ts';
import type { Pagination } from '../../src/stream.ts';
import { formatInstant, MINUTE, SECOND } from '../../src/time.ts';
import type { ReceivedRequest, Reply } from '../support/misbehaving-server.ts';
import { type Bench, benchFor, dyingStore, END, instant, type Row, START } from './fixture.ts';

/**
 * A partner that plays a script: each question meets the faults that stand there for it, at most `patience` one after the other, and is
 * then answered as it should be; but for poisoned records, which no page can ever hold, and cursors that have expired for good.
 */
const FAULTS = [
  'none',
  'error',
  'html',
  'cut', // fewer records than asked, and the next page begins behind the last of them
  'short', // records are missing, and the next page begins behind them
  'empty', // no records, and the next page begins where this one did
  'repeat', // the chain's answer before, once more
  'again', // the records of the page before, with a cursor that leads on to this one
  'within', // some records twice
  'loop', // a cursor that leads back to the chain's beginning
  'no-cursor', // there is more, but not where
  'expired',
] as const;
type Fault = (typeof FAULTS)[number];

interface Script {
  readonly rows: readonly Row[];
  readonly pagination: Pagination;
  readonly faults: readonly Fault[];
  readonly patience: number;
  readonly poisoned: ReadonlySet<string>;
  /** Cursors that lead to these records have expired for good. */
  readonly expired: ReadonlySet<string>;
  /** Whether `since` leaves out the instant that it names. */
  readonly exclusive: boolean;
  readonly pageSize: number;
}

const KINDS: Record<string, Pagination> = {
  cursor: { kind: 'cursor', parameter: 'cursor', next: ['next'], more: ['more'] },
  'cursor alone': { kind: 'cursor', parameter: 'cursor', next: ['next'], more: null },
  'next url': { kind: 'next-url', next: ['next'], more: ['more'] },
  offset: { kind: 'offset', parameter: 'offset', more: ['more'] },
  'offset alone': { kind: 'offset', parameter: 'offset', more: null },
  page: { kind: 'page', parameter: 'page', first: 1, more: ['more'] },
  'page alone': { kind: 'page', parameter: 'page', first: 0, more: null },
  'last id': { kind: 'last-id', parameter: 'after', field: 'event_id', order: 'oldest-first', more: ['more'] },
  'last id alone': { kind: 'last-id', parameter: 'after', field: 'event_id', order: 'oldest-first', more: null },
  'newest first': { kind: 'last-id', parameter: 'before', field: 'event_id', order: 'newest-first', more: ['more'] },
};

const names = (pagination: Pagination): boolean => 'next' in pagination;
const states = (pagination: Pagination): boolean => 'more' in pagination && pagination.more !== null;
const isNewestFirst = (pagination: Pagination): boolean => pagination.kind === 'last-id' && pagination.order === 'newest-first';

/** Where in its listing a question begins: a cursor is `since~offset~nonce`, in letters that a URL cannot hold as they are. */
interface Question {
  readonly since: string;
  readonly from: number;
  readonly size: number;
  readonly nonce: number;
}

function questionOf({ pagination }: Script, listing: (since: string) => readonly Row[], url: URL): Question {
  const size = Number(url.searchParams.get('page_size'));
  const since = url.searchParams.get('updated_since') ?? '';
  if (names(pagination)) {
    const [cursorSince = since, from = '0', nonce = '0'] = url.searchParams.get('cursor')?.split('~&ü ') ?? [];
    return { since: cursorSince, from: Number(from), size, nonce: Number(nonce) };
  }
  if (pagination.kind === 'offset') return { since, from: Number(url.searchParams.get('offset')), size, nonce: 0 };
  if (pagination.kind === 'page') return { since, from: (Number(url.searchParams.get('page')) - pagination.first) * size, size, nonce: 0 };
  const id = pagination.kind === 'last-id' ? url.searchParams.get(pagination.parameter) : null;
  return { since, from: id === null ? 0 : listing(since).findIndex((row) => row.event_id === id) + 1, size, nonce: 0 };
}

function partnerOf(script: Script): (request: ReceivedRequest) => Reply {
  const met = new Map<string, number>();
  const { rows, pagination, exclusive, patience } = script;
  const order = isNewestFirst(pagination) ? rows.toReversed() : rows;
  const listing = (since: string): readonly Row[] =>
    order.filter((row) => (exclusive ? instant(row.updated_at) > instant(since) : instant(row.updated_at) >= instant(since)));
  /** By chain: nobody answers with what was asked elsewhere. */
  const before = new Map<string, object>();
  return ({ url, count }) => {
    const asked = questionOf(script, listing, url);
    const matching = listing(asked.since);
    const times = met.get(url.search) ?? 0;
    const fault = times < patience ? (script.faults[count % script.faults.length] ?? 'none') : 'none';
    if (fault !== 'none') met.set(url.search, times + 1);
    const first = matching[asked.from];
    const hasCursor = url.searchParams.has('cursor') || url.searchParams.has('after') || url.searchParams.has('before');
    if (hasCursor && first && script.expired.has(first.event_id)) return { status: 410 };
    const reply = answerTo(script, url, asked, matching, fault, before.get(asked.since) ?? {});
    if (typeof reply.body === 'object' && 'data' in reply.body) before.set(asked.since, reply.body);
    return reply;
  };
}

function answerTo(script: Script, url: URL, asked: Question, matching: readonly Row[], fault: Fault, before: object): Reply {
  const { pagination } = script;
  const { from, size, since, nonce } = asked;
  const page = matching.slice(from, from + size);
  if (page.some((row) => script.poisoned.has(row.event_id))) return { status: 500 };
  const more = from + size < matching.length;
  const at = (offset: number, plus = 0): string => {
    const cursor = `${since}~&ü ${offset}~&ü ${nonce + plus}`;
    if (pagination.kind !== 'next-url') return cursor;
    const next = new URL(url);
    next.searchParams.set('cursor', cursor);
    return next.pathname + next.search;
  };
  const body = (data: readonly Row[], next = from + size, says = more, cursor: string | null = at(next)): Reply => ({
    body: { data, ...(states(pagination) ? { more: says } : {}), ...(names(pagination) ? { next: says ? cursor : null } : {}) },
  });
  switch (fault) {
    case 'error':
      return { status: 503 };
    case 'html':
      return { body: '<h1>soon</h1>', headers: { 'content-type': 'text/html' } };
    case 'cut':
      // Where the position is counted, or the last record's, it follows from the records; a page's number does not.
      return pagination.kind === 'page' || page.length < 2 ? body(page) : body(page.slice(0, -1), from + page.length - 1, true);
    case 'short':
      // A client cannot tell that a page lacks records where the last of them stands there and nothing follows.
      if (page.length < 2 || !(more || !states(pagination)) || pagination.kind === 'last-id') return body(page);
      return names(pagination) && !more ? body(page) : body([...page.slice(0, 1), ...page.slice(2)]);
    case 'empty':
      return names(pagination) && more ? body([], from, true, at(from, 1)) : states(pagination) && more ? body([], from, true) : body(page);
    case 'repeat':
      return 'data' in before ? { body: before } : body(page);
    case 'again':
      return names(pagination) && from > 0 ? body(matching.slice(Math.max(0, from - size), from), from, true, at(from, 1)) : body(page);
    case 'within':
      return names(pagination) && page.length > 2
        ? body([...page.slice(0, -1), ...page.slice(0, 1)], from + page.length - 1, true)
        : body(page);
    case 'loop':
      return names(pagination) && more ? body(page, 0, true, at(0)) : body(page);
    case 'no-cursor':
      return names(pagination) && states(pagination) && more ? body(page, 0, true, null) : body(page);
    case 'expired':
      return url.searchParams.has('cursor') ? { status: 410 } : body(page);
    case 'none':
      return body(page);
  }
}

const OUT_OF_ORDER: Micros = 2 * MINUTE;

const scripts = fc
  .record({
    gaps: fc.array(fc.constantFrom(0, 1, 1, 7, 40), { minLength: 1, maxLength: 45 }),
    /** How far each record may come late in the listing, in seconds; mostly it does not. */
    late: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(fc.integer({ min: 0, max: 115 }), { maxLength: 45 }) },
    ),
    kind: fc.constantFrom(...Object.keys(KINDS)),
    faults: fc.array(
      fc.oneof({ weight: 2, arbitrary: fc.constant('none' as const) }, { weight: 1, arbitrary: fc.constantFrom(...FAULTS) }),
      {
        minLength: 1,
        maxLength: 60,
      },
    ),
    patience: fc.integer({ min: 0, max: 2 }),
    poisoned: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(fc.nat(44), { maxLength: 3 }) }),
    expired: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(fc.nat(44), { maxLength: 6 }) }),
    exclusive: fc.boolean(),
    pageSize: fc.integer({ min: 2, max: 9 }),
    deaths: fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 3 }),
  })
  .map(({ gaps, late: drawn, kind, poisoned, expired, ...rest }) => {
    const late = kind === 'newest first' ? [] : drawn;
    let at = START + 2 * SECOND;
    const times = gaps.map((gap) => (at += gap * SECOND));
    const ids = times.map((time, i) => ({ event_id: `e${i}`, updated_at: formatInstant(time), event_version: 1 }));
    const arrival = (row: Row, i: number): number => instant(row.updated_at) + (late[i] ?? 0) * SECOND;
    // A source that lists out of order shows it on its first page, or it would be taken for one that does not.
    const odd =
      late.length === 0
        ? []
        : [2, 1].map((second) => ({ event_id: `o${second}`, updated_at: formatInstant(START + second * SECOND), event_version: 1 }));
    const sorted = ids
      .map((row, i) => ({ row, at: arrival(row, i) }))
      .sort((a, b) => a.at - b.at)
      .map(({ row }) => row);
    const named = (list: readonly number[]): Set<string> => new Set(list.map((i) => `e${i}`));
    const rows = [...odd, ...sorted];
    const script: Script = { ...rest, rows, pagination: KINDS[kind] as Pagination, poisoned: named(poisoned), expired: named(expired) };
    return { kind, script, deaths: rest.deaths };
  });

/** Fetches the window, in several processes where some die on the way. Each may also give up for now, and is then run again. */
async function fetchThrough(bench: Bench, deaths: readonly number[]): Promise<FetchedWindow> {
  for (const nth of deaths) {
    try {
      return await bench.run({ store: dyingStore(bench.store, /page-|manifest/, nth) });
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('died'))) throw error;
    }
  }
  return bench.run();
}

describe('R9, R18, R20: whatever the partner does, and wherever a process dies', () => {
  test('each record has landed or lies in a recorded gap, and the partner is asked a bounded number of times', async () => {
    await fc.assert(
      fc.asyncProperty(scripts, async ({ script, deaths }) => {
        const { pagination, pageSize } = script;
        const bench = await benchFor(partnerOf(script), { pagination, pageSize, attempts: 3 }, { outOfOrder: OUT_OF_ORDER });
        let fetched: FetchedWindow;
        try {
          fetched = await fetchThrough(bench, deaths);
        } catch (error) {
          // The window stays open: nothing was said to be complete.
          if (isTidemarkError(error, 'SOURCE_UNAVAILABLE', 'SOURCE_SHAPE')) return;
          throw error;
        }
        const landed = new Set(await bench.idsOf(fetched));
        const { gaps } = fetched.manifest;
        const inGap = (time: Micros): boolean => gaps.some(({ from, to }) => time >= from && time < to);
        const silent = script.rows.filter(({ event_id, updated_at }) => {
          const time = instant(updated_at);
          return time < END && !landed.has(event_id) && !inGap(time);
        });
        expect(silent).toEqual([]);
        expect(bench.server.requests.length).toBeLessThan(3_000);
        await bench.close();
      }),
      { numRuns: 150 },
    );
  });
});
