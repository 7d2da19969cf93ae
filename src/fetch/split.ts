import type { Micros } from '../clock.ts';
import type { Head, Window } from '../manifest/documents.ts';
import { outOfOrderReach } from '../reach.ts';
import type { Stream } from '../stream.ts';
import { isLiveLength } from './lane.ts';

type Asked = Pick<Stream, 'poll' | 'source'>;

/**
 * Whether a window may end by the order of what it is given, so that several can be asked at once: a live poll. Not where polls stand in for
 * the hourly sweep, since that is what brings whatever was listed out of order; nor where a chain lists the newest first.
 */
export const maySplit = ({ kind, start, end }: Window, { poll, source }: Asked): boolean =>
  kind === 'poll' && isLiveLength(end - start, poll) && poll.overlap.least < outOfOrderReach(poll) && source.pagination.kind !== 'last-id';

/** How many chains bring a live poll of that length in time, by what the last poll was given. One until that is known. */
export function chainsFor(length: Micros, { volume }: Pick<Head, 'volume'>, stream: Asked): number {
  const { chains, pageSize } = stream.source;
  if (!volume || volume.length <= 0 || !maySplit({ kind: 'poll', start: 0, end: length }, stream)) return 1;
  return Math.max(1, Math.min(chains.most, Math.ceil(pagesOf(length, volume, pageSize) / chains.pages)));
}

/**
 * Chains of history at once, by what the last poll was given: one where that is enough. At most half of those that may be; the other half
 * is left to live polls, which share the process's thread, whatever the budget has left.
 */
export function historyChains(length: Micros, { volume }: Pick<Head, 'volume'>, { source }: Pick<Stream, 'source'>): number {
  const { chains, pageSize } = source;
  if (!volume || volume.length <= 0) return 1;
  const wanted = Math.ceil(pagesOf(length, volume, pageSize) / chains.pages);
  return Math.max(1, Math.min(Math.ceil(chains.most / 2), wanted));
}

/** Into how many windows history of that length is cut. The chain of each runs on over the out-of-order bound, so none is shorter than `least`. */
export const historyParts = (length: Micros, least: Micros, head: Pick<Head, 'volume'>, stream: Pick<Stream, 'source'>): number =>
  Math.max(1, Math.min(Math.floor(length / least), historyChains(length, head, stream)));

const pagesOf = (length: Micros, volume: NonNullable<Head['volume']>, pageSize: number): number =>
  (volume.records * length) / volume.length / pageSize;
