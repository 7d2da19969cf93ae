import { expect, test } from 'vitest';
import { draftStore } from '../../src/store/draft.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { contract, keysOf, textAt } from './contract.ts';

contract('a draft over an empty store', async () => ({ store: draftStore(memoryStore(), memoryStore()), close: async () => undefined }));

const bytes = (text: string): Buffer => Buffer.from(text);

test('a draft shows the store with its changes on top, and leaves it as it was', async () => {
  const base = memoryStore();
  for (const key of ['a', 'c', 'e']) await base.create(key, bytes(`base ${key}`));
  const before = await keysOf(base.list(''));
  const draft = draftStore(base, memoryStore());
  expect(await draft.create('a', bytes('x'))).toEqual({ outcome: 'exists' });
  expect(await draft.create('b', bytes('draft b'))).toMatchObject({ outcome: 'created' });
  expect(await draft.create('f', bytes('draft f'))).toMatchObject({ outcome: 'created' });
  const { tag = '' } = (await draft.head('c')) ?? {};
  expect(await draft.replace('c', bytes('x'), 'another tag')).toBeNull();
  const next = await draft.replace('c', bytes('draft c'), tag);
  expect(await draft.replace('c', bytes('x'), tag)).toBeNull();
  expect(await draft.replace('c', bytes('draft c again'), next ?? '')).not.toBeNull();
  expect(await keysOf(draft.list(''))).toEqual(['a', 'b', 'c', 'e', 'f']);
  expect(await Promise.all(['a', 'b', 'c'].map((key) => textAt(draft, key)))).toEqual(['base a', 'draft b', 'draft c again']);
  await draft.remove('b');
  await draft.remove('e');
  expect(await keysOf(draft.list(''))).toEqual(['a', 'c', 'e', 'f']);
  expect(await keysOf(base.list(''))).toEqual(before);
  expect(await textAt(base, 'c')).toBe('base c');
});
