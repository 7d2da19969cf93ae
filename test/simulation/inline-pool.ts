import type { Engine } from '../../src/engine.ts';
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

const outOfRoom = (): TidemarkError =>
  new TidemarkError({
    code: 'WAREHOUSE',
    message: 'The database: the disk is full (injected)',
    hint: 'Make room and run the same again.',
    transient: true,
  });
