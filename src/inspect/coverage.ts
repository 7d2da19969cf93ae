import type { Micros } from '../clock.ts';
import type { TimeRange } from '../manifest/landed.ts';

export interface Stretch {
  readonly from: Micros;
  readonly to: Micros;
}

export interface CoverageGap extends Stretch {
  /** The open dead letter that names it; null where no committed window covers the stretch. */
  readonly deadLetter: string | null;
}

/**
 * What is not covered between the first poll's start and the watermark: stretches that no committed window holds, and the gaps of open
 * dead letters.
 */
export function coverageGaps(
  whole: Stretch,
  windows: readonly Stretch[],
  open: readonly CoverageGap[],
  range: TimeRange | null,
): { readonly within: Stretch; readonly gaps: readonly CoverageGap[] } {
  const within = range ? intersection(whole, range) : whole;
  const gaps = [...uncovered(within, windows), ...open.flatMap((gap) => clipped(gap, within))];
  return { within, gaps: gaps.sort((a, b) => a.from - b.from || a.to - b.to) };
}

function uncovered(within: Stretch, windows: readonly Stretch[]): CoverageGap[] {
  const gaps: CoverageGap[] = [];
  let reached = within.from;
  for (const { from, to } of [...windows].sort((a, b) => a.from - b.from)) {
    if (from > reached && reached < within.to) gaps.push({ from: reached, to: Math.min(from, within.to), deadLetter: null });
    reached = Math.max(reached, to);
  }
  if (reached < within.to) gaps.push({ from: reached, to: within.to, deadLetter: null });
  return gaps;
}

/** A dead letter's gap may be a single instant: it counts where it touches. */
function clipped(gap: CoverageGap, within: Stretch): CoverageGap[] {
  return gap.from <= within.to && gap.to >= within.from ? [{ ...gap, ...intersection(gap, within) }] : [];
}

const intersection = (a: Stretch, b: Stretch): Stretch => {
  const from = Math.max(a.from, b.from);
  return { from, to: Math.max(from, Math.min(a.to, b.to)) };
};
