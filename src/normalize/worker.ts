import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { threadId, workerData } from 'node:worker_threads';
import { type Engine, openEngine } from '../engine.ts';
import { isTidemarkError } from '../errors.ts';
import { scratchFailure } from '../scratch-failure.ts';
import { perform } from './perform.ts';
import type { Done, Task, WorkerSettings } from './tasks.ts';

/** One normalizer thread, with a DuckDB of its own that lives as long as the thread. */
let engine: Promise<Engine> | null = null;

function settings(): WorkerSettings {
  // piscina hands [its own data, ours] to the thread.
  return (Array.isArray(workerData) ? workerData.at(-1) : workerData) as WorkerSettings;
}

/** Errors lose their class and data between threads, so what went wrong travels as a result. */
export default async function work(task: Task): Promise<Done> {
  try {
    return { result: await perform(task, () => (engine ??= openThreadEngine())) };
  } catch (error) {
    const known = scratchFailure(error, settings().tempDirectory);
    if (!isTidemarkError(known)) throw error;
    const { code, message, hint, transient, data } = known;
    return { failure: { code, message, ...(hint === undefined ? {} : { hint }), transient, data } };
  }
}

/** Databases name the files that they spill into alike, so two may not share a folder. */
async function openThreadEngine(): Promise<Engine> {
  const { memoryBytes, tempDirectory } = settings();
  await mkdir(tempDirectory, { recursive: true });
  return openEngine({ path: ':memory:', threads: 1, memoryBytes, tempDirectory: join(tempDirectory, `thread-${process.pid}-${threadId}`) });
}
