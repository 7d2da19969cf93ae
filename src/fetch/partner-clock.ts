import type { Clock, Micros } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Stream } from '../stream.ts';
import { formatDuration, SECOND } from '../time.ts';
import type { Exchange, HttpAnswer } from './client.ts';

/** How far our clock is ahead of the partner's, at least and at most; below 0 where it is behind. */
export interface ClockDifference {
  readonly least: Micros;
  readonly most: Micros;
}

/** The partner's clock as the answer states it, to the second; null where it does not, or where the answer is a cache's. */
export function statedTime({ headers }: Pick<HttpAnswer, 'headers'>): Micros | null {
  const stated = Date.parse(headers['date'] ?? '');
  return Number.isNaN(stated) || headers['age'] !== undefined ? null : stated * 1000;
}

/** The answer was dated between its asking and its coming; whichever way its seconds are rounded. */
export function differenceOf(stated: Micros, sentAt: Micros, receivedAt: Micros): ClockDifference {
  return { least: sentAt - stated - SECOND, most: receivedAt - stated + SECOND };
}

/**
 * Null while our clock may be ahead of the partner's by no more than what is allowed for; otherwise a sentence. A clock that is behind loses
 * time alone: windows end early, and the next ones bring the rest.
 */
export function clockProblem({ least }: ClockDifference, { clocks }: Stream['poll']): string | null {
  if (least <= clocks) return null;
  return `this clock is ${formatDuration(Math.floor(least / SECOND) * SECOND)} ahead of the source's, beyond poll.clocks (${formatDuration(clocks)})`;
}

export const CLOCK_HINT =
  'Set the clock right, or poll.clocks higher; then `tidemark backfill` over the time since it went wrong: sweeps may have passed over late records.';

/** Tells in the log when an answer shows that our clock is too far ahead, once until it is right again. */
export function watchingClock(exchange: Exchange, stream: Stream, { clock, log }: { readonly clock: Clock; readonly log: Log }): Exchange {
  let isTold = false;
  return async (request, limits) => {
    const sentAt = clock.now();
    const answer = await exchange(request, limits);
    const stated = statedTime(answer);
    if (stated === null) return answer;
    const problem = clockProblem(differenceOf(stated, sentAt, clock.now()), stream.poll);
    if (problem !== null && !isTold) log.error({ stream: stream.name, error: problem, hint: CLOCK_HINT }, 'clock too far ahead');
    isTold = problem !== null;
    return answer;
  };
}
