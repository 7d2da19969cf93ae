import type { Round } from './stages.ts';

/** Paces that the normalizer is held to, in shares of another stage's pace. */
const RATIOS = [
  { of: 'normalize', against: 'floor', least: 0.65 },
  { of: 'normalize', against: 'textbook', least: 1.4 },
  { of: 'normalize', against: 'textbookOnPages', least: 2.2 },
  { of: 'foreign', against: 'floor', least: 0.5 },
  { of: 'foreign', against: 'textbook', least: 1.1 },
  { of: 'foreign', against: 'textbookOnPages', least: 1.7 },
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

export function ratioLines(rounds: readonly Round[]): string[] {
  const seen = rounds.map((round) => round.seen.cpuSeconds / round.normalize.cpuSeconds);
  return [
    ...RATIOS.map(({ of, against, least }) => {
      const paces = rounds.map((round) => round[against].seconds / round[of].seconds);
      const cpu = rounds.map((round) => round[against].cpuSeconds / round[of].cpuSeconds);
      const found = median(paces);
      return `ratio      ${NAMES[of]} at ${spread(paces)} of ${NAMES[against]} (by CPU ${spread(cpu)}); bar ${least}: ${found >= least ? 'ok' : 'MISSED'}`;
    }),
    `ratio      a window already seen takes ${spread(seen)} of a fresh one's CPU; bar ${SEEN_SHARE}: ${median(seen) <= SEEN_SHARE ? 'ok' : 'MISSED'}`,
  ];
}

/** The median, and in brackets the least and the greatest. */
export function spread(values: readonly number[]): string {
  return `${median(values).toFixed(2)} [${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}]`;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
