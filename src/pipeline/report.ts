import type { Micros } from '../clock.ts';
import { isTidemarkError, messageOf } from '../errors.ts';
import { listDeadLetters } from '../fetch/dead-letter.ts';
import { listHeld } from '../gate/held.ts';
import type { FetchTotals } from '../manifest/documents.ts';
import { readHead } from '../manifest/state.ts';
import { noTotals } from '../manifest/totals.ts';
import type { Stream } from '../stream.ts';
import type { Context } from './context.ts';

export type Stage = 'fetch' | 'normalize' | 'load';
export const ALL_STAGES: readonly Stage[] = ['fetch', 'normalize', 'load'];

export interface RunOptions {
  /** Ends when everything that is due has been done; otherwise goes on until the signal or the deadline. */
  readonly once: boolean;
  /** Makes the sweep over the lateness bound due now. */
  readonly sweep: boolean;
  /** Ends at this time of the clock. */
  readonly until: Micros | null;
  readonly stages: readonly Stage[];
}

/** What a run did for one stream. */
export interface StreamReport {
  readonly stream: string;
  windows: number;
  batches: number;
  rows: number;
  /** Hours that were certified. */
  certified: number;
  readonly totals: { -readonly [Name in keyof FetchTotals]: FetchTotals[Name] };
  held: number;
  openDeadLetters: number;
  /** The fetched watermark, and the warehouse's. */
  watermark: Micros | null;
  loadedWatermark: Micros | null;
  /** What failed, the first first. Work on other windows went on. */
  readonly failures: { readonly error: unknown; readonly at: string }[];
}

export const newReport = (stream: string): StreamReport => ({
  stream,
  windows: 0,
  batches: 0,
  rows: 0,
  certified: 0,
  totals: noTotals(),
  held: 0,
  openDeadLetters: 0,
  watermark: null,
  loadedWatermark: null,
  failures: [],
});

/** Adds what a window's totals have grown by since they were last told: two windows may be fetched at once. */
export function counting({ totals }: StreamReport): (window: FetchTotals) => void {
  let before: FetchTotals | null = null;
  return (window) => {
    for (const name of Object.keys(window) as (keyof FetchTotals)[]) totals[name] += window[name] - (before?.[name] ?? 0);
    before = { ...window };
  };
}

/** Notes a failure and goes on, unless nothing more may be done: the stream was taken over, or the run is to end. */
export async function guarded(context: Context, report: StreamReport, at: string, step: () => Promise<void>): Promise<boolean> {
  try {
    await step();
    return true;
  } catch (error) {
    const isWholeRun = at === 'run';
    if (!isWholeRun && (isTidemarkError(error, 'FENCED') || context.signal?.aborted)) throw error;
    if (context.signal?.aborted) return false;
    const code = isTidemarkError(error) ? error.code : 'INTERNAL';
    context.log.error({ stream: report.stream, at, code, error: messageOf(error) }, 'failed');
    report.failures.push({ error, at });
    return false;
  }
}

/** What stands at the end of a run. */
export async function conclude(context: Context, stream: Stream, report: StreamReport): Promise<void> {
  try {
    report.watermark = (await readHead(context.store, stream.name))?.head.watermark ?? null;
    report.held = (await listHeld(context.store, stream.name)).filter((entry) => entry.state === 'open').length;
    report.openDeadLetters = (await listDeadLetters(context.store, stream.name, 'open')).length;
    report.loadedWatermark = await context.warehouse.watermark(stream.name);
  } catch (error) {
    report.failures.push({ error, at: 'report' });
  }
}
