import { randomUUID } from 'node:crypto';
import { fileStore } from '../../../src/store/file.ts';
import { addName } from '../document.ts';

/** One of several processes on one folder: `race.ts <folder> <name> <creates> <names>`. Prints the keys that it was told it created. */
const [root = '', name = '', creates = '0', names = '0'] = process.argv.slice(2);
const store = fileStore(root, randomUUID);
const won: string[] = [];
for (let i = 0; i < Number(creates); i++) {
  const key = `race/${i}`;
  if ((await store.create(key, Buffer.from(name))).outcome === 'created') won.push(key);
}
for (let i = 0; i < Number(names); i++) await addName(store, 'names', `${name}-${i}`);
process.stdout.write(JSON.stringify(won));
