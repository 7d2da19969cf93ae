import type { Micros } from './clock.ts';
import type { Poll } from './stream.ts';

/**
 * How far before a time of our clock something may lie that shows only after it: the partner's own bound, which the partner's clock
 * measures, and how far ours may be ahead of that. A window that ends at our `now` may end that much in the partner's future; what is late
 * by all but the bound then lies by as much further back.
 */
export const outOfOrderReach = ({ outOfOrder, clocks }: Pick<Poll, 'outOfOrder' | 'clocks'>): Micros => outOfOrder + clocks;
export const latenessReach = ({ lateness, clocks }: Pick<Poll, 'lateness' | 'clocks'>): Micros => lateness + clocks;
