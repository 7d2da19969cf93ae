import { assert } from '../errors.ts';
import { createJson, getJson } from '../store/json.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Receipt } from './documents.ts';
import { checkFormat } from './format.ts';

/**
 * Writes a receipt under `key` (keys.receiptKey), once. @returns the receipt that stands there: this one, or the one that was there
 * before, which owns the name: later stages may have read it already.
 */
export async function writeReceipt(store: ObjectStore, key: string, receipt: Receipt): Promise<Receipt> {
  const { outcome } = await createJson(store, key, receipt);
  if (outcome === 'created') return receipt;
  const standing = await readReceipt(store, key);
  assert(standing, `${key} exists, but cannot be read`);
  return standing;
}

/** @returns null where there is none. @throws CORRUPT */
export async function readReceipt(store: ObjectStore, key: string): Promise<Receipt | null> {
  const document = await getJson<Receipt>(store, key);
  if (!document) return null;
  checkFormat(key, document.value);
  return document.value;
}
