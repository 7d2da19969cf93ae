import type { ArrayPlace } from '../config/environment.ts';
import { usage } from './command.ts';

export interface Shard {
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

/**
 * `2/4`: the second of four. `auto/4`, or `auto` where the array says how many there are: the place that a batch array or an indexed job
 * gave this process, so that all of them run one command. @throws CONFIG
 */
export function shardOption(text: string | undefined, place: ArrayPlace | null): Shard | null {
  if (text === undefined) return null;
  const [, which = '', of] = /^(auto|\d+)(?:\/(\d+))?$/.exec(text) ?? [];
  const count = of === undefined ? (which === 'auto' ? (place?.count ?? null) : null) : Number(of);
  if (which === 'auto' && place === null)
    throw usage(`--shard ${text}`, 'This process is in no array: neither AWS_BATCH_JOB_ARRAY_INDEX nor JOB_COMPLETION_INDEX is set.');
  if (which === 'auto' && count === null) throw usage(`--shard ${text}`, 'Nothing says how many shares there are: write auto/n.');
  const index = which === 'auto' ? (place?.index ?? -1) : Number(which || 0) - 1;
  if (count !== null && index >= 0 && index < count) return { index, count };
  throw usage(`--shard ${text}`, 'Write i/n with i from 1 to n: 1/4, 2/4, 3/4, 4/4. An array must be as large as n.');
}
