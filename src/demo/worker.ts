import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { TidemarkError } from '../errors.ts';

/** One line of a worker's log. */
export interface WorkerEvent {
  readonly msg: string;
  readonly stream?: string;
  readonly [name: string]: unknown;
}

export interface WorkerRun {
  readonly configuration: string;
  readonly arguments: readonly string[];
  /** Told each line of the worker's log; returning 'kill' ends the worker by SIGKILL at that moment. */
  readonly watch: (event: WorkerEvent) => 'kill' | undefined;
}

export type WorkerEnd = { readonly killed: true } | { readonly killed: false; readonly exitCode: number; readonly answer: string };

/** Runs `tidemark run …` in a process of its own, the way a container would. */
export async function runWorker({ configuration, arguments: given, watch }: WorkerRun): Promise<WorkerEnd> {
  const entry = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../cli.ts' : '../cli.js', import.meta.url));
  // With the options that bin/tidemark starts Node with.
  const options = [...process.execArgv, entry, 'run', '--config', configuration, '--json', '--log-level', 'info', ...given];
  const child = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'pipe'] });
  const answer = collect(child);
  let killed = false;
  let trouble = '';
  createInterface({ input: child.stderr }).on('line', (line) => {
    const event = parseEvent(line);
    if (!event) trouble += `${line}\n`;
    else if (watch(event) === 'kill') killed = child.kill('SIGKILL') || killed;
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, by) => resolve([exitCode, by]));
  });
  if (killed && signal === 'SIGKILL') return { killed: true };
  if (code === null) throw new TidemarkError({ code: 'INTERNAL', message: `the worker ended by ${String(signal)}`, hint: trouble });
  return { killed: false, exitCode: code, answer: (await answer) || trouble };
}

async function collect(child: ChildProcess): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout ?? []) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function parseEvent(line: string): WorkerEvent | null {
  try {
    const event: unknown = JSON.parse(line);
    return typeof event === 'object' && event !== null && 'msg' in event ? (event as WorkerEvent) : null;
  } catch {
    return null;
  }
}
