import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { fetchWindow } from '../../src/fetch/window.ts';
import { rawScope } from '../../src/landing/scope.ts';
import { takeOver } from '../../src/manifest/head.ts';
import { landedSlots } from '../../src/manifest/landed.ts';
import { readHead, updateHead } from '../../src/manifest/state.ts';
import { compress } from '../../src/store/compress.ts';
import { generationPrefix, pageKey } from '../../src/store/keys.ts';
import type { Pagination } from '../../src/stream.ts';
import { type Bench, benchFor, dyingStore, honestly, idsOfRows, rows, verdictsOf, WINDOW } from './fixture.ts';

const ROWS = rows(35);
const honest = (): Promise<Bench> => benchFor((request) => ({ body: honestly(ROWS, request) }));

/** One run that dies before it writes the nth key that matches, then another that does not. @returns requests of the second. */
async function dieThenRun(bench: Bench, pattern: RegExp, nth: number): Promise<{ ids: string[]; asked: number }> {
  await expect(bench.run({ store: dyingStore(bench.store, pattern, nth) })).rejects.toThrow('died before writing');
  const before = bench.server.requests.length;
  const fetched = await bench.run();
  return { ids: await bench.idsOf(fetched), asked: bench.server.requests.length - before };
}

/** SHA-256 of the content of every page that landed, over all generations. */
async function landedHashes({ store, stream }: Bench): Promise<string[]> {
  const slots = await landedSlots(store, rawScope(stream), WINDOW);
  return slots.flatMap(({ answers }) => answers.filter(({ object }) => object).map(({ receipt }) => receipt?.sha256 ?? ''));
}

