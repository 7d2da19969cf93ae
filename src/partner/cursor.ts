import type { Micros } from '../clock.ts';
import { hex8, mixText } from './hash.ts';
import type { Position } from './listing.ts';
import type { StreamName, WorldOptions } from './options.ts';

/** What a cursor carries: the server remembers nothing of a chain. */
export interface Cursor {
  readonly since: Micros;
  /** Where the next page begins, and where the page before it began. */
  readonly next: Position;
  readonly previous: Position;
  /** When it was made, by the partner's clock. */
  readonly issued: Micros;
  /** Counts the repetitions of one position: a fresh cursor for the same page. */
  readonly nonce: number;
}

/** Cursors of another world or stream are told by this. */
export function fingerprintOf(world: WorldOptions, stream: StreamName): string {
  const { seed, start, end, payments, settlements, outOfOrder, late } = world;
  const shares = [world.sandboxShare, world.twinShare, world.conflictShare, world.badShare, world.growEvery];
  return hex8(mixText(seed, JSON.stringify([stream, seed, start, end, payments, settlements, outOfOrder, late, shares])));
}

export function writeCursor(fingerprint: string, cursor: Cursor): string {
  const { since, next, previous, issued, nonce } = cursor;
  const fields = [fingerprint, since, next.bucket, next.rank, previous.bucket, previous.rank, issued, nonce];
  return Buffer.from(fields.join('.')).toString('base64url');
}

/** @returns 'malformed' where no cursor of ours looks like that, 'foreign' where it belongs to another world. */
export function readCursor(fingerprint: string, text: string): Cursor | 'malformed' | 'foreign' {
  const [world = '', ...fields] = Buffer.from(text, 'base64url').toString('latin1').split('.');
  const numbers = fields.map(Number);
  if (!/^[0-9a-f]{8}$/.test(world) || numbers.length !== 7 || !numbers.every(Number.isSafeInteger)) return 'malformed';
  if (world !== fingerprint) return 'foreign';
  const [since = 0, bucket = 0, rank = 0, previousBucket = 0, previousRank = 0, issued = 0, nonce = 0] = numbers;
  return { since, next: { bucket, rank }, previous: { bucket: previousBucket, rank: previousRank }, issued, nonce };
}
