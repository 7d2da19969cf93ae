import type { LatenessCounts } from '../manifest/lateness.ts';
import type { Seen } from './batch.ts';
import type { Definition } from './definition.ts';
import type { IndexedPages } from './index-pages.ts';
import type { Pool } from './pool.ts';
import {
  countConflicts,
  countLate,
  countLeftOut,
  countLosers,
  dropSettled,
  listLeftOut,
  settleKnown,
  settleLosers,
  settleRivals,
  settleSame,
} from './statements.ts';

/** Which observation of each key goes on. */
export interface Settled {
  /** Accepted observations that are not published, by the page's key. */
  readonly leftOut: ReadonlyMap<string, LeftOut>;
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

/** The pass over the whole batch: its sightings only, so it is quick, and spills where it must. */
export async function settle(
  definition: Definition,
  pool: Pool,
  indexed: IndexedPages,
  basis: readonly string[],
  seen: Seen | null = null,
): Promise<Settled> {
  if (indexed.accepted === 0) return { leftOut: new Map(), rows: 0, distinct: 0, conflicts: 0, lateness: null };
  const sighted = indexed.sightings.map((file) => file.path);
  const said = await pool.run({
    kind: 'statements',
    run: [
      settleRivals(definition, sighted),
      settleLosers(),
      ...(basis.length > 0 ? [settleSame(definition, sighted, basis), settleKnown(definition, sighted, basis)] : []),
    ],
    ask: {
      losers: countLosers(),
      leftOut: countLeftOut(),
      conflicts: countConflicts(definition),
      listed: listLeftOut(),
      ...(seen ? { late: countLate(definition, sighted, seen) } : {}),
    },
    after: dropSettled(),
  });
  const count = (name: keyof typeof said): number => Number(said[name]?.['n'] ?? 0);
  const listed = said['listed']?.['pages'] as readonly (LeftOut & { readonly page: string })[];
  const rows = indexed.accepted - count('leftOut');
  return {
    leftOut: new Map(listed.map((page) => [page.page, page])),
    rows,
    distinct: indexed.accepted - count('losers'),
    conflicts: count('conflicts'),
    lateness: seen && { fresh: rows, late: said['late']?.['counts'] as readonly number[] },
  };
}
