import { describe, expect, test } from 'vitest';
import { HOUR } from '../../src/time.ts';
import { benchFor, honestly, idsOfRows, instant, type Row, rows, START, verdictsOf, WINDOW } from './fixture.ts';

const ROWS = rows(35);

describe('a window', () => {
  test('R1: is asked page by page, with since, size and cursor, and every record lands once', async () => {
    const bench = await benchFor((request) => ({ body: honestly(ROWS, request) }));
    const fetched = await bench.run();
    expect(await bench.idsOf(fetched)).toEqual(idsOfRows(ROWS));
    expect(fetched.manifest.totals).toMatchObject({ asked: 4, retried: 0, pages: 4, records: 35, duplicated: 0, short: 0, refused: 0 });
    expect(bench.server.requests.map(({ url }) => url.searchParams.get('page_size'))).toEqual(['10', '10', '10', '10']);
    expect(bench.server.requests[0]?.url.searchParams.get('updated_since')).toBe('2026-11-20T10:00:00Z');
    expect(await verdictsOf(bench)).toEqual([['full'], ['full'], ['full'], ['full']]);
  });

  test('ends once a page lies wholly past its end and the out-of-order bound', async () => {
    const endless = rows(200, HOUR / 10);
    const bench = await benchFor((request) => ({ body: honestly(endless, request) }));
    const fetched = await bench.run({ window: { ...WINDOW, kind: 'sweep' } });
    // The window's hour holds records 1 to 10; the bound of two hours reaches to record 31, so the page 41 to 50 ends the chain.
    expect(await bench.idsOf(fetched)).toEqual(idsOfRows(endless.slice(0, 50)));
  });

  test('R3: of a live poll ends at its end where the source lists in order, so that several can be asked at once', async () => {
    const inOrder = rows(200, HOUR / 120);
    const bench = await benchFor((request) => ({ body: honestly(inOrder, request) }));
    const fetched = await bench.run();
    // Its hour holds 120 records, and the next one bears the very instant at which it ends: the page 131 to 140 ends the chain.
    expect(await bench.idsOf(fetched)).toEqual(idsOfRows(inOrder.slice(0, 140)));
    expect((await bench.lease()).head(), 'it looked for nothing that was listed late').toMatchObject({
      volume: { records: 140, length: HOUR },
    });
  });

  test('of a live poll goes on over the bound where the source lists out of order', async () => {
    const listed = rows(200, HOUR / 120);
    const swapped = listed.with(0, listed[1] as Row).with(1, listed[0] as Row);
    const bench = await benchFor((request) => ({ body: honestly(swapped, request) }));
    expect(await bench.idsOf(await bench.run())).toHaveLength(200);
  });

  test('is committed in the head, moves the watermark and waits to be normalized', async () => {
    const bench = await benchFor((request) => ({ body: honestly(ROWS, request) }));
    const { key } = await bench.run();
    const head = (await bench.lease()).head();
    expect(head).toMatchObject({ watermark: START + HOUR, open: [], pending: [{ manifest: key, batches: null }] });
  });
});

describe('a short page', () => {
  test('R9: with more to come is landed, asked again, and the larger superset leads the chain on', async () => {
    const bench = await benchFor((request) => {
      const answer = honestly(ROWS, request);
      return { body: request.count === 2 ? { ...answer, data: answer.data.slice(0, 4) } : answer };
    });
    const fetched = await bench.run();
    expect(await verdictsOf(bench)).toEqual([['full'], ['short', 'full'], ['full'], ['full']]);
    expect(new Set(await bench.idsOf(fetched))).toEqual(new Set(idsOfRows(ROWS)));
    expect(fetched.manifest.totals).toMatchObject({ short: 1, asked: 5 });
  });

  test('R9: that comes with other records when asked again keeps the records of both', async () => {
    const bench = await benchFor((request) => {
      const answer = honestly(ROWS, request);
      if (request.count === 1) return { body: { ...answer, data: answer.data.slice(0, 6) } };
      return { body: request.count === 2 || request.count === 3 ? { ...answer, data: answer.data.slice(2) } : answer };
    });
    expect(new Set(await bench.idsOf(await bench.run()))).toEqual(new Set(idsOfRows(ROWS)));
  });

  test('is not asked again for ever where the source makes short pages by habit', async () => {
    const bench = await benchFor((request) => {
      request.url.searchParams.set('page_size', '2');
      return { body: honestly(ROWS, request) };
    });
    const fetched = await bench.run();
    expect(await bench.idsOf(fetched)).toEqual(idsOfRows(ROWS));
    expect(fetched.manifest.totals.asked).toBe(18 + 9);
  });
});

