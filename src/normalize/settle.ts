import { join } from 'node:path';
import { mapConcurrent } from '../concurrency.ts';
import type { LatenessCounts } from '../manifest/lateness.ts';
import type { Seen } from './batch.ts';
import type { Definition } from './definition.ts';
import { type LocalFile, localFile, shareOut } from './files.ts';
import type { IndexedPages } from './index-pages.ts';
import type { Pool } from './pool.ts';
import {
  countConflicts,
  countLate,
  countLeftOut,
  countLosers,
  countRows,
  dropSettled,
  listLeftOut,
  saveSightings,
  settleKnown,
  settleLosers,
  settleRivals,
} from './statements.ts';

/** Which observation of each key goes on. */
export interface Settled {
  /** Accepted observations that are not published, by page number. */
  readonly leftOut: ReadonlyMap<number, LeftOut>;
  readonly rows: number;
  readonly distinct: number;
  readonly conflicts: number;
  /** Null where it is not to be told. */
  readonly lateness: LatenessCounts | null;
}

export interface LeftOut {
  readonly count: number;
  /** Joined by commas. */
  readonly positions: string;
}

/** The pass over the whole batch: narrow rows only, so it is quick, and spills where it must. */
export async function settle(
  definition: Definition,
  pool: Pool,
  indexed: IndexedPages,
  basis: readonly string[],
  seen: Seen | null = null,
): Promise<Settled> {
  if (indexed.accepted === 0) return { leftOut: new Map(), rows: 0, distinct: 0, conflicts: 0, lateness: null };
  const narrow = indexed.groups.map((group) => group.narrow);
  const said = await pool.run({
    kind: 'statements',
    run: [settleRivals(definition, narrow), settleLosers(), ...(basis.length > 0 ? [settleKnown(definition, narrow, basis)] : [])],
    ask: {
      losers: countLosers(),
      leftOut: countLeftOut(),
      conflicts: countConflicts(definition),
      listed: listLeftOut(),
      ...(seen ? { late: countLate(narrow, seen) } : {}),
    },
    after: dropSettled(),
  });
  const count = (name: keyof typeof said): number => Number(said[name]?.['n'] ?? 0);
  const listed = said['listed']?.['pages'] as readonly (LeftOut & { readonly page: number })[];
  const rows = indexed.accepted - count('leftOut');
  return {
    leftOut: new Map(listed.map((page) => [page.page, page])),
    rows,
    distinct: indexed.accepted - count('losers'),
    conflicts: count('conflicts'),
    lateness: seen && { fresh: rows, late: said['late']?.['counts'] as readonly number[] },
  };
}

/** Writes down every accepted observation, a file for each thread. Needs nothing of what `settle` finds, so both go on together. */
export async function writeSightings(
  folder: string,
  definition: Definition,
  pool: Pool,
  { accepted, groups, names }: IndexedPages,
): Promise<readonly LocalFile[]> {
  if (accepted === 0) return [];
  const shares = shareOut(groups, pool.threads, accepted);
  return mapConcurrent(shares, pool.threads, async (share, index) => {
    const path = join(folder, `sightings-${index}.parquet`);
    const narrow = share.map((group) => group.narrow);
    const { written } = await pool.run({
      kind: 'statements',
      run: [saveSightings(definition, narrow, names, path)],
      ask: { written: countRows(path) },
      after: [],
    });
    return localFile(path, Number(written?.['n']));
  });
}
