import { openStore } from '../../../src/store/open.ts';
import type { StoreConfig } from '../../../src/stream.ts';
import { addName } from '../document.ts';

/** One of several processes on one store: `race.ts <store as JSON> <name> <creates> <names>`. Prints the keys that it was told it created. */
const [config = '', name = '', creates = '0', names = '0'] = process.argv.slice(2);
const store = await openStore(JSON.parse(config) as StoreConfig);
const won: string[] = [];
for (let i = 0; i < Number(creates); i++) {
  const key = `race/${i}`;
  if ((await store.create(key, Buffer.from(name))).outcome === 'created') won.push(key);
}
for (let i = 0; i < Number(names); i++) await addName(store, 'names', `${name}-${i}`);
process.stdout.write(JSON.stringify(won));
