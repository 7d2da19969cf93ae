import { execFileSync } from 'node:child_process';
import type { Outcome } from './simulate.ts';

/** What a violation was, in which world, and after which steps: enough to see it again. */
export function told(outcome: Outcome): string {
  const { configuration, ...world } = outcome.scenario;
  return [
    `seed ${outcome.seed} at commit ${commit()}: ${outcome.violation ?? 'nothing was violated'}`,
    `again: make simulate SEED=${outcome.seed}`,
    '',
    configuration,
    `world: ${JSON.stringify(world)}`,
    `faults: ${JSON.stringify({ ...outcome.faults, ...outcome.partnerFaults })}`,
    '',
    ...outcome.trace,
    '',
    `seed ${outcome.seed}: ${outcome.violation ?? 'nothing was violated'}`,
  ].join('\n');
}

function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8', cwd: import.meta.dirname }).trim();
  } catch {
    return 'unknown';
  }
}
