import { hash } from 'node:crypto';
import { messageOf, TidemarkError } from '../errors.ts';
import { LayoutError } from '../json/errors.ts';
import { type BodyMeasure, measureBody } from '../json/measure.ts';
import { unfold } from '../store/compress.ts';

/**
 * The decoded bytes of a stored body; how they are compressed is told by their first bytes, not by their name.
 * @param expected about so many bytes.
 */
export function unfoldBody(stored: Buffer, key: string, expected = 0): Buffer {
  try {
    return unfold(stored, expected);
  } catch (cause) {
    throw corrupt(key, `it cannot be decompressed: ${messageOf(cause)}`, cause);
  }
}

/** @throws CORRUPT where the bytes are not those that the receipt names. */
export function verifyBody(body: Buffer, key: string, sha256: string | null): string {
  const found = hash('sha256', body);
  if (sha256 !== null && found !== sha256) throw corrupt(key, `its SHA-256 is ${found}, the receipt says ${sha256}`);
  return found;
}

/** Of an index whose bytes are not those that the receipt names. */
export function damagedIndex(key: string, what: string, cause?: unknown): TidemarkError {
  return new TidemarkError({
    code: 'CORRUPT',
    message: `The index ${key} is not what was landed: ${what}`,
    hint: 'Nothing was loaded from it, and the page itself is untouched. Remove the index: it says nothing that the page does not, and is made again.',
    cause,
  });
}

function corrupt(key: string, what: string, cause?: unknown): TidemarkError {
  return new TidemarkError({
    code: 'CORRUPT',
    message: `The raw page ${key} is not what was landed: ${what}`,
    hint: 'Nothing was loaded from it. Restore the object from a backup or a bucket version, or ask for its window again with a backfill.',
    cause,
  });
}

/**
 * Measures a body that nobody measured before: the configured shape, a bare array, `{"data": […]}`, or NDJSON, in that order.
 * @throws SOURCE_SHAPE where it is none of them.
 */
export function measureForeign(body: Buffer, key: string, records: readonly string[], capture: readonly string[]): BodyMeasure {
  const tried = [records, [], ['data'], 'lines'] as const;
  let reason: unknown = null;
  for (const layout of tried) {
    try {
      return measureBody(body, { records: layout, envelope: [], capture });
    } catch (error) {
      if (layout === tried[0] || !(error instanceof LayoutError)) reason ??= error;
    }
  }
  throw new TidemarkError({
    code: 'SOURCE_SHAPE',
    message: `${key} is neither a page of the configured shape, nor an array, nor NDJSON: ${messageOf(reason)}`,
    hint: 'Nothing was loaded from it. Check response.records, or leave the object out of the prefix.',
    cause: reason,
  });
}
