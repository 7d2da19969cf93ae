import type { Micros } from '../../../src/clock.ts';
import { MINUTE } from '../../../src/time.ts';
import { toldAssumptions } from './assumptions.ts';
import type { DayOutcome } from './day.ts';
import { isExact } from './exact.ts';
import { type Distribution, type Figures, REQUESTS_A_MINUTE, type Recovery } from './figures.ts';

const NAME = 42;

/** What a day came to, for a terminal and for bench/RESULTS.md. */
export function told(outcome: DayOutcome, figures: Figures): string {
  const { requests } = figures;
  return [
    ...toldAssumptions(outcome.assumed),
    '',
    'freshness: from when the partner could show a version until the COMMIT that had it, or a later one of its event, in the table; later: not before the day was over',
    `  ${''.padEnd(NAME)}${['versions', 'within 15m', 'p50', 'p90', 'p99', 'p99.9', 'max'].map((name) => name.padStart(11)).join('')}`,
    line('the day', figures.all),
    line('without what showed in a brownout', figures.outside),
    line('all that could be in time', figures.possible),
    ...figures.recoveries.flatMap(toldRecovery),
    '',
    `requests: ${count(requests.total)}, ${percent(requests.share)} of what the key may ask; at most ${requests.most} in any 60 s of ${count(REQUESTS_A_MINUTE)}; ${outcome.overLimit} refused for that`,
    ...(outcome.backfill
      ? [`backfill: ${count(outcome.backfill.rows)} rows; begun again ${outcome.backfill.ends} times after the source was away`]
      : []),
    `the table, once everything had shown: ${toldExactness(outcome)}`,
    `${count(outcome.steps)} steps, trace ${outcome.hash}`,
  ].join('\n');
}

function toldExactness({ exactness }: DayOutcome): string {
  const { keys, rows, missing, wrong, repeated } = exactness;
  if (isExact(exactness)) return `exact, ${count(rows)} rows`;
  return `NOT EXACT: ${rows} rows of ${keys} keys, ${missing} missing, ${wrong} wrong, ${repeated} repeated`;
}

function line(name: string, { count: all, within, p50, p90, p99, p999, max }: Distribution): string {
  const cells = [count(all), percent(within), ...[p50, p90, p99, p999, max].map(duration)];
  return `  ${name.padEnd(NAME)}${cells.map((cell) => cell.padStart(11)).join('')}`;
}

function toldRecovery({ from, to, fresh, caughtUp, possible }: Recovery): string[] {
  const name = `brownout ${clock(from)}–${clock(to)}`;
  const back = fresh === null ? 'freshness is not back that day' : `99% in time again of what showed ${duration(fresh)} after it and later`;
  const whole =
    caughtUp === null
      ? 'what showed during it is not in the table that day'
      : `99% of what showed during it in the table ${duration(caughtUp)} after it`;
  return [line(`${name}, its last 15 min`, possible), `    ${back}; ${whole}`];
}

export const clock = (instant: Micros): string => new Date(instant / 1000).toISOString().slice(11, 16);

export function duration(micros: Micros): string {
  if (!Number.isFinite(micros)) return 'later';
  const minutes = micros / MINUTE;
  return minutes < 120 ? `${minutes.toFixed(1)}m` : `${(minutes / 60).toFixed(1)}h`;
}

/** Cut, not rounded: nothing below 99% is to read as 99%. */
export const percent = (share: number): string => `${(Math.floor(share * 10_000) / 100).toFixed(2)}%`;
const count = (value: number): string => value.toLocaleString('en');
