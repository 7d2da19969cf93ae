import type { LatenessCounts } from '../manifest/lateness.ts';
import type { Seen } from './batch.ts';
import type { Definition } from './definition.ts';
import type { IndexedPages } from './index-pages.ts';
import type { Pool } from './pool.ts';
import {
  countConflicts,
  countKept,
  countLate,
  countLosers,
  dropSettled,
  listPositions,
  settleKept,
  settleLosers,
  settleRivals,
} from './statements.ts';

/** Which observation of each key goes on. */
export interface Settled {
  /** Which of a page's accepted observations, by the page's key; a page of which nothing is said is not in it. */
  readonly pages: ReadonlyMap<string, Positions>;
  /** Whether that is what goes on; else it is what does not. */
  readonly areKept: boolean;
  readonly rows: number;
  readonly distinct: number;
  readonly conflicts: number;
  /** Null where it is not to be told. */
  readonly lateness: LatenessCounts | null;
}

export interface Positions {
  readonly count: number;
  /** Joined by commas. */
  readonly positions: string;
}

const NOTHING: Settled = { pages: new Map(), areKept: false, rows: 0, distinct: 0, conflicts: 0, lateness: null };

/** The pass over the whole batch: its sightings only, so it is quick, and spills where it must. */
export async function settle(
  definition: Definition,
  pool: Pool,
  indexed: IndexedPages,
  basis: readonly string[],
  seen: Seen | null = null,
): Promise<Settled> {
  if (indexed.accepted === 0) return NOTHING;
  const sighted = indexed.sightings.map((file) => file.path);
  const areKept = basis.length > 0;
  const said = await pool.run({
    kind: 'statements',
    run: [settleRivals(definition, sighted), settleLosers(), ...(areKept ? [settleKept(definition, sighted, basis)] : [])],
    ask: {
      losers: countLosers(),
      conflicts: countConflicts(definition),
      listed: listPositions(areKept ? 'kept' : 'left_out'),
      ...(areKept ? { kept: countKept() } : {}),
      ...(areKept && seen ? { late: countLate(definition, sighted, seen) } : {}),
    },
    after: dropSettled(),
  });
  const count = (name: keyof typeof said): number => Number(said[name]?.['n'] ?? 0);
  const listed = said['listed']?.['pages'] as readonly (Positions & { readonly page: string })[];
  const distinct = indexed.accepted - count('losers');
  const rows = areKept ? count('kept') : distinct;
  return {
    pages: new Map(listed.map((page) => [page.page, page])),
    areKept,
    rows,
    distinct,
    conflicts: count('conflicts'),
    lateness: areKept && seen ? { fresh: rows, late: said['late']?.['counts'] as readonly number[] } : null,
  };
}
