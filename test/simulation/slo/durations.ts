import type { Clock } from '../../../src/clock.ts';
import type { Engine } from '../../../src/engine.ts';
import type { Exchange } from '../../../src/fetch/client.ts';
import type { Pool } from '../../../src/normalize/pool.ts';
import type { Task } from '../../../src/normalize/tasks.ts';
import type { SimulatedProcess } from '../process.ts';
import type { Assumptions } from './assumptions.ts';

/** What the real number of records would take, told to the virtual clock. */

/** Something that does one thing after the other: a thread, or a pool of them that share each thing. */
export class Lane {
  readonly #clock: Clock;
  #freeMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async take(ms: number): Promise<void> {
    if (ms <= 0) return;
    const now = this.#clock.monotonicMs();
    this.#freeMs = Math.max(now, this.#freeMs) + ms;
    await this.#clock.sleep(this.#freeMs - now);
  }
}

/** The way to the partner and back; then the process's thread is busy with what came. @param sent told of each request that arrives. */
export function timedExchange(exchange: Exchange, process: SimulatedProcess, assumed: Assumptions, sent: () => void): Exchange {
  const [least, most] = assumed.latencyMs;
  const thread = new Lane(process.clock);
  return async (request, limits) => {
    const halfMs = (least + process.dice.next() * (most - least)) / 2;
    await process.clock.sleep(halfMs, limits.signal);
    sent();
    const answer = await exchange(request, limits);
    await process.clock.sleep(halfMs, limits.signal);
    await thread.take(secondsMs(recordsIn(answer.body) * assumed.scale, assumed.fetchRate));
    return answer;
  };
}

/** Each record of this partner names its event once. */
const recordsIn = (body: Buffer): number => body.toString('latin1').split('"event_id":').length - 1;

export function timedPool(pool: Pool, process: SimulatedProcess, assumed: Assumptions): Pool {
  const threads = new Lane(process.clock);
  const run = async (task: Task): Promise<never> => {
    const result = await pool.run(task as never);
    await threads.take(secondsMs(newRecords(task, assumed), assumed.normalizeRate));
    return result as never;
  };
  return { threads: pool.threads, run, close: () => pool.close() };
}

/** Every record is read by its index; those that go on are read, parsed and written besides. */
function newRecords(task: Task, { pageSize, scale, knownCost }: Assumptions): number {
  if (task.kind === 'index') return task.pages.length * pageSize * knownCost;
  if (task.kind !== 'rows') return 0;
  const goingOn = task.pages.reduce((sum, { positions, areKept }) => {
    const listed = countOf(positions) * scale;
    return sum + (areKept ? listed : Math.max(0, pageSize - listed));
  }, 0);
  return goingOn * (1 - knownCost);
}

const countOf = (positions: string): number => (positions === '' ? 0 : positions.split(',').length);

/** A session of the warehouse: the rows that a statement wrote. */
export function timedEngine(engine: Engine, process: SimulatedProcess, { scale, loadRate }: Assumptions): Engine {
  return {
    run: (sql) => engine.run(sql),
    rows: async (sql) => {
      const rows = await engine.rows(sql);
      const written = sql.trimStart().startsWith('INSERT') ? Number(rows[0]?.['Count'] ?? 0) : 0;
      if (written > 0) await process.clock.sleep(secondsMs(written * scale, loadRate));
      return rows;
    },
    stream: (sql) => engine.stream(sql),
    interrupt: () => engine.interrupt(),
    close: () => engine.close(),
  };
}

const secondsMs = (records: number, rate: number): number => (1000 * records) / rate;
