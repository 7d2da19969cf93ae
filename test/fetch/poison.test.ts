import { describe, expect, test } from 'vitest';
import { listDeadLetters, showDeadLetter } from '../../src/fetch/dead-letter.ts';
import { retryDeadLetter } from '../../src/fetch/repair.ts';
import { readHead } from '../../src/manifest/state.ts';
import type { Source } from '../../src/stream.ts';
import { MINUTE } from '../../src/time.ts';
import { type Bench, benchFor, dyingStore, END, honestly, idsOfRows, instant, rows, WINDOW } from './fixture.ts';

const ROWS = rows(35);

interface Poisoned extends Bench {
  heal(): void;
}

/** Every page that would hold one of the poisoned records fails with 500, unless it asks for at most `harmless` records. */
async function poisoned(ids: readonly string[], harmless = 0, overrides: Partial<Source> = {}): Promise<Poisoned> {
  let healed = false;
  const bench = await benchFor((request) => {
    const answer = honestly(ROWS, request);
    const fails =
      !healed && Number(request.url.searchParams.get('page_size')) > harmless && answer.data.some(({ event_id }) => ids.includes(event_id));
    return fails ? { status: 500, body: 'boom' } : { body: answer };
  }, overrides);
  return { ...bench, heal: () => void (healed = true) };
}

describe('R21: a page that fails every time goes to dead letter and the run goes on', () => {
  test('smaller pages that bring everything leave no gap, and the letter is resolved', async () => {
    const bench = await poisoned(['e17'], 3);
    const fetched = await bench.run();
    expect(await bench.idsOf(fetched)).toEqual(idsOfRows(ROWS));
    expect(fetched.manifest.gaps).toEqual([]);
    const letters = await listDeadLetters(bench.store, 'payments', 'all');
    expect(letters).toMatchObject([{ letter: { gap: null, slot: 2, pageSize: 10, attempts: 3, status: 500 }, resolution: {} }]);
    expect(Buffer.from(letters[0]?.letter.body ?? '', 'base64').toString()).toBe('boom');
  });

  test('a record that cannot be had at all costs that record and a bounded stretch of time, which is recorded as a gap', async () => {
    const bench = await poisoned(['e17']);
    const fetched = await bench.run();
    expect(new Set(await bench.idsOf(fetched))).toEqual(new Set(idsOfRows(ROWS.filter(({ event_id }) => event_id !== 'e17'))));
    const [gap] = fetched.manifest.gaps;
    expect(gap?.from).toBeLessThanOrEqual(instant('2026-11-20T10:02:40Z'));
    expect(gap?.to).toBeGreaterThan(instant('2026-11-20T10:02:40Z'));
    expect((gap?.to ?? 0) - (gap?.from ?? 0)).toBeLessThan(MINUTE);
    expect((await readHead(bench.store, 'payments'))?.head).toMatchObject({ watermark: END, open: [] });
    expect(await listDeadLetters(bench.store, 'payments')).toMatchObject([{ letter: { id: gap?.deadLetter }, resolution: null }]);
  });

  test('also the first page of a window', async () => {
    const bench = await poisoned(['e1']);
    const ids = await bench.idsOf(await bench.run());
    expect(ids).not.toContain('e1');
    expect(ids).toContain('e4');
  });

  test('also two of them, each with its own letter', async () => {
    const bench = await poisoned(['e5', 'e25']);
    const fetched = await bench.run();
    expect(fetched.manifest.gaps).toHaveLength(2);
    expect(new Set(await bench.idsOf(fetched))).toEqual(
      new Set(idsOfRows(ROWS.filter(({ event_id }) => event_id !== 'e5' && event_id !== 'e25'))),
    );
  });

  test('also where the page comes short of the poisoned record first: no record beside it is lost', async () => {
    const bench = await benchFor((request) => {
      const answer = honestly(ROWS, request);
      if (request.count === 2) return { body: { ...answer, data: answer.data.slice(0, 3) } };
      return answer.data.some(({ event_id }) => event_id === 'e17') ? { status: 500 } : { body: answer };
    });
    const fetched = await bench.run();
    const missing = ROWS.filter(({ event_id }) => event_id !== 'e17');
    expect(new Set(await bench.idsOf(fetched))).toEqual(new Set(idsOfRows(missing)));
    expect(fetched.manifest.gaps).toHaveLength(1);
  });

  test('also where the API has no page size to make smaller', async () => {
    const bench = await benchFor(
      (request) => {
        request.url.searchParams.set('page_size', '10');
        const answer = honestly(ROWS, request);
        return answer.data.some(({ event_id }) => event_id === 'e17') ? { status: 500 } : { body: answer };
      },
      { sizeParameter: null },
    );
    const fetched = await bench.run();
    expect(fetched.manifest.gaps).toHaveLength(1);
    const ids = await bench.idsOf(fetched);
    expect(ids).toEqual(expect.arrayContaining([...idsOfRows(ROWS.slice(0, 10)), ...idsOfRows(ROWS.slice(18))]));
  });
});

