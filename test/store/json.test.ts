import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compress, decompress } from '../../src/store/compress.ts';
import { createJson, formatJson, getJson, replaceJson } from '../../src/store/json.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { textAt } from './contract.ts';

/** Finite numbers without −0, which JSON cannot hold. */
const json = fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);

describe('JSON documents', () => {
  it.each(['doc.json', 'doc.json.zst'])('come back as they were written, under %s', async (key) => {
    await fc.assert(
      fc.asyncProperty(json, async (value) => {
        const store = memoryStore();
        await createJson(store, key, value);
        expect((await getJson(store, key))?.value).toEqual(value);
      }),
    );
  });

  it('have one text, whatever the order of their members', () => {
    expect(formatJson({ b: 1, a: { d: [1, 2], c: undefined } })).toBe(formatJson({ a: { d: [1, 2] }, b: 1 }));
  });

  it('are laid out for people: a line for each member, and for each element of a list of objects', () => {
    const text = formatJson({ pages: [{ slot: 1 }, { slot: 2 }], epoch: 3, open: [] });
    expect(text).toBe('{\n  "epoch": 3,\n  "open": [],\n  "pages": [\n    {"slot":1},\n    {"slot":2}\n  ]\n}\n');
  });

  it('are replaced under their tag alone', async () => {
    const store = memoryStore();
    await createJson(store, 'doc.json', { n: 1 });
    const tag = (await getJson(store, 'doc.json'))?.tag ?? '';
    expect(await replaceJson(store, 'doc.json', { n: 2 }, tag)).not.toBeNull();
    expect(await replaceJson(store, 'doc.json', { n: 3 }, tag)).toBeNull();
    expect(await textAt(store, 'doc.json')).toBe('{\n  "n": 2\n}\n');
  });

  it('that were cut off or altered are CORRUPT, by name', async () => {
    const store = memoryStore();
    await store.create('half.json', Buffer.from('{"a": 1'));
    await store.create('half.json.zst', (await compress(Buffer.from('{"a": 1}'.repeat(100)))).subarray(0, 20));
    for (const key of ['half.json', 'half.json.zst']) {
      await expect(getJson(store, key)).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining(key) });
    }
  });

  it('cannot hold what JSON cannot', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, () => 1]) {
      expect(() => formatJson({ value })).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    }
  });
});

describe('stored bodies', () => {
  const body = Buffer.from('{"data": []}'.repeat(1000));

  it('are told by their own bytes: zstd, gzip, or neither', async () => {
    for (const stored of [await compress(body), gzipSync(body), body]) expect(decompress('x', stored).equals(body)).toBe(true);
  });

  it('that were damaged anywhere are CORRUPT', async () => {
    const stored = await compress(body);
    for (const offset of [6, stored.length >> 1, stored.length - 1]) {
      const damaged = Buffer.from(stored);
      damaged[offset] = (damaged[offset] ?? 0) ^ 0x55;
      await expect(damageOf(damaged)).rejects.toMatchObject({
        code: 'CORRUPT',
        message: expect.stringContaining('raw/page'),
      });
    }
    await expect(damageOf(stored.subarray(0, -3))).rejects.toMatchObject({ code: 'CORRUPT' });
  });
});

const damageOf = (stored: Buffer): Promise<Buffer> => Promise.resolve(stored).then((bytes) => decompress('raw/page', bytes));
