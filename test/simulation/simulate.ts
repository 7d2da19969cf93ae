import type { Micros } from '../../src/clock.ts';
import { isProved, prove } from '../../src/demo/proof.ts';
import { verify } from '../../src/inspect/verify.ts';
import { DuckDBWarehouse } from '../../src/load/duckdb.ts';
import type { StreamName } from '../../src/partner/options.ts';
import { truth } from '../../src/partner/truth.ts';
import { runBackfill } from '../../src/pipeline/backfill.ts';
import type { Context } from '../../src/pipeline/context.ts';
import { pagesOfRange, replay } from '../../src/pipeline/replay.ts';
import { ALL_STAGES } from '../../src/pipeline/report.ts';
import { runStreams } from '../../src/pipeline/run.ts';
import type { Stream } from '../../src/stream.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../src/time.ts';
import { catchUp } from './catch-up.ts';
import { Dice } from './dice.ts';
import type { FaultName } from './faults.ts';
import { hurry, listen } from './listen.ts';
import { operate } from './operator.ts';
import type { SimulatedProcess } from './process.ts';
import { withPushed } from './pushed-truth.ts';
import { drawScenario, type Scenario, type WorkerPlan } from './scenario.ts';
import { Violation } from './scheduler.ts';
import { assertExplained, openWorld, type World } from './world.ts';

export interface Outcome {
  readonly seed: number;
  /** What was violated; null where everything held. */
  readonly violation: string | null;
  readonly hash: string;
  readonly steps: number;
  readonly virtualDays: number;
  readonly faults: Partial<Record<FaultName, number>>;
  readonly partnerFaults: Readonly<Record<string, number>>;
  readonly keys: number;
  readonly scenario: Scenario;
  /** The steps, shortened; all of them where asked for. */
  readonly trace: readonly string[];
}

/** Runs the world of one seed from its beginning to its proof. */
export async function simulate(seed: number, options: { readonly whole?: boolean } = {}): Promise<Outcome> {
  const scenario = drawScenario(new Dice(`${seed}/scenario`));
  const world = await openWorld(seed, scenario);
  let violation: string | null = null;
  let keys = 0;
  try {
    await live(world);
    await catchUp(world);
    keys = await check(world);
  } catch (error) {
    violation = error instanceof Error ? (error instanceof Violation ? error.message : `${error.message}\n${error.stack}`) : String(error);
  }
  const trace = options.whole ? [...world.trace.all()] : world.trace.shortened();
  const virtualDays = (world.scheduler.now() - scenario.start) / DAY;
  await world.close();
  return {
    seed,
    violation,
    hash: world.trace.digest(),
    steps: world.trace.steps,
    virtualDays,
    faults: world.faults.counts,
    partnerFaults: world.partner.service.stats.faults,
    keys,
    scenario,
    trace,
  };
}

/** Workers run, die, freeze and come again until the scenario's end. */
async function live(world: World): Promise<void> {
  const { scheduler, scenario } = world;
  const running = new Set<SimulatedProcess>();
  const life: Life = {
    running,
    failed: (error) => {
      scheduler.failure ??= error;
    },
  };
  for (const plan of scenario.workers) scheduler.at(scenario.start + world.dice.between(0, 60) * SECOND, () => begin(world, plan, 1, life));
  for (const [index, at] of scenario.bursts.entries()) scheduler.at(at, () => burst(world, index + 1, life));
  let over = false;
  scheduler.at(scenario.end, () => {
    over = true;
  });
  await scheduler.run(() => over);
  world.faults.stop();
  world.calmPartner();
  for (const process of running) {
    if (process.state === 'frozen') process.state = 'running';
    process.stopping.abort(new Error('SIGTERM'));
  }
  await scheduler.run(() => running.size === 0);
}

/** How long somebody listens for one burst of pushes, and how many processes do. */
const BURST = 4 * MINUTE;
const EARS = 2;

/** The partner pushes what is new, and what nobody took the last time. */
function burst(world: World, number: number, life: Life): void {
  const { scheduler, pusher, source } = world;
  const listening = world.configuration.streams.filter(({ listen }) => listen);
  if (listening.length === 0 || world.faults.over) return;
  const until = scheduler.now() + BURST;
  for (let ear = 1; ear <= EARS; ear++)
    begin(world, { name: `ear${number}${ear}`, runs: 'listen', pause: SECOND, sweep: false, until }, 1, life);
  begin(world, { name: `hasty${number}`, runs: 'hurry', pause: SECOND, sweep: false, until, ahead: HOUR }, 1, life);
  pusher.sendRest();
  for (const stream of listening) pusher.burst(stream, source[stream.name as StreamName], scheduler.now() - stream.poll.lateness / 2);
}

