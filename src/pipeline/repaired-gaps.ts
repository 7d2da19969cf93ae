import type { Micros } from '../clock.ts';
import { listResolvedSince } from '../fetch/dead-letter.ts';
import type { Gap, Head, PendingWindow, Window } from '../manifest/documents.ts';
import type { Lease } from '../manifest/lease.ts';
import { readHead } from '../manifest/state.ts';
import { backfillHead } from '../store/keys.ts';
import type { Stream } from '../stream.ts';
import { DAY } from '../time.ts';
import type { Context } from './context.ts';

/** A letter is resolved once its gap was asked again; what that brought may take its time on the way into the warehouse. */

interface Repaired {
  readonly gap: Pick<Gap, 'from' | 'to'>;
  /** Null where nobody knows which window it was. */
  readonly by: Window | null;
}

/** Gaps at or behind the warehouse's watermark that somebody has repaired. */
async function repairedFrom({ store }: Pick<Context, 'store'>, stream: Stream, loaded: Micros): Promise<Repaired[]> {
  // A gap may reach a little beyond the window that its letter is named by.
  const letters = await listResolvedSince(store, stream.name, loaded - DAY);
  return letters.flatMap(({ letter: { gap }, resolution }) => (gap && gap.from >= loaded ? [{ gap, by: resolution?.window ?? null }] : []));
}

/**
 * Those of them whose repair is not in the warehouse yet: the watermark waits for it as for the gap. To be asked after the open gaps were
 * read: what was resolved by then was on its way before. Another window over the same time is not waited for: it may be that of a
 * backfill which nobody takes up again. @param settled is in the warehouse.
 */
export async function unloadedRepairs(
  context: Pick<Context, 'store'>,
  stream: Stream,
  lease: Pick<Lease, 'head'>,
  loaded: Micros | null,
  settled: PendingWindow | null,
): Promise<Pick<Gap, 'from' | 'to'>[]> {
  const backfill = (await readHead(context.store, backfillHead(stream.name)))?.head;
  const under = [...lease.head().pending, ...(backfill?.pending ?? [])].filter(({ window, manifest }) => {
    return (window.kind === 'sweep' || window.kind === 'backfill') && manifest !== settled?.manifest;
  });
  if (loaded === null || under.length === 0) return [];
  const repaired = await repairedFrom(context, stream, loaded);
  return repaired.flatMap(({ gap, by }) => (under.some(({ window }) => mayBring(window, gap, by)) ? [gap] : []));
}

function mayBring(window: Window, { from, to }: Repaired['gap'], by: Window | null): boolean {
  if (by) return window.kind === by.kind && window.start === by.start && window.end === by.end;
  return window.start <= from && window.end >= to;
}

/** Whether the warehouse's watermark stands where such a gap was: it waited there, and nothing that was asked since joins that place. */
export const waitsAtRepaired = async (context: Pick<Context, 'store'>, stream: Stream, loaded: Micros | null): Promise<boolean> =>
  loaded !== null && (await repairedFrom(context, stream, loaded)).some(({ gap }) => gap.from === loaded);

/**
 * Whether it may go on from there: the gap was repaired by a backfill, or whoever repaired it died before it could say so. Not where the
 * warehouse lacks the polls that came later, as an older copy does.
 */
export async function mayGoOn(
  context: Context,
  stream: Stream,
  { watermark }: Pick<Head, 'watermark'>,
  loaded: Micros | null,
): Promise<boolean> {
  if (watermark === null || !(await waitsAtRepaired(context, stream, loaded))) return false;
  const ledger = await context.warehouse.ledger(stream.name);
  return ledger.some(({ windowKind, windowEnd }) => windowKind === 'poll' && windowEnd !== null && windowEnd >= watermark);
}
