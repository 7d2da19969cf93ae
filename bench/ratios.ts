import type { Round } from './stages.ts';

/** The pace of the normalizer against another's, round by round. */
export interface Ratio {
  readonly of: string;
  readonly against: string;
  readonly paces: readonly number[];
  /** The same by the CPU that they took; null where that was not measured. */
  readonly cpu: readonly number[] | null;
  /** At least. */
  readonly bar: number;
  readonly aim: number;
}

const HELD_TO = [
  { of: 'normalize', against: 'floor', bar: 0.65, aim: 1 },
  { of: 'normalize', against: 'textbook', bar: 1.4, aim: 2.1 },
  { of: 'normalize', against: 'textbookOnPages', bar: 2.2, aim: 3.5 },
  { of: 'foreign', against: 'floor', bar: 0.5, aim: 1 },
  { of: 'foreign', against: 'textbook', bar: 1.1, aim: 2.1 },
  { of: 'foreign', against: 'textbookOnPages', bar: 1.7, aim: 3.5 },
] as const;

const NAMES = {
  normalize: 'own pages',
  foreign: 'foreign pages',
  floor: 'the floor',
  textbook: 'the textbook query',
  textbookOnPages: 'the textbook query on pages',
} as const;

/** A window that was seen may cost this share of a fresh one's CPU. */
const SEEN_SHARE = 0.3;

export const ratiosOf = (rounds: readonly Round[]): Ratio[] =>
  HELD_TO.map(({ of, against, bar, aim }) => ({
    of: NAMES[of],
    against: NAMES[against],
    paces: rounds.map((round) => round[against].seconds / round[of].seconds),
    cpu: rounds.map((round) => round[against].cpuSeconds / round[of].cpuSeconds),
    bar,
    aim,
  }));

export function seenLine(rounds: readonly Round[]): string {
  const seen = rounds.map((round) => round.seen.cpuSeconds / round.normalize.cpuSeconds);
  return `ratio      a window already seen takes ${spread(seen)} of a fresh one's CPU; bar ${SEEN_SHARE}: ${median(seen) <= SEEN_SHARE ? 'ok' : 'MISSED'}`;
}

export function ratioLine({ of, against, paces, cpu, bar }: Ratio): string {
  const byCpu = cpu ? ` (by CPU ${spread(cpu)})` : '';
  return `ratio      ${of} at ${spread(paces)} of ${against}${byCpu}; bar ${bar}: ${median(paces) >= bar ? 'ok' : 'MISSED'}`;
}

/** The median, and in brackets the least and the greatest. */
export function spread(values: readonly number[]): string {
  return `${median(values).toFixed(2)} [${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}]`;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
