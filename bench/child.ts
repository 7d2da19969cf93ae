import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Job } from './setup.ts';

/** What a stage's process used. */
export interface Usage {
  /** From the stage's begin to its end, without the start of the process. */
  readonly seconds: number;
  /** Of all threads, user and system. */
  readonly cpuSeconds: number;
  /** Largest resident size of the whole process. */
  readonly peakBytes: number;
}

export interface Measured<T> extends Usage {
  readonly result: T;
}

/** In the parent: runs one stage in a process of its own. */
export async function runStage<T>(file: string, job: Job, ...options: readonly string[]): Promise<Measured<T>> {
  const path = fileURLToPath(new URL(`./${file}`, import.meta.url));
  const child = fork(path, [JSON.stringify(job), ...options], { execArgv: process.execArgv });
  const ended = Promise.withResolvers<number | null>();
  child.once('exit', ended.resolve);
  child.once('error', ended.reject);
  const said: Measured<T>[] = [];
  child.on('message', (message) => said.push(message as Measured<T>));
  const exit = await ended.promise;
  const [measured] = said;
  if (exit !== 0 || !measured) throw new Error(`${file} ended with ${exit}; what it said stands above`);
  return measured;
}

/** In a stage's process: the job that it was started for. */
export const jobOfThisProcess = (): Job => JSON.parse(process.argv[2] ?? '') as Job;

/** In a stage's process: measures the work and tells the parent. */
export async function measure<T>(work: () => Promise<T>): Promise<void> {
  const before = process.cpuUsage();
  const start = performance.now();
  const result = await work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  const measured: Measured<T> = { result, seconds, cpuSeconds: (user + system) / 1e6, peakBytes: process.resourceUsage().maxRSS * 1024 };
  process.send?.(measured);
  process.disconnect?.();
}
