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
  const pages = (volume.records * length) / volume.length / pageSize;
  return Math.max(1, Math.min(chains.most, Math.ceil(pages / chains.pages)));
}