describe('a page that comes twice', () => {
  test('R9, R11: under another cursor lands once, and the chain goes on', async () => {
    const bench = await benchFor((request) => {
      const cursor = request.url.searchParams.get('cursor');
      const page = cursor === null ? 0 : Number(cursor);
      const data = ROWS.slice(...(page === 2 ? [10, 20] : [page > 2 ? page * 10 - 10 : page * 10, page > 2 ? page * 10 : page * 10 + 10]));
      return { body: { data, has_more: page < 4, next_cursor: page < 4 ? String(page + 1) : null } };
    });
    const fetched = await bench.run();
    expect(await verdictsOf(bench)).toEqual([['full'], ['full'], ['duplicate'], ['full'], ['full']]);
    expect(await bench.idsOf(fetched)).toEqual(idsOfRows(ROWS));
    expect(fetched.manifest.totals).toMatchObject({ duplicated: 1, pages: 4 });
  });

  test('R9: as the very answer before, next cursor and all, is asked again', async () => {
    let before: object = {};
    const bench = await benchFor((request) => {
      if (request.count !== 3) before = honestly(ROWS, request);
      return { body: request.count === 3 ? before : honestly(ROWS, request) };
    });
    const fetched = await bench.run();
    expect(await bench.idsOf(fetched)).toEqual(idsOfRows(ROWS));
    expect(fetched.manifest.totals).toMatchObject({ duplicated: 1, pages: 4, asked: 5 });
    expect(fetched.manifest.gaps).toEqual([]);
  });
});

describe('cursors', () => {
  test('R18: that lead in a circle stop the chain, and what may be missing is recorded as a gap', async () => {
    const bench = await benchFor((request) => {
      const page = Number(request.url.searchParams.get('cursor') ?? 0);
      return { body: { data: ROWS.slice(page * 10, page * 10 + 10), has_more: true, next_cursor: page === 2 ? '1' : String(page + 1) } };
    });
    const fetched = await bench.run();
    expect(new Set(await bench.idsOf(fetched))).toEqual(new Set(idsOfRows(ROWS.slice(0, 30))));
    const lastLanded = START + 290_000_000;
    expect(fetched.manifest.gaps).toMatchObject([{ from: lastLanded - 1_000_000, to: START + HOUR }]);
  });

  test('R18: that lead in a circle once are left by time, and nothing is missing', async () => {
    let looped = false;
    const bench = await benchFor((request) => {
      const answer = honestly(ROWS, request);
      if (request.count !== 3 || looped) return { body: answer };
      looped = true;
      return { body: { ...answer, next_cursor: '2026-11-20T10:00:00Z~& =+/%ü10' } };
    });
    const fetched = await bench.run();
    expect(new Set(await bench.idsOf(fetched))).toEqual(new Set(idsOfRows(ROWS)));
    expect(fetched.manifest.gaps).toEqual([]);
  });

  test('that are ever new while the pages are ever the same are a loop too', async () => {
    const bench = await benchFor(({ count }) => ({ body: { data: ROWS.slice(0, 10), has_more: true, next_cursor: String(count) } }));
    const fetched = await bench.run();
    expect(await bench.idsOf(fetched)).toEqual(idsOfRows(ROWS.slice(0, 10)));
    expect(fetched.manifest.gaps).toHaveLength(1);
  });

  test.each([400, 404, 410])('that have expired (%i) restart the chain from the last landed version time', async (status) => {
    const bench = await benchFor((request) =>
      request.count === 3 ? { status, body: { error: 'cursor expired' } } : { body: honestly(ROWS, request) },
    );
    const fetched = await bench.run();
    const restarted = bench.server.requests[3]?.url.searchParams;
    expect(restarted?.get('cursor')).toBeNull();
    expect(restarted?.get('updated_since')).toBe('2026-11-20T10:03:09Z');
    expect(new Set(await bench.idsOf(fetched))).toEqual(new Set(idsOfRows(ROWS)));
    expect(fetched.manifest.gaps).toEqual([]);
  });

  test('R8: that have expired in a chain out of order restart it the whole out-of-order bound earlier, and nothing is missing', async () => {
    const shuffled = [...ROWS.slice(10, 20), ...ROWS.slice(0, 10), ...ROWS.slice(20)];
    const bench = await benchFor(({ url, count }) => {
      if (count === 3) return { status: 410 };
      const from = Number(url.searchParams.get('cursor') ?? 0);
      return { body: { data: shuffled.slice(from, from + 10), has_more: from + 10 < 35, next_cursor: String(from + 10) } };
    });
    const fetched = await bench.run();
    expect(bench.server.requests[3]?.url.searchParams.get('updated_since')).toBe('2026-11-20T10:00:00Z');
    expect(await bench.idsOf(fetched)).toEqual(idsOfRows(shuffled));
    expect(fetched.manifest.gaps).toEqual([]);
  });

  test('that expire each time at the same place are bridged by time, and the gap is recorded', async () => {
    const bench = await benchFor((request) => {
      const cursor = request.url.searchParams.get('cursor');
      if (cursor?.startsWith('2026-11-20T10:00:00Z') && !cursor.endsWith('ü10')) return { status: 410 };
      const since = request.url.searchParams.get('updated_since') ?? '';
      if (cursor === null && since > '2026-11-20T10:00:00Z' && since < '2026-11-20T10:04:00Z') return { status: 500 };
      return { body: honestly(ROWS, request) };
    });
    const fetched = await bench.run();
    expect(fetched.manifest.gaps).toHaveLength(1);
    const ids = await bench.idsOf(fetched);
    const { from, to } = fetched.manifest.gaps[0] ?? { from: 0, to: 0 };
    const outside = ROWS.filter((row) => instant(row.updated_at) < from || instant(row.updated_at) >= to);
    expect(idsOfRows(outside).filter((id) => !ids.includes(id))).toEqual([]);
  });
});
