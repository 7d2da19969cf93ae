// oxlint-disable-next-line import/no-unassigned-import -- it changes the modules that come after it
import '../local-io.ts';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../../src/clock.ts';
import { DAY, HOUR } from '../../../src/time.ts';
import { type Assumptions, PEAK_DAY } from './assumptions.ts';
import { type DayOutcome, simulateDay } from './day.ts';
import { isExact } from './exact.ts';
import { figuresOf } from './figures.ts';
import { plot } from './plot.ts';
import { told } from './text.ts';

/**
 * `node test/simulation/slo/run.ts [--hours H] [--backfill DAYS] [--latency 300-800] …`: simulates the day, tells its figures and draws
 * it. `--keep FILE` keeps what came out, and `--kept FILE` takes it from there instead of simulating.
 */
const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    hours: text,
    backfill: text,
    seed: text,
    latency: text,
    records: text,
    'out-of-order': text,
    late: text,
    svg: text,
    keep: text,
    kept: text,
    journal: text,
  },
});

function assumptions(): Assumptions {
  const number = (given: string | undefined, otherwise: number): number => (given === undefined ? otherwise : Number(given));
  const [least = 0, most = least] = values.latency?.split('-').map(Number) ?? PEAK_DAY.latencyMs;
  return {
    ...PEAK_DAY,
    length: number(values.hours, 24) * HOUR,
    backfillDays: number(values.backfill, 0),
    seed: number(values.seed, PEAK_DAY.seed),
    recordsADay: number(values.records, PEAK_DAY.recordsADay),
    latencyMs: [least, most],
    outOfOrderShare: number(values['out-of-order'], PEAK_DAY.outOfOrderShare),
    lateShare: number(values.late, PEAK_DAY.lateShare),
  };
}

function titleOf({ recordsADay, length, backfillDays }: Assumptions): string {
  const day = `${length < DAY ? `The first ${length / HOUR} hours of a` : 'A'} day of ${Math.round(recordsADay / 1e6)} million events`;
  return backfillDays > 0 ? `${day}, beside a backfill of ${backfillDays} days` : day;
}

/** Of a whole day; less of one is drawn where asked for. */
function drawingOf({ length, backfillDays }: Assumptions): string | null {
  const name = backfillDays > 0 ? 'slo-backfill.svg' : 'slo.svg';
  return length === DAY ? join(import.meta.dirname, '../../../bench', name) : null;
}

interface Kept {
  readonly outcome: DayOutcome;
  readonly tookSeconds: number;
  readonly cpuSeconds: number;
}

async function simulated(): Promise<Kept> {
  const began = systemClock.monotonicMs();
  const outcome = await simulateDay(assumptions(), (line) => process.stderr.write(`${line}\n`));
  const { user, system } = process.cpuUsage();
  return { outcome, tookSeconds: (systemClock.monotonicMs() - began) / 1000, cpuSeconds: (user + system) / 1e6 };
}

const kept = values.kept === undefined ? await simulated() : (JSON.parse(readFileSync(values.kept, 'utf8')) as Kept);
if (values.keep !== undefined) writeFileSync(values.keep, JSON.stringify(kept));
if (values.journal !== undefined) writeFileSync(values.journal, kept.outcome.journal.join('\n'));
const { outcome, tookSeconds, cpuSeconds } = kept;
const figures = figuresOf(outcome);
process.stdout.write(`${told(outcome, figures)}\n${Math.round(tookSeconds)} s, ${Math.round(cpuSeconds)} of them of a processor\n`);
const drawing = values.svg ?? drawingOf(outcome.assumed);
if (drawing !== null) writeFileSync(drawing, plot(outcome, figures, titleOf(outcome.assumed)));
process.exit(isExact(outcome.exactness) && outcome.overLimit === 0 ? 0 : 1);