describe('R20: a run that died resumes at the page after the last one landed', () => {
  test('between a receipt and the next page', async () => {
    const { ids, asked } = await dieThenRun(await honest(), /page-.*\.json\.zst$/, 3);
    expect(ids).toEqual(idsOfRows(ROWS));
    expect(asked).toBe(2);
  });

  test('between a page and its receipt: the page is measured again from its bytes, not asked again', async () => {
    const bench = await honest();
    const { ids, asked } = await dieThenRun(bench, /receipt\.json$/, 2);
    expect(ids).toEqual(idsOfRows(ROWS));
    expect(asked).toBe(2);
    expect(await verdictsOf(bench)).toEqual([['full'], ['recovered'], ['full'], ['full']]);
  });

  test('before the manifest: nothing is asked again', async () => {
    const { ids, asked } = await dieThenRun(await honest(), /manifest\.json$/, 1);
    expect(ids).toEqual(idsOfRows(ROWS));
    expect(asked).toBe(0);
  });

  test('between the manifest and the head: nothing is asked again, and the manifest that stands is committed', async () => {
    const bench = await honest();
    const lease = await bench.lease();
    const dying = {
      ...lease,
      update: async (transition: Parameters<typeof lease.update>[0]) => {
        const changed = transition(lease.head());
        if (changed.pending.length > 0) throw new Error('died before the head');
        return lease.update(transition);
      },
    };
    await expect(fetchWindow(bench.effects, bench.stream, WINDOW, dying)).rejects.toThrow('died before the head');
    await lease.release();
    const before = bench.server.requests.length;
    const fetched = await bench.run();
    expect(bench.server.requests.length).toBe(before);
    expect(fetched.manifest.epoch).toBe(1);
    expect((await readHead(bench.store, 'payments'))?.head).toMatchObject({ open: [], pending: [{ manifest: fetched.key }] });
  });

  test('at every page and every receipt in turn: always the same records, and no page lands twice (R11)', async () => {
    for (const pattern of [/page-.*\.json\.zst$/, /receipt\.json$/]) {
      for (let nth = 1; nth <= 4; nth++) {
        const bench = await honest();
        const { ids, asked } = await dieThenRun(bench, pattern, nth);
        expect(ids).toEqual(idsOfRows(ROWS));
        expect(asked).toBe(pattern.test('receipt.json') ? 4 - nth : 5 - nth);
        const hashes = await landedHashes(bench);
        expect(new Set(hashes).size).toBe(hashes.length);
      }
    }
  });

  const counted: [string, Pagination][] = [
    ['page numbers', { kind: 'page', parameter: 'page', first: 1, more: ['has_more'] }],
    ['offsets', { kind: 'offset', parameter: 'offset', more: ['has_more'] }],
  ];
  test.each(counted)('with %s, whose position is not in the bytes: asked again, but the bytes land once (R11)', async (_, pagination) => {
    const bench = await benchFor(
      ({ url }) => {
        const at = Number(url.searchParams.get('offset') ?? 10 * (Number(url.searchParams.get('page')) - 1));
        return { body: { data: ROWS.slice(at, at + 10), has_more: at + 10 < 35 } };
      },
      { pagination },
    );
    const { ids, asked } = await dieThenRun(bench, /receipt\.json$/, 2);
    expect(ids).toEqual(idsOfRows(ROWS));
    expect(asked).toBe(3);
    const hashes = await landedHashes(bench);
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

test('R9, R20: a short page at which a run died is asked again before the chain goes on', async () => {
  const bench = await benchFor((request) => {
    const answer = honestly(ROWS, request);
    return { body: request.count === 2 ? { ...answer, data: answer.data.slice(0, 4) } : answer };
  });
  // The third page to be written is the second answer for slot 2.
  const { ids } = await dieThenRun(bench, /page-.*\.json\.zst$/, 3);
  expect(new Set(ids)).toEqual(new Set(idsOfRows(ROWS)));
});

test('R9, R20: a short page whose run died before it was judged is asked again as well', async () => {
  const bench = await benchFor((request) => {
    const answer = honestly(ROWS, request);
    return { body: request.count === 2 ? { ...answer, data: answer.data.slice(0, 4) } : answer };
  });
  const { ids } = await dieThenRun(bench, /receipt\.json$/, 2);
  expect(new Set(ids)).toEqual(new Set(idsOfRows(ROWS)));
});

test('R9, R20: a chain that began anew by time resumes where it was', async () => {
  const bench = await benchFor((request) => (request.count === 3 ? { status: 410 } : { body: honestly(ROWS, request) }));
  const { ids, asked } = await dieThenRun(bench, /receipt\.json$/, 4);
  expect(new Set(ids)).toEqual(new Set(idsOfRows(ROWS)));
  expect(asked).toBe(0);
});

describe('a slot that is taken by other bytes', () => {
  test('keeps them: the new answer lands beside them, and the records of both count', async () => {
    const bench = await honest();
    const foreign = Buffer.from(
      JSON.stringify({ data: [{ event_id: 'foreign', updated_at: '2026-11-20T10:00:00Z' }], has_more: false, next_cursor: null }),
    );
    const key = pageKey(generationPrefix(rawScope(bench.stream), WINDOW, 1), 2);
    let taken = false;
    // Another process that still believes it holds this epoch writes slot 2 in the very moment before this one does.
    const raced = {
      ...bench.store,
      create: async (name: string, body: Uint8Array) => {
        if (name === key && !taken) {
          taken = true;
          await bench.store.create(key, await compress(foreign));
        }
        return bench.store.create(name, body);
      },
    };
    const fetched = await bench.run({ store: raced });
    expect(new Set(await bench.idsOf(fetched))).toEqual(new Set([...idsOfRows(ROWS), 'foreign']));
    const page = fetched.manifest.pages.find((other) => other.key.includes('.alt-'));
    expect(page?.key).toContain(`page-000002.alt-${page?.sha256.slice(0, 16)}`);
    expect(fetched.manifest.pages.some((other) => other.sha256 === hash('sha256', foreign))).toBe(true);
  });

  test('by the same bytes is its own: the answer of the store was lost, not the write', async () => {
    const bench = await honest();
    const forgetful = {
      ...bench.store,
      create: async (name: string, body: Uint8Array) => {
        if (name.endsWith('.json.zst')) await bench.store.create(name, body);
        return bench.store.create(name, body);
      },
    };
    const fetched = await bench.run({ store: forgetful });
    expect(await bench.idsOf(fetched)).toEqual(idsOfRows(ROWS));
    expect(fetched.manifest.pages.some(({ key }) => key.includes('.alt-'))).toBe(false);
  });
});

test('R20: a process that is told to stop leaves what it landed to the next one', async () => {
  const controller = new AbortController();
  const bench = await benchFor((request) => {
    if (request.count === 2) controller.abort(new Error('told to stop'));
    return { body: honestly(ROWS, request) };
  });
  await expect(bench.run({ effects: { signal: controller.signal } })).rejects.toThrow('told to stop');
  const fetched = await bench.run();
  expect(await bench.idsOf(fetched)).toEqual(idsOfRows(ROWS));
  expect(bench.server.requests).toHaveLength(5);
});

test('R20: a process that was taken over cannot commit, and the window is committed by the other', async () => {
  const bench = await benchFor((request) => ({ body: honestly(ROWS, request) }));
  const first = await bench.lease();
  await updateHead(bench.store, 'payments', takeOver({ id: 'other', host: 'elsewhere', pid: 2, beat: 0 }), null, bench.effects);
  await expect(fetchWindow(bench.effects, bench.stream, WINDOW, first)).rejects.toMatchObject({ code: 'FENCED' });
  expect((await readHead(bench.store, 'payments'))?.head).toMatchObject({ watermark: null, pending: [] });
});
