import { randomBytes } from 'node:crypto';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it as vitestIt } from 'vitest';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectInfo, ObjectStore } from '../../src/store/object-store.ts';
import { addName, unknownOutcome } from './document.ts';

export interface OpenedStore {
  readonly store: ObjectStore;
  readonly close: () => Promise<void>;
}

const WRITERS = 20;
const text = (value: string): Buffer => Buffer.from(value);

export async function keysOf(listing: AsyncIterable<ObjectInfo>): Promise<string[]> {
  return (await infosOf(listing)).map((info) => info.key);
}

export async function infosOf(listing: AsyncIterable<ObjectInfo>): Promise<ObjectInfo[]> {
  const infos: ObjectInfo[] = [];
  for await (const info of listing) infos.push(info);
  return infos;
}

export async function textAt(store: ObjectStore, key: string): Promise<string | undefined> {
  return (await store.get(key))?.body.toString();
}

async function created(store: ObjectStore, key: string, body: string): Promise<string> {
  const outcome = await store.create(key, text(body));
  if (outcome.outcome !== 'created') throw new Error(`${key} was taken`);
  return outcome.tag;
}

/** Without other writers, an outcome that could not be told is a refusal whose answer was lost; what stands must show it. */
async function replaced(store: ObjectStore, key: string, body: Uint8Array, tag: string): Promise<boolean> {
  const told = await store.replace(key, body, tag).catch(unknownOutcome);
  return told !== null && told !== 'unknown';
}

export interface Leniency {
  /** Whether a write may be told, as a transient STORE error, that its outcome is unknown. */
  readonly losesAnswers?: boolean;
  /** Titles of cases that a server is known to fail and the layout never needs, each with the reason: they are skipped. */
  readonly gaps?: Readonly<Record<string, string>>;
}

