import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Definition } from '../../src/normalize/definition.ts';
import { readSchema } from '../../src/normalize/schema-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import type { ContractTerm } from '../../src/stream.ts';
import { bodyOf, contentHash, EVENTS, event, foreignPage, landedPage, openStage, type Stage } from './support.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const under = (...contract: ContractTerm[]): Definition => ({ ...EVENTS, contract });
const freeze = (path: string, at: number): ContractTerm => ({ path: path === '$' ? [] : path.split('.'), mode: 'freeze', at });
const discard = (path: string, at: number): ContractTerm => ({ ...freeze(path, at), mode: 'discard' });
const evolve = (path: string): ContractTerm => ({ ...freeze(path, 0), mode: 'evolve' });

let pages = 0;
async function normalize(store: ObjectStore, definition: Definition, records: readonly string[], released: readonly string[] = []) {
  const page = await landedPage(store, `p${pages++}`, bodyOf(records), definition);
  const { batch, quarantined } = await stage.normalize(store, [page], { definition, released });
  const rows = (await stage.canonicalRows(store, batch)).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return { batch, quarantined, rows: rows.map(({ id, fields }) => [id, Object.fromEntries(fields)] as const) };
}

/** A store whose schema is at version 1, which knows those records' fields. */
async function knowing(...records: readonly string[]): Promise<ObjectStore> {
  const store = memoryStore();
  await normalize(store, EVENTS, records);
  return store;
}

const OLD = event('old', { payload: { sum: 1, tags: [{ tag: 'x' }], note: null }, meta: { any: [1, 'a'] } });

describe('R10: a frozen path', () => {
  test('keeps out whole records with a new field under it, says which, and lets all others in', async () => {
    const store = await knowing(OLD);
    const grown = event('grown', { payload: { sum: 2, coupon: { code: 'c' } } });
    const inList = event('in list', { payload: { tags: [{ tag: 'x' }, { tag: 'y', color: 'red' }] } });
    const others = [
      event('same', { payload: { sum: 3 } }),
      event('beside', { beside: 1 }),
      event('hollow', { payload: { later: {}, sum: null } }),
    ];
    const { batch, quarantined, rows } = await normalize(store, under(freeze('payload', 1)), [grown, ...others, inList]);
    expect(rows.map(([id]) => id)).toEqual(['beside', 'hollow', 'same']);
    expect(quarantined.map(({ rule, value, reason, key, releasable, id }) => ({ rule, value, reason, key, releasable, id }))).toEqual([
      {
        rule: 'contract: payload',
        value: 'payload.coupon',
        reason: 'the field payload.coupon is new: payload is frozen at schema version 1',
        key: ['prod', 'grown'],
        releasable: true,
        id: contentHash(grown),
      },
      expect.objectContaining({ value: 'payload.tags.color', key: ['prod', 'in list'] }),
    ]);
    expect(batch.contract).toEqual({ frozen: { 'payload.coupon': 1, 'payload.tags.color': 1 }, discarded: {} });
    expect(JSON.stringify((await readSchema(store, 'events'))?.schema)).not.toMatch(/coupon|color/);
  });

  test('lets a released record in as a whole, and still keeps out the next one with that field', async () => {
    const store = await knowing(OLD);
    const first = event('first', { payload: { coupon: 'a' } });
    const second = event('second', { payload: { coupon: 'b' } });
    const definition = under(freeze('payload', 1));
    const { rows, quarantined } = await normalize(store, definition, [first, second], [contentHash(first)]);
    expect(rows).toEqual([['first', { payload: '{"coupon":"a"}' }]]);
    expect(quarantined.map((record) => record.key)).toEqual([['prod', 'second']]);
    const again = await normalize(store, definition, [second], [contentHash(first)]);
    expect(again.quarantined, 'that the column is there by now decides nothing').toHaveLength(1);
  });

  test('judges a record alike in whatever company and order it comes, also without index or receipt', async () => {
    const records = [
      event('a', { payload: { sum: 1 } }),
      event('b', { payload: { extra: 1 } }),
      event('c', { payload: { sum: 'x' } }),
      event('d', { payload: 7 }),
      event('e', { payload: { sum: { deeper: 1 } } }),
      event('f', { payload: { tags: Object.fromEntries(Array.from({ length: 600 }, (_, at) => [`t${at}`, at])) } }),
    ];
    const definition = under(freeze('payload', 1));
    const verdicts = async (groups: readonly (readonly string[])[]): Promise<unknown> => {
      const store = await knowing(OLD);
      const refused: string[] = [];
      for (const group of groups)
        for (const { key } of (await normalize(store, definition, group)).quarantined) refused.push(String(key[1]));
      return refused.sort();
    };
    const apart = await verdicts(records.map((record) => [record]));
    expect(apart).toEqual(['b', 'e', 'f']);
    expect(await verdicts([records])).toEqual(apart);
    expect(await verdicts([records.slice(3), records.slice(0, 3)])).toEqual(apart);
    const store = await knowing(OLD);
    const foreign = await foreignPage(store, 'lines', records.join('\n'));
    const { quarantined } = await stage.normalize(store, [foreign], { definition });
    expect(quarantined.map(({ key }) => String(key[1])).sort()).toEqual(apart);
  });

  test('knows what its version knew, whatever came later, and below a JSON column every name', async () => {
    const store = await knowing(OLD);
    await normalize(store, EVENTS, [event('later', { payload: { coupon: 'c' }, meta: { any: 1 } })]);
    const record = event('x', { payload: { coupon: 'd' }, meta: { any: { new: 1 } } });
    expect((await normalize(store, under(freeze('$', 1)), [record])).quarantined).toHaveLength(1);
    expect((await normalize(store, under(freeze('$', 2)), [record])).quarantined).toEqual([]);
    const everything = await normalize(store, under(freeze('$', 0)), [record, event('bare')]);
    expect(
      everything.rows.map(([id]) => id),
      'key and version are always known',
    ).toEqual(['bare']);
  });

  test('gives way to a longer path that may evolve', async () => {
    const store = await knowing(OLD);
    const definition = under(freeze('$', 1), evolve('payload.ext.free'));
    const good = event('good', { payload: { ext: { free: { any: 1 } } } });
    const bad = event('bad', { payload: { ext: { other: 1 } } });
    const { quarantined, rows } = await normalize(store, definition, [good, bad]);
    expect(rows).toEqual([['good', { payload: '{"ext":{"free":{"any":1}}}' }]]);
    expect(quarantined.map(({ value }) => value)).toEqual(['payload.ext.other']);
  });

  test('at a version that is not there stops before anything is done', async () => {
    const store = await knowing(OLD);
    await expect(normalize(store, under(freeze('payload', 9)), [OLD])).rejects.toMatchObject({
      code: 'CONFIG',
      message: 'contract of payload, freeze at 9: the schema is at version 1 so far',
    });
  });

  test('knows the fields of a version that was written before they were noted', async () => {
    const store = await knowing(OLD);
    const document = await store.get('state/events/schema.json');
    const text = document?.body.toString() ?? '';
    const { known, ...bare } = JSON.parse(text).history[0];
    expect(known.length).toBeGreaterThan(3);
    await store.replace(
      'state/events/schema.json',
      Buffer.from(JSON.stringify({ ...JSON.parse(text), history: [bare] })),
      document?.tag ?? '',
    );
    const record = event('x', { payload: { coupon: 1 } });
    expect((await normalize(store, under(freeze('$', 1)), [record, OLD])).rows).toHaveLength(1);
    await normalize(store, EVENTS, [record]);
    expect((await normalize(store, under(freeze('$', 1)), [record, OLD])).rows, 'as well once it has grown').toHaveLength(1);
  });
});

