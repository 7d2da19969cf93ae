import type { Micros } from '../clock.ts';
import type { Window } from '../manifest/documents.ts';
import { provesNothing } from '../manifest/window-kind.ts';
import type { Poll } from '../stream.ts';

/** Freshness waits for live windows; history gives way to them. */
export type Lane = 'live' | 'history';

/** Whoever has missed more polls than that has an outage behind him: the newest part comes first. */
export const OUTAGE_POLLS = 4;

/** As long as a poll in time might be. */
export const longestLive = ({ every, overlap }: Pick<Poll, 'every' | 'overlap'>): Micros => (OUTAGE_POLLS + 1) * every + overlap.most;
export const isLiveLength = (length: Micros, poll: Pick<Poll, 'every' | 'overlap'>): boolean => length <= longestLive(poll);

/** @param window a poll's. */
export const laneOf = ({ start, end }: Pick<Window, 'start' | 'end'>, poll: Poll): Lane =>
  isLiveLength(end - start, poll) ? 'live' : 'history';

/** Whether freshness waits for what was committed: also for what was pushed, and for what somebody looks up. */
export const settleLane = (window: Window, poll: Poll): Lane =>
  window.kind === 'poll' ? laneOf(window, poll) : provesNothing(window.kind) ? 'live' : 'history';
