import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { measureBody } from '../../src/json/measure.ts';
import { readBody } from '../../src/store/compress.ts';
import { rawPrefix } from '../../src/store/keys.ts';
import { DAY, formatInstant, HOUR } from '../../src/time.ts';
import { type Ended, said, tidemark } from '../support/tidemark.ts';
import { imageOf, type TableImage } from '../system/table.ts';
import { NOW, openWorld, type TestWorld } from '../system/world.ts';

const FROM = formatInstant(NOW - 3 * DAY);
const TO = formatInstant(NOW + HOUR);

const SMALL = { seed: 41, pageSize: 150, partner: { faults: 'none', payments: { recordsPerSecond: 0.01 } } } as const;

let world: TestWorld;
let image: Record<string, TableImage>;

beforeAll(async () => {
  world = await openWorld(SMALL);
  const first = await world.run(NOW - 2 * HOUR, ['run', '--once']);
  expect(first.code, said(first)).toBe(0);
  const second = await world.run(NOW, ['run', '--once', '--sweep']);
  expect(second.code, said(second)).toBe(0);
  image = await imageIn(world);
});
afterAll(() => world.close());

const imageIn = (of: TestWorld): Promise<Record<string, TableImage>> =>
  of.withWarehouse((warehouse) => imageOf(warehouse, of.settings.streams));

const counted = (ended: Ended): { pages: number; inserted: number; updated: number; rows: number } => {
  expect(ended.code, said(ended)).toBe(0);
  return JSON.parse(ended.stdout) as ReturnType<typeof counted>;
};

const replayed = async (of: TestWorld, ...given: string[]): Promise<ReturnType<typeof counted>> =>
  counted(await tidemark(['replay', '--json', '--config', of.config, ...given]));

describe('R4, R27: a replay', () => {
  test('of a past range changes nothing, next to live work, and a second time neither', async () => {
    const live = world.run(NOW, ['run', '--once', '--sweep']);
    const replays = [await replayed(world, '--stream', 'payments', '--from', FROM, '--to', TO)];
    const ended = await live;
    expect(ended.code, said(ended)).toBe(0);
    for (const stream of ['payments', 'settlements']) replays.push(await replayed(world, '--stream', stream, '--from', FROM, '--to', TO));
    for (const { pages, inserted, updated } of replays) {
      expect(pages).toBeGreaterThan(3);
      expect({ inserted, updated }).toEqual({ inserted: 0, updated: 0 });
    }
    expect(await imageIn(world)).toEqual(image);
  });

  test('of everything fills a warehouse that was lost, by itself, and the next run goes on from there', async () => {
    await rm(join(world.folder, 'warehouse.duckdb'));
    for (const stream of ['payments', 'settlements']) {
      const { inserted } = await replayed(world, '--stream', stream, '--from', FROM, '--to', TO);
      expect(inserted).toBe(image[stream]?.rows);
    }
    expect(await imageIn(world)).toEqual(image);
    const next = await world.run(NOW, ['run', '--once', '--sweep']);
    expect(next.code, said(next)).toBe(0);
    expect(await imageIn(world)).toEqual(image);
  });

  test('in shards, side by side and in any order, gives the same table as one', async () => {
    await rm(join(world.folder, 'warehouse.duckdb'));
    const shards = ['3/3', '1/3', '2/3'].map((shard) =>
      replayed(world, '--stream', 'payments', '--from', FROM, '--to', TO, '--shard', shard),
    );
    await Promise.all(shards);
    await replayed(world, '--stream', 'settlements', '--from', FROM, '--to', TO);
    expect(await imageIn(world)).toEqual(image);
  });

  test('of batches that were normalized alone changes the table only when they are loaded', async () => {
    const { rows } = await replayed(world, '--stream', 'payments', '--from', FROM, '--to', TO, '--stop-after', 'normalize');
    expect(rows).toBe(0);
    expect(await imageIn(world)).toEqual(image);
  });
});

