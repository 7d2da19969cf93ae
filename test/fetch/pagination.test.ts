import { describe, expect, test } from 'vitest';
import { linkNext } from '../../src/fetch/continuation.ts';
import type { Source } from '../../src/stream.ts';
import type { ReceivedRequest, Reply } from '../support/misbehaving-server.ts';
import { benchFor, dyingStore, idsOfRows, rows } from './fixture.ts';

const ROWS = rows(35);

interface Form {
  readonly source: Partial<Source>;
  readonly answer: (request: ReceivedRequest) => Reply;
}

const slice = (from: number): { data: typeof ROWS; more: boolean; next: number } => ({
  data: ROWS.slice(from, from + 10),
  more: from + 10 < ROWS.length,
  next: from + 10,
});
const numberOf = (request: ReceivedRequest, name: string): number => Number(request.url.searchParams.get(name) ?? 0);
const afterId = (request: ReceivedRequest): number =>
  ROWS.findIndex(({ event_id }) => event_id === request.url.searchParams.get('after')) + 1;
/** Newest first, before the record with the id. */
const beforeId = (request: ReceivedRequest): typeof ROWS => {
  const id = request.url.searchParams.get('before');
  const newest = ROWS.toReversed();
  return newest.slice(id === null ? 0 : newest.findIndex(({ event_id }) => event_id === id) + 1).slice(0, 10);
};

/** The digits of this cursor do not fit into a double. */
const WIDE = 9_007_199_254_740_993n;

const FORMS: Record<string, Form> = {
  'a cursor in the body, without a statement whether there is more': {
    source: { pagination: { kind: 'cursor', parameter: 'cursor', next: ['meta', 'next'], more: null } },
    answer: (request) => {
      const { data, more, next } = slice(numberOf(request, 'cursor'));
      return { body: { data, meta: { next: more ? String(next) : null } } };
    },
  },
  'a cursor that is a number beyond 2^53': {
    source: { pagination: { kind: 'cursor', parameter: 'cursor', next: ['next'], more: ['more'] } },
    answer: ({ url }) => {
      const cursor = url.searchParams.get('cursor');
      const { data, more, next } = slice(cursor === null ? 0 : Number(BigInt(cursor) - WIDE));
      return { body: `{"data":${JSON.stringify(data)},"more":${more},"next":${WIDE + BigInt(next)}}` };
    },
  },
  'a cursor that never ends, until an empty page names itself': {
    source: { pagination: { kind: 'cursor', parameter: 'cursor', next: ['next'], more: null } },
    answer: (request) => {
      const at = numberOf(request, 'cursor');
      return { body: { data: ROWS.slice(at, at + 10), next: String(Math.min(at + 10, ROWS.length)) } };
    },
  },
  'a next URL in the body': {
    source: { pagination: { kind: 'next-url', next: ['links', 'next'], more: null } },
    answer: (request) => {
      const { data, more, next } = slice(numberOf(request, 'at'));
      return { body: { data, links: { next: more ? `/events?at=${next}&page_size=10&sig=a%2Bb%2F` : null } } };
    },
  },
  'a next URL in the Link header, over a bare array': {
    source: { pagination: { kind: 'link-header' }, records: [] },
    answer: (request) => {
      const { data, more, next } = slice(numberOf(request, 'at'));
      return { body: data, headers: more ? { link: `</events?at=0>; rel="first", </events?at=${next}>; rel="next"` } : {} };
    },
  },
  'page numbers, where a shorter page is the last': {
    source: { pagination: { kind: 'page', parameter: 'page', first: 1, more: null } },
    answer: (request) => ({ body: { data: slice((numberOf(request, 'page') - 1) * 10).data } }),
  },
  'page numbers from 0, where the body says whether there is more': {
    source: { pagination: { kind: 'page', parameter: 'page', first: 0, more: ['more'] } },
    answer: (request) => ({ body: slice(numberOf(request, 'page') * 10) }),
  },
  offsets: {
    source: { pagination: { kind: 'offset', parameter: 'skip', more: null } },
    answer: (request) => ({ body: { data: slice(numberOf(request, 'skip')).data } }),
  },
  'the last id, oldest first': {
    source: { pagination: { kind: 'last-id', parameter: 'after', field: 'event_id', order: 'oldest-first', more: ['more'] } },
    answer: (request) => ({ body: slice(afterId(request)) }),
  },
  'the last id, newest first': {
    source: { pagination: { kind: 'last-id', parameter: 'before', field: 'event_id', order: 'newest-first', more: null } },
    answer: (request) => ({ body: { data: beforeId(request) } }),
  },
};

describe.each(Object.entries(FORMS))('with %s', (_, { source, answer }) => {
  test('every record lands once', async () => {
    const bench = await benchFor(answer, source);
    const fetched = await bench.run();
    expect((await bench.idsOf(fetched)).toSorted()).toEqual(idsOfRows(ROWS).toSorted());
    expect(fetched.manifest.gaps).toEqual([]);
    expect(bench.server.requests[0]?.url.searchParams.get('updated_since')).toBe('2026-11-20T10:00:00Z');
  });

  test('R20: a run that died in the middle goes on where it was', async () => {
    const bench = await benchFor(answer, source);
    await expect(bench.run({ store: dyingStore(bench.store, /page-.*zst$/, 3) })).rejects.toThrow('died');
    const before = bench.server.requests.length;
    const fetched = await bench.run();
    expect((await bench.idsOf(fetched)).toSorted()).toEqual(idsOfRows(ROWS).toSorted());
    expect(bench.server.requests[before]?.url.href).toBe(bench.server.requests[before - 1]?.url.href);
  });
});

test('a key in the query never reaches the store, though next URLs repeat it', async () => {
  const value = { reference: 'env:KEY', reveal: () => 'very-secret' };
  const bench = await benchFor(
    ({ url }) => {
      if (url.searchParams.get('key') !== 'very-secret') return { status: 401 };
      const { data, more, next } = slice(Number(url.searchParams.get('at') ?? 0));
      return { body: { data, next: more ? `/events?key=very-secret&at=${next}` : null } };
    },
    { auth: { kind: 'query', name: 'key', value }, pagination: { kind: 'next-url', next: ['next'], more: null } },
  );
  const fetched = await bench.run();
  expect(fetched.manifest.pages).toHaveLength(4);
  for await (const { key } of bench.store.list('')) {
    if (key.endsWith('.json')) expect((await bench.store.get(key))?.body.toString()).not.toContain('very-secret');
  }
});

test.each([
  ['<https://a.example/x?page=2>; rel="next"', 'https://a.example/x?page=2'],
  ['<https://a.example/x?p=1,2>; rel="prev next"; title="a, b"', 'https://a.example/x?p=1,2'],
  ['<a>; rel=prev, <b>; rel=next', 'b'],
  ['<a>; title="; rel=next"; rel=last', null],
  ['<a>; REL=NEXT', 'a'],
  ['', null],
  ['garbage', null],
])('the Link header %s leads to %s', (header, target) => {
  expect(linkNext(header)).toBe(target);
});

test('records without a usable version time land all the same', async () => {
  const odd = [{ event_id: 'a' }, { event_id: 'b', updated_at: 'yesterday' }, 'no record', { event_id: 'c', updated_at: null }];
  const bench = await benchFor(() => ({ body: { data: odd, has_more: false, next_cursor: null } }));
  const [page] = (await bench.run()).manifest.pages;
  expect(page).toMatchObject({ records: 4, minTime: null, maxTime: null });
});