describe('R10: a path whose new fields are discarded', () => {
  // What is discarded is part of how records are read, and that has a version.
  const definition: Definition = { ...under(discard('payload', 1)), transform: { version: 1, columns: [] } };

  test('gives rows without them, counted, makes no columns, and keeps nobody out', async () => {
    const store = await knowing(OLD);
    const records = [
      event('a', { payload: { sum: 2, coupon: { code: 1 }, tags: [{ tag: 'x', color: 'red' }] } }),
      event('b', { payload: { coupon: 'x' } }),
    ];
    const { batch, quarantined, rows } = await normalize(store, definition, records);
    expect(quarantined).toEqual([]);
    expect(rows).toEqual([
      ['a', { payload: '{"sum":2,"tags":[{"tag":"x"}]}' }],
      ['b', {}],
    ]);
    expect(batch.contract).toEqual({ frozen: {}, discarded: { 'payload.coupon': 2, 'payload.tags.color': 1 } });
    expect(batch.schema.version).toBe(1);
  });

  test('reads a record alike whether or not another batch has brought the column, or has made it JSON', async () => {
    const record = event('x', { payload: { sum: 2, coupon: 'c' } });
    const expected = [['x', { payload: '{"sum":2}' }]];
    const store = await knowing(OLD);
    expect((await normalize(store, definition, [record])).rows).toEqual(expected);
    await normalize(store, EVENTS, [event('y', { payload: { coupon: 'd' } })]);
    expect((await normalize(store, definition, [record])).rows).toEqual(expected);
    await normalize(store, EVENTS, [event('z', { payload: 'a text' })]);
    const { rows, batch } = await normalize(store, definition, [record]);
    expect(batch.schema.fields.find(({ name }) => name === 'payload')?.type.kind).toBe('json');
    expect(rows).toEqual(expected);
  });
});