describe('R18: a gap is never silent and can be repaired', () => {
  test('it survives a run that dies behind it', async () => {
    const bench = await poisoned(['e17']);
    await expect(bench.run({ store: dyingStore(bench.store, /manifest\.json$/) })).rejects.toThrow('died');
    const fetched = await bench.run();
    expect(fetched.manifest.gaps).toHaveLength(1);
  });

  test('asking a dead letter again brings what was missing and resolves it', async () => {
    const bench = await poisoned(['e17']);
    const [gap] = (await bench.run()).manifest.gaps;
    bench.heal();
    const outcome = await retryDeadLetter(bench.effects, bench.stream, await bench.lease(), gap?.deadLetter ?? '');
    expect(outcome).toMatchObject({
      outcome: 'resolved',
      fetched: { manifest: { window: { kind: 'backfill', start: gap?.from, end: gap?.to }, gaps: [] } },
    });
    expect('fetched' in outcome && (await bench.idsOf(outcome.fetched))).toContain('e17');
    expect(await listDeadLetters(bench.store, 'payments')).toEqual([]);
    expect((await readHead(bench.store, 'payments'))?.head).toMatchObject({
      watermark: END,
      pending: [{}, { window: { kind: 'backfill' } }],
    });
  });

  test('asking it again while the source is still broken leaves it open, and it can be asked once more', async () => {
    const bench = await poisoned(['e17']);
    const [gap] = (await bench.run()).manifest.gaps;
    const lease = await bench.lease();
    expect(await retryDeadLetter(bench.effects, bench.stream, lease, gap?.deadLetter ?? '')).toMatchObject({ outcome: 'open' });
    bench.heal();
    expect(await retryDeadLetter(bench.effects, bench.stream, lease, gap?.deadLetter ?? '')).toMatchObject({ outcome: 'resolved' });
    expect(await retryDeadLetter(bench.effects, bench.stream, lease, gap?.deadLetter ?? '')).toMatchObject({ outcome: 'already' });
  });

  test('a later window that covers it without gaps resolves it', async () => {
    const bench = await poisoned(['e17']);
    const [gap] = (await bench.run()).manifest.gaps;
    bench.heal();
    const swept = await bench.run({ window: { kind: 'sweep', start: WINDOW.start, end: END + MINUTE } });
    expect(swept.resolved).toEqual([gap?.deadLetter]);
    expect((await showDeadLetter(bench.store, 'payments', gap?.deadLetter ?? '')).resolution?.reason).toContain('sweep');
  });

  test('a later window that covers only part of it does not', async () => {
    const bench = await poisoned(['e17']);
    const [gap] = (await bench.run()).manifest.gaps;
    bench.heal();
    await bench.run({ window: { kind: 'sweep', start: (gap?.from ?? 0) + 1, end: END + MINUTE } });
    expect(await listDeadLetters(bench.store, 'payments')).toHaveLength(1);
  });
});
