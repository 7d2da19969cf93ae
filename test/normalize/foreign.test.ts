import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memoryStore } from '../../src/store/memory.ts';
import { bodyOf, EVENTS, event, foreignPage, keysOf, landedPage, openStage, type Stage } from './support.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const COMPRESSIONS = {
  plain: (text: string) => Buffer.from(text),
  gzip: (text: string) => gzipSync(text),
  zstd: (text: string) => zstdCompressSync(Buffer.from(text)),
};
const SHAPES = {
  data: bodyOf,
  array: (records: readonly string[]) => `[${records.join(',\n')}]`,
  lines: (records: readonly string[]) => records.map((one) => `${one}\n`).join(''),
  configured: (records: readonly string[]) => `{"meta":{"data":[1]},"page":{"items":[${records.join(',')}]},"more":false}`,
};
const CONFIGURED = { ...EVENTS, records: ['page', 'items'] };

describe('bodies that nobody measured', () => {
  test('R4, R27: plain, gzip and zstd, in every shape that is known, are told apart within one batch', async () => {
    const store = memoryStore();
    const pages = [];
    for (const [compression, compress] of Object.entries(COMPRESSIONS)) {
      for (const [shape, write] of Object.entries(SHAPES)) {
        const name = `${compression}-${shape}`;
        pages.push(await foreignPage(store, `${name}.bin`, compress(write([event(`${name} 1`), event(`${name} 2`, { n: 1.5 })]))));
      }
    }
    pages.push(await landedPage(store, 'landed', SHAPES.configured([event('landed')]), CONFIGURED));
    const { batch, quarantined } = await stage.normalize(store, pages, { definition: CONFIGURED, origin: 'replay' });
    expect(quarantined).toEqual([]);
    const rows = await stage.rows(store, batch.files);
    const expected = Object.keys(COMPRESSIONS).flatMap((one) =>
      Object.keys(SHAPES).flatMap((two) => [`${one}-${two} 1`, `${one}-${two} 2`]),
    );
    expect(await stage.ids(store, batch.files)).toEqual([...expected, 'landed'].sort());
    const lineage = new Map(rows.map((row) => [row['id'], [row['_page'], row['_position']]]));
    expect(lineage.get('gzip-lines 2')).toEqual(['s3://elsewhere/legacy/gzip-lines.bin', 1]);
    expect(lineage.get('landed')).toEqual(['raw/v1/events/landed.json.zst', 0]);
  });

  test('a replay of foreign bodies gives the rows that the landed pages gave', async () => {
    const store = memoryStore();
    const body = bodyOf([event('a', { amount: 1234567890123.456 }), event('b', { o: { '': 1 } })]);
    const landed = (await stage.normalize(store, [await landedPage(store, 'p', body)])).batch;
    const replayed = (await stage.normalize(store, [await foreignPage(store, 'f', body)], { origin: 'replay' })).batch;
    expect(await stage.canonicalRows(store, replayed)).toEqual(await stage.canonicalRows(store, landed));
  });

  test('a file of several compressed parts is read to its end', async () => {
    const store = memoryStore();
    const part = (from: number) => SHAPES.lines([event(`${from}`), event(`${from + 1}`)]);
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9]);
    const zstd = Buffer.concat([skippable, COMPRESSIONS.zstd(part(0)), skippable, COMPRESSIONS.zstd(part(2)), COMPRESSIONS.zstd(part(4))]);
    const gzip = Buffer.concat([COMPRESSIONS.gzip(part(6)), COMPRESSIONS.gzip(part(8))]);
    const { batch } = await stage.normalize(store, [await foreignPage(store, 'z', zstd), await foreignPage(store, 'g', gzip)]);
    expect(batch.counts).toMatchObject({ observations: 10, rows: 10 });
  });

  test('an empty object of the store holds no records, and is no error', async () => {
    const store = memoryStore();
    const { batch } = await stage.normalize(store, [await foreignPage(store, '_SUCCESS', ''), await foreignPage(store, 'e', '[]')]);
    expect(batch.counts).toMatchObject({ observations: 0, rows: 0 });
    expect(batch.pages.map((page) => page.records)).toEqual([0, 0]);
  });

  test.each([
    ['HTML', '<html><body>502</body></html>'],
    ['a text that breaks off', bodyOf([event('a')]).slice(0, -20)],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from('{"data":[{"id":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}]}')])],
  ])('%s is refused by name, and nothing is published', async (_what, bytes) => {
    const store = memoryStore();
    const pages = [await foreignPage(store, 'good', bodyOf([event('a')])), await foreignPage(store, 'bad.json', bytes)];
    await expect(stage.normalize(store, pages)).rejects.toMatchObject({
      code: 'SOURCE_SHAPE',
      message: expect.stringContaining('s3://elsewhere/legacy/bad.json') as unknown,
    });
    expect(await keysOf(store, 'curated/')).toEqual([]);
  });
});
