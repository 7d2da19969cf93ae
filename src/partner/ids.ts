import { hex4, hex8, mix } from './hash.ts';
import type { EventPlace } from './record-source.ts';
import type { Timeline } from './timeline.ts';

/** `<prefix><bucket><index><check>` in hexadecimal: sorts like the place, and tells the place without a table. */
export function idAt(prefix: string, seed: number, bucket: number, index: number): string {
  return `${prefix}${hex8(bucket)}${hex4(index)}${hex8(mix(mix(seed, bucket), index ^ 0x5bd1))}`;
}

export function placeOf(prefix: string, seed: number, timeline: Timeline, id: string): EventPlace | null {
  const digits = /^[0-9a-f]{20}$/.exec(id.slice(prefix.length))?.[0];
  if (digits === undefined) return null;
  const bucket = Number.parseInt(digits.slice(0, 8), 16);
  const index = Number.parseInt(digits.slice(8, 12), 16);
  if (idAt(prefix, seed, bucket, index) !== id || index >= timeline.eventsIn(bucket)) return null;
  return { bucket, index };
}
