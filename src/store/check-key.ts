import { TidemarkError } from '../errors.ts';

/** What every store can hold, so that a tree moves from one kind of store to another unchanged. In bytes of UTF-8. */
const KEY_LIMITS = { key: 900, segment: 200 } as const;

/** Names that the file store keeps for itself. */
export const RESERVED_SEGMENT = '.tidemark';

/** Control characters cannot stand in an S3 listing's XML; lone surrogates are no UTF-8. */
const UNFIT = /[\p{Cc}\ufffe\uffff]/u;

/** @throws STORE where `key` is not a key of the interface; a key never leads out of the store. */
export function checkKey(key: string): void {
  const problem = keyProblem(key);
  if (problem === null) return;
  throw new TidemarkError({
    code: 'STORE',
    message: `"${key}" cannot be the name of an object: ${problem}`,
    hint: 'Nothing was read or written. Names of streams and environments become parts of keys: choose ones without slashes and control characters.',
  });
}

function keyProblem(key: string): string | null {
  if (Buffer.byteLength(key) > KEY_LIMITS.key) return `it is longer than ${KEY_LIMITS.key} bytes`;
  if (UNFIT.test(key) || !key.isWellFormed()) return 'it holds a character that not every store can keep';
  for (const segment of key.split('/')) {
    if (segment === '' || segment === '.' || segment === '..') return 'it has an empty, "." or ".." segment';
    if (segment.startsWith(RESERVED_SEGMENT)) return `"${RESERVED_SEGMENT}" is reserved`;
    if (Buffer.byteLength(segment) > KEY_LIMITS.segment) return `a segment is longer than ${KEY_LIMITS.segment} bytes`;
  }
  return null;
}

/** The order of every listing: ascending bytes of UTF-8, which is not the order of JavaScript's strings beyond U+D7FF. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
