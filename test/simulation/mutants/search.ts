import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A world that takes longer does not end. */
const LONGEST_WORLD_MS = 300_000;

export interface Found {
  readonly seed: number;
  /** Worlds that were simulated, this one included. */
  readonly worlds: number;
  /** The violation's first line. */
  readonly violation: string;
}

export interface Range {
  readonly first: number;
  readonly worlds: number;
}

/** The first world whose violation is the one that is looked for. @param other told of any other violation: its world is passed over. */
export async function search(tree: string, range: Range, seen: RegExp, other: (found: Found) => void): Promise<Found | null> {
  for (let done = 0; done < range.worlds; ) {
    const found = await findViolation(tree, { first: range.first + done, worlds: range.worlds - done });
    if (!found) return null;
    done += found.worlds;
    if (seen.test(found.violation)) return { ...found, worlds: done };
    other(found);
  }
  return null;
}

/**
 * Runs one world after the other in a tree, in a process of its own. @returns the first violation; null where all of them hold.
 * @throws where the tree does not run at all: that proves nothing of the simulation.
 */
export async function findViolation(tree: string, { first, worlds }: Range): Promise<Found | null> {
  const run = ['test/simulation/run.ts', '--seed', String(first), '--seeds', String(worlds)];
  const child = spawn(process.execPath, run, { cwd: tree, stdio: ['ignore', 'pipe', 'pipe'] });
  const errors: string[] = [];
  child.stderr.on('data', (text: Buffer) => errors.push(text.toString()));
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  let clock = setTimeout(() => child.kill('SIGKILL'), LONGEST_WORLD_MS);
  let done = 0;
  let violation: string | null = null;
  for await (const line of createInterface(child.stdout)) {
    if (WORLD.test(line)) done += 1;
    violation ??= TOLD.exec(line)?.[1] ?? null;
    clock = clock.refresh();
  }
  const code = await closed;
  clearTimeout(clock);
  if (violation !== null) return { seed: first + done - 1, worlds: done, violation };
  if (done === worlds && code === 0) return null;
  throw new Error(`the world of seed ${first + done} does not end as worlds do: ${errors.join('').trim().slice(-2000) || `exit ${code}`}`);
}

/** As run.ts and tell.ts write them. */
const WORLD = /^seed \d+ (holds|VIOLATED): /;
const TOLD = /^seed \d+ at commit \S+: (.*)$/;