/** What every object store promises (src/store/object-store.ts). `open` gives an empty store. */
export function contract(name: string, open: () => Promise<OpenedStore>, { losesAnswers = false, gaps = {} }: Leniency = {}): void {
  describe(`${name} keeps the promises of an object store`, () => {
    const it = (title: string, test: () => Promise<void>): void => {
      const gap = gaps[title];
      if (gap === undefined) vitestIt(title, test);
      else vitestIt.skip(`${title} (${gap})`, test);
    };
    let store: ObjectStore;
    let close: () => Promise<void>;
    let folder: string;

    beforeEach(async () => {
      ({ store, close } = await open());
      folder = await mkdtemp(join(tmpdir(), 'contract-'));
    });
    afterEach(async () => {
      await close();
      await rm(folder, { recursive: true });
    });

    it('gives back what was created, with its size and tag', async () => {
      const tag = await created(store, 'a/b.json', 'body');
      expect(await store.get('a/b.json')).toEqual({ key: 'a/b.json', size: 4, tag, body: text('body') });
      expect(await store.head('a/b.json')).toEqual({ key: 'a/b.json', size: 4, tag });
    });

    it('says null of what is not there', async () => {
      await created(store, 'a/b', 'body');
      expect(await store.get('a/c')).toBeNull();
      expect(await store.head('a')).toBeNull();
      expect(await store.get('a/b/c')).toBeNull();
    });

    it('leaves an object untouched that another creator meets', async () => {
      const tag = await created(store, 'a', 'first');
      expect(await store.create('a', text('second'))).toEqual({ outcome: 'exists' });
      expect(await store.create('a', text('first'))).toEqual({ outcome: 'exists' });
      expect(await store.get('a')).toMatchObject({ body: text('first'), tag });
    });

    it('lets exactly one of 20 racing creators win, and its bytes stand', async () => {
      const outcomes = await Promise.all(Array.from({ length: WRITERS }, (_, i) => store.create('race', text(`writer ${i}`))));
      const winners = outcomes.flatMap(({ outcome }, i) => (outcome === 'created' ? [`writer ${i}`] : []));
      expect(winners).toEqual([await textAt(store, 'race')]);
    });

    it('replaces under the current tag alone', async () => {
      const first = await created(store, 'doc', 'one');
      const second = await store.replace('doc', text('two'), first);
      expect(second).not.toBeNull();
      expect(second).not.toBe(first);
      expect(await replaced(store, 'doc', text('three'), first)).toBe(false);
      expect(await store.get('doc')).toMatchObject({ body: text('two'), tag: second });
    });

    it('does not create what it was told to replace', async () => {
      const tag = await created(store, 'doc', 'one');
      expect(await replaced(store, 'other', text('two'), tag)).toBe(false);
      expect(await keysOf(store.list(''))).toEqual(['doc']);
    });

    it('lets exactly one of 20 racing replacers win, and its bytes stand', async () => {
      const tag = await created(store, 'doc', 'start');
      const race = (_: unknown, i: number): Promise<string | null> => store.replace('doc', text(`writer ${i}`), tag).catch(unknownOutcome);
      const told = await Promise.all(Array.from({ length: WRITERS }, race));
      const winners = told.flatMap((result, i) => (result === null || result === 'unknown' ? [] : [`writer ${i}`]));
      const unknown = told.flatMap((result, i) => (result === 'unknown' ? [`writer ${i}`] : []));
      const standing = await textAt(store, 'doc');
      if (losesAnswers && winners.length === 0) expect(unknown).toContain(standing);
      else expect(winners).toEqual([standing]);
      expect(losesAnswers || unknown.length === 0).toBe(true);
    });

    it('loses no update of racing writers', async () => {
      await created(store, 'names', 'start');
      const writer = async (_: unknown, w: number): Promise<void> => {
        for (let i = 0; i < 10; i++) await addName(store, 'names', `${w}-${i}`);
      };
      await Promise.all(Array.from({ length: 4 }, writer));
      const names = (await textAt(store, 'names'))?.split(' ') ?? [];
      expect(new Set(names).size).toBe(41);
      expect(names).toHaveLength(41);
    });

    it('shows a document that was often replaced once, as it is now, and refuses all its former tags', async () => {
      const tags = [await created(store, 'state/doc.json', '0')];
      for (let i = 1; i <= 40; i++) tags.push((await store.replace('state/doc.json', text('x'.repeat(i)), tags.at(-1) ?? '')) ?? '');
      expect(new Set(tags).size).toBe(41);
      expect(await infosOf(store.list('state/'))).toEqual([{ key: 'state/doc.json', size: 40, tag: tags.at(-1) }]);
      expect(await store.create('state/doc.json', text('new'))).toEqual({ outcome: 'exists' });
      for (const tag of tags.slice(0, -1)) expect(await replaced(store, 'state/doc.json', text('late'), tag)).toBe(false);
      expect(await textAt(store, 'state/doc.json')).toBe('x'.repeat(40));
    });

    it('lists keys in ascending order of their UTF-8 bytes, over folders and pages of the listing', async () => {
      const keys = ['a-b/x', 'a.b', 'a/b', 'a/b-c', 'a/c/d', 'a0', 'aB', 'ab/1', 'ab/10', 'ab/2', 'z', 'é', '\uffee', '😀'];
      for (const key of keys.toReversed()) await created(store, key, key);
      expect(await keysOf(store.list(''))).toEqual(keys);
    });

    it('takes any leading part of a key as a prefix', async () => {
      for (const key of ['raw/v1/pay/1', 'raw/v1/payments/1', 'raw/v1/payments/2', 'raw/v1/other']) await created(store, key, '');
      expect(await keysOf(store.list('raw/v1/pay'))).toEqual(['raw/v1/pay/1', 'raw/v1/payments/1', 'raw/v1/payments/2']);
      expect(await keysOf(store.list('raw/v1/pay/'))).toEqual(['raw/v1/pay/1']);
      expect(await keysOf(store.list('raw/v1/payments/2'))).toEqual(['raw/v1/payments/2']);
      expect(await keysOf(store.list('nothing/'))).toEqual([]);
      expect(await keysOf(store.list('../'))).toEqual([]);
    });

    it('keeps keys with odd characters apart', async () => {
      const keys = [
        'a b',
        'a%20b',
        'a+b',
        "it's",
        '"quoted"',
        '<&>',
        'x=1_2,3;4:5',
        '#?',
        'back\\slash',
        '~!@$^*()',
        'Grüße/日本',
        '.hidden',
        'n'.repeat(200),
      ];
      for (const key of keys) {
        const tag = await created(store, `odd/${key}`, key);
        expect(await store.replace(`odd/${key}`, text(`${key}!`), tag)).not.toBeNull();
      }
      for (const key of keys) expect(await textAt(store, `odd/${key}`)).toBe(`${key}!`);
      expect(new Set(await keysOf(store.list('odd/')))).toEqual(new Set(keys.map((key) => `odd/${key}`)));
      for (const key of keys) await store.remove(`odd/${key}`);
      expect(await keysOf(store.list(''))).toEqual([]);
    });

    it('refuses names that lead out of it or that not every store can keep', async () => {
      for (const key of [
        '',
        '/a',
        'a/',
        'a//b',
        '../a',
        'a/../../b',
        '.',
        'a/\0',
        'a\nb',
        '\ud800',
        '.tidemark/tmp/x',
        `${'long/'.repeat(200)}x`,
        'n'.repeat(201),
      ]) {
        await expect(store.create(key, text('x'))).rejects.toMatchObject({ code: 'STORE' });
        await expect(store.get(key)).rejects.toMatchObject({ code: 'STORE' });
      }
    });

    it('keeps empty and large bodies byte for byte', async () => {
      const large = randomBytes(6 * 1024 * 1024 + 7);
      await store.create('large', large);
      await store.create('empty', new Uint8Array());
      expect((await store.get('large'))?.body.equals(large)).toBe(true);
      expect(await store.get('empty')).toMatchObject({ size: 0, body: Buffer.alloc(0) });
    });

    it('removes one object and frees its name', async () => {
      const tag = await created(store, 'a/b', 'one');
      await store.replace('a/b', text('two'), tag);
      await created(store, 'a/c', 'one');
      await store.remove('a/b');
      await store.remove('a/b');
      expect(await store.head('a/b')).toBeNull();
      expect(await keysOf(store.list(''))).toEqual(['a/c']);
      await created(store, 'a/b', 'three');
      expect(await textAt(store, 'a/b')).toBe('three');
    });

    it('takes and gives local files', async () => {
      const body = randomBytes(300_000);
      await writeFile(join(folder, 'source'), body);
      expect(await store.upload('part.parquet', join(folder, 'source'))).toMatchObject({ outcome: 'created' });
      expect(await store.upload('part.parquet', join(folder, 'source'))).toEqual({ outcome: 'exists' });
      await writeFile(join(folder, 'source'), 'changed later');
      expect(await store.download('part.parquet', join(folder, 'copy'))).toBe(300_000);
      expect((await readFile(join(folder, 'copy'))).equals(body)).toBe(true);
    });

    it('leaves no file where there was nothing to download, and none changed that stood there', async () => {
      await expect(store.download('missing', join(folder, 'copy'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(access(join(folder, 'copy'))).rejects.toThrow('ENOENT');
      await created(store, 'a', 'object');
      await writeFile(join(folder, 'mine'), 'mine');
      await expect(store.download('a', join(folder, 'mine'))).rejects.toThrow();
      expect(await readFile(join(folder, 'mine'), 'utf8')).toBe('mine');
    });

    it('answers any sequence of calls as the model does', async () => {
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 25 }), async (operations) => {
          const prefix = `run-${(run += 1)}/`;
          expect(await answers(store, prefix, operations)).toEqual(await answers(memoryStore(), prefix, operations));
        }),
        { numRuns: 12, seed: 7 },
      );
    });
  });
}

