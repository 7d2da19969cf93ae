import { Piscina } from 'piscina';
import { TidemarkError } from '../errors.ts';
import type {
  Done,
  IndexResult,
  IndexTask,
  JoinResult,
  JoinTask,
  RefuseResult,
  RefuseTask,
  RowsResult,
  RowsTask,
  StatementResult,
  StatementTask,
  Task,
  WorkerSettings,
} from './tasks.ts';

/** The normalizer's threads. No task is ever aborted: ending a thread in which DuckDB runs would end the process. */
export interface Pool {
  readonly threads: number;
  run(task: IndexTask): Promise<IndexResult>;
  run(task: RefuseTask): Promise<RefuseResult>;
  run(task: RowsTask): Promise<RowsResult>;
  run(task: JoinTask): Promise<JoinResult>;
  run(task: StatementTask): Promise<StatementResult>;
  /** Waits for running tasks, then ends the threads. */
  close(): Promise<void>;
}

export function openPool(threads: number, settings: WorkerSettings): Pool {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const piscina = new Piscina({
    filename: new URL(`./worker.${extension}`, import.meta.url).href,
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: 60_000,
    workerData: settings,
  });
  const run = async (task: Task): Promise<never> => {
    const done = (await piscina.run(task)) as Done;
    if ('failure' in done) throw new TidemarkError(done.failure);
    return done.result as never;
  };
  return { threads, run, close: () => piscina.close() };
}
