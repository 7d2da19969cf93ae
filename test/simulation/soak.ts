// oxlint-disable-next-line import/no-unassigned-import -- it changes the modules that come after it
import './local-io.ts';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/clock.ts';
import { type Outcome, simulate } from './simulate.ts';
import { told } from './tell.ts';

/**
 * `node test/simulation/soak.ts [--hours H | --seeds COUNT] [--start SEED] [--minutes M]`: world after world for so long, and then real
 * processes that are killed for so many minutes. Tells what was run; ends with 1 where anything was violated.
 */
const { values } = parseArgs({
  options: {
    hours: { type: 'string' },
    seeds: { type: 'string' },
    start: { type: 'string', default: '1000' },
    minutes: { type: 'string', default: '10' },
  },
});
const HOUR_MS = 3_600_000;
const TELL_EVERY_MS = 60_000;
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

interface Sum {
  seeds: number;
  violations: number[];
  steps: number;
  days: number;
  keys: number;
  readonly faults: Record<string, number>;
}

async function soak(first: number, mostSeeds: number, mostMs: number): Promise<Sum> {
  const sum: Sum = { seeds: 0, violations: [], steps: 0, days: 0, keys: 0, faults: {} };
  const began = systemClock.monotonicMs();
  const elapsedMs = (): number => systemClock.monotonicMs() - began;
  let toldAt = 0;
  while (sum.seeds < mostSeeds && elapsedMs() < mostMs) {
    const outcome = await simulate(first + sum.seeds);
    add(sum, outcome);
    if (outcome.violation !== null) say(told(outcome));
    if (elapsedMs() - toldAt < TELL_EVERY_MS) continue;
    toldAt = elapsedMs();
    say(report(sum, elapsedMs()));
  }
  say(report(sum, elapsedMs()));
  for (const [kind, count] of Object.entries(sum.faults).toSorted(([, a], [, b]) => b - a)) say(`  ${String(count).padStart(9)} ${kind}`);
  return sum;
}

function add(sum: Sum, outcome: Outcome): void {
  sum.seeds += 1;
  sum.steps += outcome.steps;
  sum.days += outcome.virtualDays;
  sum.keys += outcome.keys;
  if (outcome.violation !== null) sum.violations.push(outcome.seed);
  for (const [kind, count] of Object.entries({ ...outcome.faults, ...outcome.partnerFaults }))
    sum.faults[kind] = (sum.faults[kind] ?? 0) + count;
}

function report(sum: Sum, ms: number): string {
  const perHour = Math.round((sum.seeds / ms) * HOUR_MS);
  const broken = sum.violations.length === 0 ? 'none violated' : `VIOLATED: ${sum.violations.join(', ')}`;
  return `${sum.seeds} seeds, ${broken}; ${perHour} seeds an hour, ${sum.days.toFixed(1)} virtual days, ${sum.steps} steps, ${sum.keys} keys compared`;
}

const mostMs =
  values.hours === undefined ? (values.seeds === undefined ? HOUR_MS : Number.POSITIVE_INFINITY) : Number(values.hours) * HOUR_MS;
const sum = await soak(Number(values.start), Number(values.seeds ?? Number.POSITIVE_INFINITY), mostMs);
// In a process of its own: there, files and compression are those of the system.
const real =
  Number(values.minutes) > 0
    ? spawnSync(process.execPath, [join(import.meta.dirname, 'processes.ts'), values.minutes], { stdio: 'inherit' })
    : null;
process.exit(sum.violations.length > 0 || (real !== null && real.status !== 0) ? 1 : 0);
