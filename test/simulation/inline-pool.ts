import { type Engine, openEngine } from '../../src/engine.ts';
import { TidemarkError } from '../../src/errors.ts';
import { perform } from '../../src/normalize/perform.ts';
import type { Pool } from '../../src/normalize/pool.ts';
import type { Task } from '../../src/normalize/tasks.ts';
import type { Faults } from './faults.ts';
import type { SimulatedProcess } from './process.ts';

/** The normalizer's tasks, one at a time and in this thread, by the very function that its threads run. */
export function inlinePool(process: SimulatedProcess, faults: Faults, engine: Engine, threads: number): Pool {
  const run = (task: Task): Promise<never> =>
    process.perform('task', `task ${task.kind}`, async () => {
      if (faults.draw('task')) throw outOfRoom();
      return (await perform(task, async () => engine)) as never;
    });
  return { threads, run, close: async () => undefined };
}

/** A DuckDB of the process's own, which ends with it; each statement is a task. */
export function ownEngine(process: SimulatedProcess, faults: Faults): typeof openEngine {
  return async (options) => {
    const engine = await process.perform('task', 'open an engine', () => openEngine({ ...options, threads: 1 }));
    process.onDeath.push(() => engine.close());
    const gated = <T>(sql: string, work: () => Promise<T>): Promise<T> =>
      process.perform('task', sql.replaceAll(/\s+/g, ' ').slice(0, 30), async () => {
        if (faults.draw('task')) throw outOfRoom();
        return work();
      });
    return {
      run: (sql) => gated(sql, () => engine.run(sql)),
      rows: (sql) => gated(sql, () => engine.rows(sql)),
      stream: async function* (sql) {
        yield await gated(sql, () => engine.rows(sql));
      },
      interrupt: () => engine.interrupt(),
      close: () => process.perform('task', 'close an engine', () => engine.close()),
    };
  };
}

const outOfRoom = (): TidemarkError =>
  new TidemarkError({
    code: 'WAREHOUSE',
    message: 'The database: the disk is full (injected)',
    hint: 'Make room and run the same again.',
    transient: true,
  });
