import type { Engine } from '../engine.ts';
import { indexPages } from './index-task.ts';
import { joinRows } from './join-task.ts';
import { refuse } from './refuse-task.ts';
import { writeRows } from './rows-task.ts';
import type { StatementResult, StatementTask, Task, TaskResult } from './tasks.ts';

/** Does one task. Only statements need the engine: it is not opened before one comes. */
export async function perform(task: Task, engine: () => Promise<Engine>): Promise<TaskResult> {
  switch (task.kind) {
    case 'index':
      return indexPages(task);
    case 'refuse':
      return refuse(task);
    case 'rows':
      return writeRows(task);
    case 'join':
      return joinRows(task);
    case 'statements':
      return runStatements(task, await engine());
  }
}

async function runStatements(task: StatementTask, on: Engine): Promise<StatementResult> {
  for (const statement of task.run) await on.run(statement);
  const answers: Record<string, StatementResult[string]> = {};
  for (const [name, question] of Object.entries(task.ask)) answers[name] = (await on.rows(question))[0] ?? {};
  for (const statement of task.after) await on.run(statement);
  return answers;
}
