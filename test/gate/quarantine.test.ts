import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
import { decideQuarantine, listQuarantine, releasedHashes, showQuarantined, writeQuarantine } from '../../src/gate/quarantine.ts';
import type { Decision, QuarantinedRecord } from '../../src/manifest/documents.ts';
import { quarantineKey } from '../../src/store/keys.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';

const STREAM = 'settlements';
const idOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);

function record(text: string, over: Partial<QuarantinedRecord> = {}): QuarantinedRecord {
  return {
    id: idOf(text),
    stream: STREAM,
    batch: 'aa01',
    rule: 'amount: present and >= 0',
    value: '-3',
    reason: 'amount is -3',
    key: [text],
    page: 'raw/v1/settlements/page-000001.json.zst',
    position: 4,
    span: { start: 10, end: 10 + text.length },
    body: Buffer.from(text).toString('base64'),
    releasable: true,
    at: 1_000,
    ...over,
  };
}

const decision = (kind: Decision['decision'], by = 'ana', at = 5_000): Decision => ({
  format: 1,
  decision: kind,
  by,
  reason: 'checked with the vendor',
  at,
});

let store: ObjectStore;
let scratch: string;
beforeEach(() => {
  store = memoryStore();
  scratch = mkdtempSync(join(tmpdir(), 'quarantine-test-'));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const write = (batch: string, records: readonly QuarantinedRecord[]) => writeQuarantine(store, STREAM, batch, records, scratch);

describe('quarantine', () => {
  test('R23: a failing record is kept with its rule, value, lineage and bytes', async () => {
    const odd = record('{"vendor_txn_id":"a\u2028b","amount":-3}', { value: '"\u2028\n"' });
    await write('aa01', [odd]);
    const shown = await showQuarantined(store, STREAM, odd.id);
    expect(shown.records).toEqual([odd]);
    expect(Buffer.from(shown.records[0]?.body ?? '', 'base64').toString()).toContain('a\u2028b');
    expect(shown).toMatchObject({ state: 'open', rules: [odd.rule], page: odd.page, position: 4, batches: ['aa01'] });
  });

  test('a record that was landed twice, or broke two rules, is one entry', async () => {
    await write('aa01', [record('x', { at: 2_000 }), record('x', { at: 2_000, rule: 'currency: in USD', releasable: false }), record('y')]);
    await write('bb02', [record('x', { batch: 'bb02', at: 1_500, position: 9 })]);
    const entries = await listQuarantine(store, STREAM);
    expect(entries.map(({ id }) => id)).toEqual([idOf('y'), idOf('x')]);
    expect(entries[1]).toMatchObject({
      rules: ['amount: present and >= 0', 'currency: in USD'],
      batches: ['aa01', 'bb02'],
      position: 9,
      releasable: false,
      state: 'open',
    });
    expect((await showQuarantined(store, STREAM, idOf('x'))).records).toHaveLength(3);
  });

  test('writing a batch again changes nothing, and a batch without refused records leaves nothing', async () => {
    expect(await write('aa01', [record('x')])).toBe(1);
    const before = await store.get(quarantineKey(STREAM, 'aa01'));
    expect(await write('aa01', [record('x'), record('y')])).toBe(2);
    expect(await store.get(quarantineKey(STREAM, 'aa01'))).toEqual(before);
    expect(await write('cc03', [])).toBe(0);
    expect(await store.head(quarantineKey(STREAM, 'cc03'))).toBeNull();
    expect(readdirSync(scratch)).toEqual([]);
  });

  test('many records pass through a file, not through memory as one text', async () => {
    async function* many() {
      for (let index = 0; index < 20_000; index += 1) yield record(`record ${index} é`, { at: index });
    }
    expect(await writeQuarantine(store, STREAM, 'aa01', many(), scratch)).toBe(20_000);
    const entries = await listQuarantine(store, STREAM);
    expect(entries).toHaveLength(20_000);
    expect(entries[19_999]?.key).toEqual(['record 19999 é']);
  });

  test('R23: a released record is among the hashes that may enter, a discarded one is not', async () => {
    await write('aa01', [record('x'), record('y'), record('z')]);
    await decideQuarantine(store, STREAM, idOf('x'), decision('release'));
    await decideQuarantine(store, STREAM, idOf('y'), decision('discard'));
    expect(await releasedHashes(store, STREAM)).toEqual(new Set([idOf('x')]));
    const states = new Map((await listQuarantine(store, STREAM)).map(({ id, state }) => [id, state]));
    expect(states).toEqual(
      new Map([
        [idOf('x'), 'released'],
        [idOf('y'), 'discarded'],
        [idOf('z'), 'open'],
      ]),
    );
    expect((await showQuarantined(store, STREAM, idOf('x'))).decision).toEqual(decision('release'));
  });

  test('a decision stands: the same again is no error, another says what stands', async () => {
    await write('aa01', [record('x')]);
    await decideQuarantine(store, STREAM, idOf('x'), decision('release'));
    expect(await decideQuarantine(store, STREAM, idOf('x'), decision('release', 'ben', 9_000))).toEqual(decision('release'));
    const error = await decideQuarantine(store, STREAM, idOf('x'), decision('discard', 'ben')).catch((thrown: unknown) => thrown);
    expect(isTidemarkError(error, 'CONFLICT')).toBe(true);
    expect(String(error)).toContain('was released by ana: checked with the vendor');
    expect(await releasedHashes(store, STREAM)).toEqual(new Set([idOf('x')]));
  });

  test('of people who decide at the same moment, one decides', async () => {
    await write('aa01', [record('x')]);
    const kinds = ['release', 'discard', 'release', 'discard'] as const;
    const outcomes = await Promise.allSettled(
      kinds.map((kind, index) => decideQuarantine(store, STREAM, idOf('x'), decision(kind, `person ${index}`))),
    );
    const standing = new Set(outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.by] : [])));
    expect(standing.size).toBe(1);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(2);
  });

  test('a record without key or version can be discarded, not released', async () => {
    await write('aa01', [record('x', { rule: 'key', reason: 'vendor_txn_id is missing', releasable: false })]);
    const error = await decideQuarantine(store, STREAM, idOf('x'), decision('release')).catch((thrown: unknown) => thrown);
    expect(isTidemarkError(error, 'SCHEMA') && error.hint).toContain('discard the record');
    expect(String(error)).toContain('vendor_txn_id is missing');
    expect(await decideQuarantine(store, STREAM, idOf('x'), decision('discard'))).toEqual(decision('discard'));
  });

  test('what is not there is not found', async () => {
    for (const id of [idOf('nothing'), '../../state/head', '']) {
      const error = await decideQuarantine(store, STREAM, id, decision('release')).catch((thrown: unknown) => thrown);
      expect(isTidemarkError(error, 'NOT_FOUND')).toBe(true);
    }
    expect(await listQuarantine(store, STREAM)).toEqual([]);
  });

  test('a damaged file is told as such, by its key', async () => {
    await store.create(quarantineKey(STREAM, 'aa01'), Buffer.from('no zstd'));
    const error = await listQuarantine(store, STREAM).catch((thrown: unknown) => thrown);
    expect(isTidemarkError(error, 'CORRUPT')).toBe(true);
    expect(String(error)).toContain(quarantineKey(STREAM, 'aa01'));
  });
});
