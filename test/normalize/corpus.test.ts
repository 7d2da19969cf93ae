import corpus from '@octokit/webhooks-examples' with { type: 'json' };
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memoryStore } from '../../src/store/memory.ts';
import { type Leaves, leavesOfFields, numberForm } from './records.ts';
import { bodyOf, landedPage, openStage, type Stage } from './support.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

interface Kind {
  readonly name: string;
  readonly examples: readonly Record<string, unknown>[];
}

/** What GitHub sent for 58 kinds of events: 329 payloads, up to 26 kB, under one name another form in nearly each kind. */
const payloads = (corpus as unknown as readonly Kind[]).flatMap(({ name, examples: sent }) =>
  sent.map((payload) => ({ event: name, payload: strip(payload) })),
);

test('R10: every value of 329 real webhook payloads of 58 kinds comes back, each kind beside all others', async () => {
  expect(payloads).toHaveLength(329);
  const store = memoryStore();
  const records = payloads.map(({ event, payload }, at) =>
    JSON.stringify({ id: `r${at}`, updated_at: '2026-11-20T10:00:00Z', v: 1, event, ...payload }),
  );
  const pages = await Promise.all(
    [0, 1, 2, 3].map((page) => landedPage(store, `p${page}`, bodyOf(records.filter((_record, at) => at % 4 === page)))),
  );
  const { batch, quarantined } = await stage.normalize(store, pages);
  expect(quarantined).toEqual([]);

  const rows = await stage.canonicalRows(store, batch);
  const found = new Map(rows.map((row) => [row.id, leavesOfFields(row.fields)]));
  const held = new Map(payloads.map(({ event, payload }, at) => [`r${at}`, flat({ event, ...payload })]));
  expect([...held.values()].reduce((count, leaves) => count + leaves.size, 0)).toBeGreaterThan(50_000);
  expect(found).toEqual(held);
});

/** Without the names that the stream itself is configured by. */
function strip({ id: _id, updated_at: _time, ...payload }: Record<string, unknown>): Record<string, unknown> {
  return payload;
}

/** Every leaf that is not null, by Node's own parser. */
function flat(value: unknown, path: readonly (string | number)[] = [], into: Leaves = new Map()): Leaves {
  if (Array.isArray(value)) for (const [at, inner] of value.entries()) flat(inner, [...path, at], into);
  else if (typeof value === 'object' && value !== null)
    for (const [name, inner] of Object.entries(value)) flat(inner, [...path, name], into);
  else if (typeof value === 'number') into.set(JSON.stringify(path), numberForm(String(value)));
  else if (value !== null) into.set(JSON.stringify(path), JSON.stringify(value));
  return into;
}
