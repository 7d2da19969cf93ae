import type { Micros } from '../clock.ts';
import type { Gap, Head, PendingWindow, Window } from '../manifest/documents.ts';
import { provesNothing } from '../manifest/window-kind.ts';

type Covered = Pick<Head, 'since' | 'watermark' | 'pending'>;

/**
 * The time up to which the warehouse is complete once `settled` is in it: the fetched watermark, held back by every poll window that is
 * still on its way (or held) and by every open gap. Sweeps look for what came late; they hold nothing back.
 */
export function safeWatermark(head: Covered, settled: PendingWindow | null, gaps: readonly Pick<Gap, 'from'>[]): Micros | null {
  if (head.watermark === null) return null;
  const waiting = head.pending.filter((pending) => pending.window.kind === 'poll' && pending.manifest !== settled?.manifest);
  const limits = [...waiting.map((pending) => pending.window.start), ...gaps.map((gap) => gap.from)];
  return limits.reduce((least, limit) => Math.min(least, limit), head.watermark);
}

/**
 * Whether a stretch joins what the warehouse already holds. It does not where the warehouse was lost, or is an older copy: then a new
 * window says nothing of the time before it, and the watermark waits for a replay.
 * @param loaded the warehouse's own watermark.
 */
export function joinsLoaded(
  { since }: Covered,
  loaded: Micros | null,
  stretch: Pick<Window, 'start'> & { kind?: Window['kind'] },
): boolean {
  // What a partner pushes proves nothing of what it did not push, nor does what was looked up.
  if (provesNothing(stretch.kind)) return false;
  const reached = loaded ?? since;
  return reached !== null && stretch.start <= reached;
}