interface Life {
  readonly running: Set<SimulatedProcess>;
  failed(error: unknown): void;
}

/** Starts a worker once more, and sees to it that it is started again whatever becomes of it. */
function begin(world: World, plan: WorkerPlan, count: number, life: Life): void {
  if (world.faults.over || world.scheduler.now() >= (plan.until ?? Number.POSITIVE_INFINITY)) return;
  const { scheduler, scenario, faults } = world;
  const { process, context } = world.open(`${plan.name}.${count}`, plan.ahead ?? Math.round((world.dice.next() * 2 - 1) * scenario.skew));
  life.running.add(process);
  const again = (after: number): void => {
    life.running.delete(process);
    scheduler.at(scheduler.now() + after, () => begin(world, plan, count + 1, life));
  };
  process.afterAsking = () =>
    strike(world, process, () => {
      faults.count('restart');
      again(world.dice.spread(1, 1200) * SECOND);
    });
  scheduler.note(process.name, `begins: ${plan.runs}`, true);
  const lead = async (): Promise<void> => {
    await job(world, plan, count, context, process);
    await context.close();
    scheduler.note(process.name, 'ends', true);
    scheduler.at(scheduler.now(), () => exit(scheduler, process));
    again(plan.pause);
  };
  lead().catch((error: unknown) => life.failed(error));
}

async function job(world: World, plan: WorkerPlan, count: number, context: Context, process: SimulatedProcess): Promise<void> {
  const { streams } = world.configuration;
  const { until } = plan;
  if (plan.runs === 'hurry') return excused('in a hurry', context, () => hurry(context, streams, world.dice, until ?? 0));
  if (until !== undefined)
    return excused('listening', context, () => listen(world.pusher, process, context, streams, until - world.scheduler.now()));
  if (plan.runs === 'operate') return excused('at the desk', context, () => operate(context, streams, world.source, world.dice));
  if (plan.runs === 'replay') {
    for (const stream of streams) await pullAgain(world, context, stream, count % 2 === 0);
    return;
  }
  const reports = await runStreams(context, streams, { once: plan.runs === 'once', sweep: plan.sweep, until: null, stages: ALL_STAGES });
  for (const { stream, failures } of reports)
    for (const { error } of failures) if (!context.signal?.aborted) assertExplained(stream, error);
}

/** Replays what landed so far, or asks the source for it again, next to live work. */
async function pullAgain(world: World, context: Context, stream: Stream, fromSource: boolean): Promise<void> {
  const range = { from: world.scenario.partner.start ?? 0, to: world.scheduler.now() };
  const ends = { start: Math.min(range.from, range.to - HOUR), end: range.to };
  await excused('pulling again', context, async () => {
    if (fromSource) await runBackfill(context, stream, ends, 2, () => undefined);
    else await replay(context, stream, pagesOfRange(context, stream, range), { load: true, shard: null });
  });
}

/** What has no retries of its own may be ended by any fault, and by nothing else. */
async function excused(who: string, context: Context, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!context.signal?.aborted) assertExplained(who, error);
  }
}

/** Of the processes that freeze, how many do so where it hurts most: right behind the fence. */
const AMBUSHES = 0.5;

/** What befalls a process at this very moment, or a little later: between any two of its calls, or in the middle of one. */
function strike(world: World, process: SimulatedProcess, died: () => void): void {
  const { scheduler, faults, dice, file } = world;
  const fate = faults.draw('kills', 'freezes', 'stops');
  if (!fate) return;
  if (fate === 'freezes' && dice.chance(AMBUSHES)) return void file.ambushes.set(process, () => freeze(world, process, outlived(world)));
  scheduler.at(scheduler.now() + dice.between(0, 4) * Math.round(world.scenario.pace.store / 2), async () => {
    if (process.state !== 'running') return;
    if (fate === 'freezes') return freeze(world, process, dice.spread(5, 3600) * SECOND);
    scheduler.note(process.name, fate, true);
    if (fate === 'stops') return process.stopping.abort(new Error('SIGTERM'));
    await exit(scheduler, process);
    died();
  });
}