type Operation = { readonly call: 'create' | 'replace' | 'replace-stale' | 'remove' | 'get'; readonly key: string };

const operation: fc.Arbitrary<Operation> = fc.record({
  call: fc.constantFrom('create', 'replace', 'replace', 'replace-stale', 'remove', 'get'),
  key: fc.constantFrom('a', 'b/c', 'b/d'),
});

/** What a caller is told, tags left out. Every written body is another, as tags of S3 are made of the content. */
async function answers(store: ObjectStore, prefix: string, operations: readonly Operation[]): Promise<unknown[]> {
  const told: unknown[] = [];
  for (const [i, { call, key }] of operations.entries()) {
    const name = prefix + key;
    const body = text(`${prefix}${i}`);
    const tag = (await store.head(name))?.tag ?? '"none"';
    if (call === 'create') told.push((await store.create(name, body)).outcome);
    else if (call === 'replace') told.push(await replaced(store, name, body, tag));
    else if (call === 'replace-stale') told.push(await replaced(store, name, body, `"${'0'.repeat(32)}"`));
    else if (call === 'remove') await store.remove(name);
    else told.push(await textAt(store, name));
  }
  for (const { key, size } of await infosOf(store.list(prefix))) told.push(key, size, await textAt(store, key));
  return told;
}
