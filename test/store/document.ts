import { isTidemarkError } from '../../src/errors.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';

/** Adds a name to the list at `key`, once, by compare-and-set: what stands tells whether a write of unknown outcome was made. */
export async function addName(store: ObjectStore, key: string, name: string): Promise<void> {
  for (;;) {
    const current = await store.get(key);
    if (!current) throw new Error(`${key} is gone`);
    const names = current.body.toString().split(' ');
    if (names.includes(name)) return;
    await store.replace(key, Buffer.from([...names, name].join(' ')), current.tag).catch(unknownOutcome);
  }
}

/** For a write whose answer was lost. */
export function unknownOutcome(error: unknown): 'unknown' {
  if (isTidemarkError(error, 'STORE') && error.transient) return 'unknown';
  throw error;
}