/** Whatever it held is free, and what it waited for will not come. */
async function exit(scheduler: World['scheduler'], process: SimulatedProcess): Promise<void> {
  scheduler.bury(process);
  for (const end of process.onDeath.splice(0)) await end();
}

/** So long that whoever comes next has taken over meanwhile, and has loaded what it was about to. */
const outlived = ({ configuration, dice }: World): Micros =>
  2 * Math.max(...configuration.streams.map((stream) => stream.poll.every)) + dice.spread(60, 600) * SECOND;

function freeze({ scheduler }: World, process: SimulatedProcess, duration: Micros): void {
  process.state = 'frozen';
  scheduler.note(process.name, 'freezes', true);
  scheduler.at(scheduler.now() + duration, () => {
    if (process.state !== 'frozen') return;
    process.state = 'running';
    scheduler.note(process.name, 'wakes', true);
  });
}

/** The table is the partner's truth, and everything that was kept agrees with it. @returns the keys that were compared. */
async function check(world: World): Promise<number> {
  const { scheduler, scenario, file, configuration, bucket, partner, source, pusher } = world;
  await world.invariants.checkRaw();
  if (partner.service.stats.overLimit > 0) throw new Violation(`R1: ${partner.service.stats.overLimit} requests beyond the limit`);
  // Whose clocks are further apart than the budget allows for may divide the same minute twice.
  if (scenario.skew === 0 && partner.pace.most > partner.pace.limit)
    throw new Violation(`R1: ${partner.pace.most} requests within a minute, of ${partner.pace.limit} that all processes may send`);
  const { engine } = file;
  const clock = { now: () => scheduler.now(), monotonicMs: () => scheduler.now() / 1000, sleep: async () => undefined };
  const unscheduled = { ...facade(engine) };
  const warehouse = new DuckDBWarehouse({
    path: file.path,
    clock,
    threads: 1,
    memoryBytes: 2 ** 28,
    tempDirectory: configuration.workers.scratch,
    open: async () => unscheduled,
  });
  let keys = 0;
  for (const stream of configuration.streams) {
    const name = stream.name as StreamName;
    const proof = await prove(warehouse, stream, {
      truth: () => withPushed(truth(source[name], { now: scheduler.now() }), pusher.unlisted(name)),
    });
    if (proof.keys > 0 && !isProved(proof)) throw new Violation(`the table is not the truth: ${JSON.stringify(proof)}`);
    if (proof.rows !== proof.keys) throw new Violation(`the table has ${proof.rows} rows of ${proof.keys}`);
    keys += proof.keys;
    if (proof.keys > 0) await checkLedger(engine, stream.name);
    const report = await verify({ configuration, store: bucket.store, warehouse, clock }, stream);
    if (report.verdict !== 'ok')
      throw new Violation(`verify says ${report.verdict}: ${JSON.stringify([report.findings, report.coverage.gaps])}`);
  }
  return keys;
}

type Facade = World['file']['engine'];
/** The engine itself, which nobody may close. */
const facade = (engine: Facade): Facade => ({
  run: (sql) => engine.run(sql),
  rows: (sql) => engine.rows(sql),
  stream: (sql) => engine.stream(sql),
  interrupt: () => undefined,
  close: async () => undefined,
});

async function checkLedger(engine: Facade, name: string): Promise<void> {
  const [sums = {}] = await engine.rows(`
    SELECT (SELECT count(*) FROM ${name}) AS in_table, coalesce(sum(inserted), 0)::BIGINT AS inserted,
      coalesce(sum(inserted + updated + unchanged), 0)::BIGINT AS merged, coalesce(sum(row_count), 0)::BIGINT AS row_count,
      count(*) AS entries, count(DISTINCT batch) AS batches,
      (SELECT count(*) FROM tidemark.audit WHERE stream = '${name}' AND action = 'load') AS loads
    FROM tidemark.ledger WHERE stream = '${name}'`);
  const agree = (one: string, other: string): void => {
    if (sums[one] !== sums[other]) throw new Violation(`R12: the ledger of ${name} disagrees: ${JSON.stringify(sums)}`);
  };
  agree('inserted', 'in_table');
  agree('merged', 'row_count');
  agree('entries', 'batches');
  agree('loads', 'entries');
}
