import { createHash, hash } from 'node:crypto';
import type { Engine } from '../engine.ts';
import { textOf } from '../load/values.ts';

/**
 * The root of a set of observations: SHA-256 over the digests of its members, in hex, in ascending order, each once, without anything
 * between them. The digest of an observation is SHA-256 over its parts: the key's, the version's (the time in microseconds, the rest in
 * digits) and the content hash; each part as `<length in UTF-8 bytes>:<part>`. So the root depends on the set alone: on no order, no
 * repetition, and no split into pages, batches or windows.
 */
export interface Observation {
  readonly key: readonly string[];
  readonly version: readonly string[];
  readonly contentHash: string;
}

export function observationDigest({ key, version, contentHash }: Observation): string {
  return hash('sha256', [...key, ...version, contentHash].map((part) => `${Buffer.byteLength(part)}:${part}`).join(''));
}

export function rootOf(observations: Iterable<Observation>): string {
  return hash('sha256', [...new Set(Array.from(observations, observationDigest))].sort().join(''));
}

/** The digest as DuckDB takes it. @param parts SQL of the parts, in their order; numbers are written in digits. */
export function digestSql(parts: readonly string[]): string {
  const texts = parts.map((part) => `CAST(${part} AS VARCHAR)`);
  return `sha256(${texts.map((text) => `strlen(${text}) || ':' || ${text}`).join(' || ')})`;
}

/** Digests that are put into one text at a time: 32 MB. */
const DIGESTS_AT_ONCE = 500_000;
/** Shares are told by the digests' first four digits. */
const PREFIXES = 0x1_0000;

/**
 * The root of a selection of digests, a share of them at a time: memory does not grow with the hour.
 * @param digests SELECT statement with the column `d`, each digest once. @param count of them. @param atOnce for tests.
 */
export async function rootOfDigests(engine: Engine, digests: string, count: number, atOnce = DIGESTS_AT_ONCE): Promise<string> {
  const shares = Math.min(PREFIXES, Math.max(1, Math.ceil(count / atOnce)));
  const hasher = createHash('sha256');
  for (let share = 0; share < shares; share++) {
    const [row] = await engine.rows(
      `SELECT coalesce(string_agg(d, '' ORDER BY d), '') AS part FROM (${digests}) WHERE d >= '${bound(share, shares)}' AND d < '${bound(share + 1, shares)}'`,
    );
    hasher.update(textOf(row?.['part']));
  }
  return hasher.digest('hex');
}

/** Past the last share, greater than every digest. */
const bound = (share: number, shares: number): string =>
  share === shares
    ? 'g'
    : Math.floor((share * PREFIXES) / shares)
        .toString(16)
        .padStart(4, '0');
