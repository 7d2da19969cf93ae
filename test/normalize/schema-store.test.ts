import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { measureBody } from '../../src/json/measure.ts';
import { growSchema, readSchema, type ShapedPage } from '../../src/normalize/schema-store.ts';
import { shapeToJson } from '../../src/schema/shape.ts';
import { schemaKey } from '../../src/store/keys.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';

const FIXED = { columns: ['environment', 'id'], fields: ['id'] };

const pageOf = (key: string, ...records: unknown[]): ShapedPage => {
  const body = Buffer.from(JSON.stringify(records));
  return { key, shape: shapeToJson(measureBody(body, { records: [], envelope: [], capture: [] }).shape) };
};
const grow = (store: ObjectStore, pages: readonly ShapedPage[], at = 1) =>
  growSchema(store, 'events', FIXED, pages, { version: 0, hash: '' }, at);
const tagOf = async (store: ObjectStore): Promise<string | undefined> => (await store.head(schemaKey('events')))?.tag;

describe('the schema of a stream', () => {
  test('R10: its history says which page brought each change, and when', async () => {
    const store = memoryStore();
    await grow(store, [pageOf('p1', { id: 1, a: 1, o: { x: 'x' } }), pageOf('p2', { id: 2, a: 2 })], 10);
    const schema = await grow(store, [pageOf('p3', { id: 1, a: 1.5, o: { y: [{ z: true }] }, A: 1 })], 20);
    expect(schema.version).toBe(2);
    expect(await readSchema(store, 'events')).toMatchObject({
      schema,
      history: [
        {
          version: 1,
          at: 10,
          page: 'p1',
          changes: [
            { path: 'a', from: null, to: 'bigint' },
            { path: 'o.x', from: null, to: 'text' },
          ],
        },
        {
          version: 2,
          at: 20,
          page: 'p3',
          changes: [
            { path: 'o.y', from: null, to: 'struct(z boolean)[]' },
            { path: 'A', from: null, to: '_overflow' },
            { path: 'a', from: 'bigint', to: '_overflow' },
          ],
        },
      ],
    });
  });

  test('is not written where nothing is new', async () => {
    const store = memoryStore();
    const schema = await grow(store, [pageOf('p1', { id: 1, a: [1, 'x'], n: null }, { a: {} })]);
    const tag = await tagOf(store);
    expect(await grow(store, [pageOf('p2', { id: 2, a: ['y'] }), pageOf('p3')], 99)).toEqual(schema);
    expect(await tagOf(store)).toBe(tag);
  });

  test('takes what it saw without a change of columns into account later: digits, and fields that were null', async () => {
    const store = memoryStore();
    await grow(store, [pageOf('p1', { n: 1 })]);
    await grow(store, [pageOf('p2', { n: 123_456_789_012_345 })]);
    const schema = await grow(store, [pageOf('p3', { n: 0.1234 })]);
    expect(schema).toEqual({ version: 2, fields: [{ name: 'n', type: { kind: 'decimal', precision: 38, scale: 4 } }], overflow: [] });
  });

  test('R10: holds what every concurrent grower brought, and each of them gets a schema that holds its own', async () => {
    const store = memoryStore();
    const growers = Array.from({ length: 20 }, (_, at) => ({ [`f${at}`]: at, shared: at % 2 === 0 ? at : at + 0.5 }));
    const schemas = await Promise.all(growers.map((record, at) => grow(store, [pageOf(`p${at}`, record)])));
    const document = await readSchema(store, 'events');
    expect(document?.schema.fields.map((field) => field.name).sort()).toEqual([...growers.map((_, at) => `f${at}`), 'shared'].sort());
    for (const [at, schema] of schemas.entries()) expect(schema.fields.map((field) => field.name)).toContain(`f${at}`);
    expect(document?.history.map((entry) => entry.version)).toEqual(document?.history.map((_, at) => at + 1));
    expect(document?.history.flatMap((entry) => entry.changes.map((change) => change.path))).toEqual(expect.arrayContaining(['f0', 'f19']));
  });

  test('R10: has the same columns in whatever order, grouping and repetition the pages came', async () => {
    const record = fc.dictionary(fc.constantFrom('a', 'A', 'b', 'id', '_page', ''), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 8 }), fc.nat(), fc.nat(), async (records, turn, cut) => {
        const pages = records.map((one, at) => pageOf(`p${at}`, one));
        const turned = [...pages.slice(turn % pages.length), ...pages.slice(0, turn % pages.length)].toReversed();
        const [one, other] = [memoryStore(), memoryStore()];
        const whole = await grow(one, pages);
        await grow(other, turned.slice(0, cut % turned.length));
        const parts = await grow(other, turned);
        expect({ ...parts, version: 0 }).toEqual({ ...whole, version: 0 });
        expect((await readSchema(other, 'events'))?.shape).toEqual((await readSchema(one, 'events'))?.shape);
      }),
    );
  });

  test('of more fields than a table has columns for, those that have one keep it, and the rest overflows', async () => {
    const store = memoryStore();
    const many = (count: number): Record<string, number> =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`f${String(at).padStart(4, '0')}`, at]));
    await grow(store, [pageOf('p1', { zz: 1, o: { p: 1 } })]);
    const wide = await grow(store, [pageOf('p2', many(700))]);
    expect(wide.fields).toHaveLength(500);
    expect(wide.fields.map(({ name }) => name)).toEqual(expect.arrayContaining(['f0000', 'f0497', 'o', 'zz']));
    expect(wide.fields.find(({ name }) => name === 'o')?.type.kind).toBe('struct');
    expect(wide.overflow).toEqual(Object.keys(many(700)).slice(498));
    const wider = await grow(store, [pageOf('p3', { ...many(10), a: 1 })]);
    expect(wider.fields).toEqual(wide.fields);
    expect(wider.overflow).toEqual(['a', ...wide.overflow]);
  });

  test('records whose field names are data are refused, and the schema stays as it was', async () => {
    const store = memoryStore();
    const before = await grow(store, [pageOf('p1', { a: 1 })]);
    const wide = Object.fromEntries(Array.from({ length: 2001 }, (_, at) => [`f${at}`, at]));
    await expect(grow(store, [pageOf('p2', wide)])).rejects.toMatchObject({ code: 'SCHEMA' });
    expect((await readSchema(store, 'events'))?.schema).toEqual(before);
  });
});
