import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { fileStore } from '../../../src/store/file.ts';

/** Counts a document up until it is killed, and prints each number once the store has said that it holds. */
const store = fileStore(process.argv[2] ?? '', randomUUID);
const standing = await store.get('state/doc.json');
let count = Number(standing?.body.toString() ?? 0);
let tag = standing?.tag ?? '';
if (!standing) tag = ((await store.create('state/doc.json', Buffer.from('0'))) as { readonly tag: string }).tag;
for (;;) {
  count += 1;
  tag = (await store.replace('state/doc.json', Buffer.from(String(count)), tag)) ?? '';
  writeSync(1, `${count}\n`);
}
