import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { type Partner, startPartner } from '../../src/partner/server.ts';
import { HOUR } from '../../src/time.ts';
import { instant } from './fixture.ts';

const LIMIT = 600;
const END = instant('2026-11-20T12:00:00Z');
const SCRIPT = fileURLToPath(new URL('processes/spend-budget.ts', import.meta.url));

function spend(folder: string, partner: Partner, priority: 'live' | 'backfill'): ChildProcess {
  const given = [folder, partner.url, 'one', String(LIMIT), priority];
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', SCRIPT, ...given], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Resolves once the process has had so many answers, and goes on listening: nobody may die of a pipe that is closed. */
function answered(child: ChildProcess, count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0;
    child.stdout?.on('data', (chunk: Buffer) => {
      seen += String(chunk).split('\n').length - 1;
      if (seen >= count) resolve();
    });
  });
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

test('R1: three processes, one of them killed, send no more than the limit allows, by the log of the partner itself', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-budget-'));
  const partner = await startPartner({
    seed: 5,
    start: END - HOUR,
    end: END,
    now: END,
    keys: ['one'],
    faults: 'none',
    requestsPerMinute: LIMIT,
  });
  const began = systemClock.monotonicMs();
  const children: ChildProcess[] = [];
  try {
    children.push(spend(folder, partner, 'live'), spend(folder, partner, 'live'), spend(folder, partner, 'backfill'));
    const [victim, live] = children as [ChildProcess, ChildProcess];
    await Promise.all([answered(victim, 1), answered(live, 40)]);
    await kill(victim);
    const heir = spend(folder, partner, 'live');
    children.push(heir);
    await answered(heir, 10);
  } finally {
    await Promise.all(children.map(kill));
    await rm(folder, { recursive: true, force: true });
    await partner.close();
  }
  const seconds = (systemClock.monotonicMs() - began) / 1000;
  const { requestsPerMinute, overLimit, statuses } = partner.stats();
  const minutes = Object.values(requestsPerMinute['one'] ?? {});
  const sent = minutes.reduce((sum, each) => sum + each, 0);
  expect(overLimit).toBe(0);
  expect(statuses['429'] ?? 0).toBe(0);
  expect(Math.max(...minutes)).toBeLessThanOrEqual(LIMIT);
  // Three times as many would have gone out, had each taken the limit for itself.
  expect(sent).toBeLessThanOrEqual((LIMIT / 60) * (seconds + 1));
  expect(sent).toBeGreaterThanOrEqual(50);
});
