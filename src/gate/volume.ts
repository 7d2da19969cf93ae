import type { Micros } from '../clock.ts';
import { assert } from '../errors.ts';
import type { VolumeBand } from '../stream.ts';
import { formatDuration, HOUR } from '../time.ts';

export interface WindowVolume {
  readonly rows: number;
  readonly windowMicros: Micros;
}

export interface VolumeJudgement {
  readonly verdict: 'pass' | 'held';
  /** Rows that a window of this length has on average; 0 where there is no history. */
  readonly average: number;
  /** A sentence for people: what was compared with what. */
  readonly reason: string;
}

/** With fewer windows loaded there is no average worth holding anything back for. */
const HISTORY_LEAST = 3;

/**
 * Compares a window's rows per hour with those of the windows before it. A window without rows is judged like any other: silence is
 * what the band is there to notice.
 * @param history loaded windows of the same kind, oldest first; the last `band.trailing` of them count.
 */
export function judgeVolume(rows: number, windowMicros: Micros, history: readonly WindowVolume[], band: VolumeBand): VolumeJudgement {
  assert(windowMicros > 0, `a window of ${windowMicros} µs has no volume`);
  const trailing = history.slice(-band.trailing);
  const average = averageFor(windowMicros, trailing);
  const subject = `${rows} rows in ${formatDuration(windowMicros)}`;
  if (trailing.length < Math.min(HISTORY_LEAST, band.trailing)) {
    return {
      verdict: 'pass',
      average,
      reason: `${subject} pass unjudged: ${trailing.length} windows are loaded, ${HISTORY_LEAST} make an average`,
    };
  }
  const [low, high] = band.band;
  const verdict = rows >= low * average && rows <= high * average ? 'pass' : 'held';
  const bounds = `${round(low * average)} to ${round(high * average)} pass (${low} to ${high} times the average of ${round(average)})`;
  return { verdict, average, reason: `${subject}, where ${bounds} over the last ${trailing.length} windows` };
}

/** Weighted by time, so that one short window does not count as much as a long one. */
function averageFor(windowMicros: Micros, history: readonly WindowVolume[]): number {
  const rows = history.reduce((sum, window) => sum + window.rows, 0);
  const hours = history.reduce((sum, window) => sum + window.windowMicros / HOUR, 0);
  return hours === 0 ? 0 : (rows / hours) * (windowMicros / HOUR);
}

const round = (rows: number): number => Number(rows.toPrecision(6));
