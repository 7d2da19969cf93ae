import { writeSync } from 'node:fs';
import { openStore } from '../../../src/store/open.ts';
import type { StoreConfig } from '../../../src/stream.ts';

/** Counts a document up until it is killed, and prints each number once the store has said that it holds. */
const store = await openStore(JSON.parse(process.argv[2] ?? '') as StoreConfig);
const standing = await store.get('state/doc.json');
let count = Number(standing?.body.toString() ?? 0);
let tag = standing?.tag ?? '';
if (!standing) tag = ((await store.create('state/doc.json', Buffer.from('0'))) as { readonly tag: string }).tag;
for (;;) {
  count += 1;
  tag = (await store.replace('state/doc.json', Buffer.from(String(count)), tag)) ?? '';
  writeSync(1, `${count}\n`);
}