/** As an older job may have landed them: no receipts, other names, several forms. The records keep their bytes. */
const FORMS: readonly ((records: readonly string[]) => { name: string; bytes: Buffer })[] = [
  (records) => ({ name: 'plain.json', bytes: Buffer.from(`{"data":[${records.join(',')}]}`) }),
  (records) => ({ name: 'array.json.gz', bytes: gzipSync(`[${records.join(',\n')}]`) }),
  (records) => ({ name: 'lines.ndjson.zst', bytes: zstdCompressSync(records.map((record) => `${record}\n`).join('')) }),
  (records) => ({ name: 'enveloped.gz', bytes: gzipSync(`{ "meta": {"page": 1}, "data": [ ${records.join(' , ')} ] }`) }),
  (records) => ({ name: 'lines.txt', bytes: Buffer.from(records.join('\r\n')) }),
];

function recordTexts(body: Buffer): string[] {
  const { spans, records } = measureBody(body, { records: ['data'], envelope: [], capture: [] });
  return Array.from({ length: records }, (_, i) => body.toString('utf8', spans[2 * i], spans[2 * i + 1]));
}

async function landAsForeign(from: TestWorld, stream: string, folder: string): Promise<number> {
  let count = 0;
  for await (const { key } of from.store.list(rawPrefix(stream))) {
    if (!key.endsWith('.json.zst')) continue;
    const records = recordTexts((await readBody(from.store, key)) ?? Buffer.alloc(0));
    const { name, bytes } = (FORMS[count % FORMS.length] as (typeof FORMS)[number])(records);
    await mkdir(join(folder, `day=${count % 2}`), { recursive: true });
    await writeFile(join(folder, `day=${count % 2}`, `${count}-${name}`), bytes);
    count += 1;
  }
  return count;
}

describe('R4, R27: a replay of bodies that another program landed', () => {
  test('plain, gzip and zstd, enveloped, bare or in lines, gives the same table in an empty warehouse', async () => {
    const foreign = await mkdtemp(join(tmpdir(), 'tidemark-foreign-'));
    const empty = await openWorld(SMALL);
    try {
      for (const stream of ['payments', 'settlements']) {
        const count = await landAsForeign(world, stream, join(foreign, stream));
        expect(count).toBeGreaterThan(FORMS.length);
        const { pages } = await replayed(empty, '--stream', stream, '--prefix', `file:${join(foreign, stream)}`);
        expect(pages).toBe(count);
      }
      expect(await imageIn(empty)).toEqual(image);
      const again = await replayed(empty, '--stream', 'payments', '--prefix', `file:${join(foreign, 'payments')}`);
      expect(again).toMatchObject({ inserted: 0, updated: 0 });
      const nothing = await tidemark(['replay', '--config', empty.config, '--stream', 'payments', '--prefix', `file:${foreign}/none`]);
      expect(nothing.code, said(nothing)).toBe(1);
      expect(nothing.notes).toMatch(/There is no body under .*\n.*Nothing was changed/);
    } finally {
      await empty.close();
      await rm(foreign, { recursive: true, force: true });
    }
  });

  test('that are Tidemark’s own, from another store, gives the same table to the byte', async () => {
    const empty = await openWorld(SMALL);
    try {
      for (const stream of ['payments', 'settlements']) {
        await replayed(empty, '--stream', stream, '--prefix', `file:${join(world.folder, 'store', rawPrefix(stream))}`);
      }
      expect(await imageIn(empty)).toEqual(image);
    } finally {
      await empty.close();
    }
  });
});

describe('R27: a wrong rule, found weeks later', () => {
  test('is corrected by replaying raw under the right one, without the vendor', async () => {
    const wrong = await openWorld({ ...SMALL, seed: 42 });
    try {
      const config = await readFile(wrong.config, 'utf8');
      await writeFile(wrong.config, config.replace('in USD, CAD, MXN', 'in USD'));
      const run = await wrong.run(NOW, ['run', '--once', '--stream', 'settlements']);
      expect(run.code, said(run)).toBe(0);
      const missing = (await wrong.prove())['settlements']?.missing;
      expect(missing).toBeGreaterThan(10);
      const asked = wrong.partner.stats().requests.settlements.list;

      await writeFile(wrong.config, config);
      const { inserted } = await replayed(wrong, '--stream', 'settlements', '--from', FROM, '--to', TO);
      expect(inserted).toBe(missing);
      expect((await wrong.prove())['settlements']).toMatchObject({ missing: 0, duplicated: 0, stale: 0, altered: 0, foreign: 0 });
      expect(wrong.partner.stats().requests.settlements.list, 'the vendor was not asked').toBe(asked);
      expect(readFileSync(wrong.config, 'utf8')).toBe(config);
    } finally {
      await wrong.close();
    }
  });
});
