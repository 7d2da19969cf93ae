import type { Micros } from '../../../src/clock.ts';
import { isTidemarkError } from '../../../src/errors.ts';
import { runBackfill } from '../../../src/pipeline/backfill.ts';
import { ALL_STAGES } from '../../../src/pipeline/report.ts';
import { runStreams } from '../../../src/pipeline/run.ts';
import type { Stream } from '../../../src/stream.ts';
import { DAY, HOUR, MINUTE } from '../../../src/time.ts';
import { Violation } from '../scheduler.ts';
import type { Assumptions } from './assumptions.ts';
import { compare, type Exactness } from './exact.ts';
import type { Sighting } from './freshness.ts';
import { type DayWorld, type Opened, openDay, STREAM, type Times, timesOf } from './world.ts';

/** What one simulated day came to. */
export interface DayOutcome {
  readonly assumed: Assumptions;
  readonly times: Times;
  readonly sightings: readonly Sighting[];
  readonly overtaken: number;
  readonly requests: readonly Micros[];
  /** Requests that the partner refused for coming too fast. */
  readonly overLimit: number;
  readonly partnerFaults: Readonly<Partial<Record<string, number>>>;
  readonly exactness: Exactness;
  readonly steps: number;
  readonly hash: string;
  readonly journal: readonly string[];
  /** Requests and rows of the backfill's own. */
  readonly backfill: { readonly ends: number; readonly rows: number } | null;
}

/** Runs the day from before its beginning until everything that it had has come in. @param tell told each hour of it. @throws a Violation. */
export async function simulateDay(assumed: Assumptions, tell: (line: string) => void = () => undefined): Promise<DayOutcome> {
  const times = timesOf(assumed);
  const world = await openDay(assumed, firstPollAt(assumed, times));
  try {
    await before(world);
    tellHourly(world, tell);
    const backfill = await live(world);
    const exactness = await after(world);
    const { watch, partner, scheduler } = world;
    const { stats } = partner.service;
    return {
      assumed,
      times,
      sightings: watch.sightings,
      overtaken: watch.overtaken,
      requests: world.requests,
      overLimit: stats.overLimit,
      partnerFaults: stats.faults,
      exactness,
      steps: scheduler.trace.steps,
      hash: scheduler.trace.digest(),
      journal: world.journal,
      backfill,
    };
  } finally {
    await world.close();
  }
}

function tellHourly({ scheduler, times, requests }: DayWorld, tell: (line: string) => void): void {
  for (let at = times.day; at <= times.dayEnd; at += HOUR)
    scheduler.at(at, () =>
      tell(`${new Date(at / 1000).toISOString().slice(0, 16)}: ${requests.length} requests, ${scheduler.trace.steps} steps`),
    );
}

/** The first poll counts as a daily sweep: the next one comes a day later. */
const firstPollAt = ({ sweepAt, history }: Assumptions, { day }: Times): Micros => Math.max(day - history + MINUTE, day + sweepAt - DAY);

/** Lateness is measured in time before the day: polls at their interval. */
const WARM_UP: Micros = 3 * HOUR;

async function before(world: DayWorld): Promise<void> {
  const { scheduler, times, assumed } = world;
  const { process, context } = world.openImmediate('before', scheduler.now() - times.history);
  const [stream] = context.configuration.streams as [Stream];
  const until = async (instant: Micros): Promise<void> => process.clock.sleep(Math.max(0, instant - scheduler.now()) / 1000);
  const work = async (): Promise<void> => {
    await poll(context, false);
    for (let at = times.day - Math.min(WARM_UP, assumed.history / 2); at < times.day; at += stream.poll.every) {
      await until(at);
      await poll(context, false);
    }
    await context.close();
  };
  await drive(world, work());
}

async function poll(context: Opened['context'], sweep: boolean): Promise<void> {
  const reports = await runStreams(context, context.configuration.streams, { once: true, sweep, until: null, stages: ALL_STAGES });
  for (const { failures } of reports) for (const { error } of failures) throw error;
}

/** The day itself: one worker, and, where asked for, a backfill beside it. */
async function live(world: DayWorld): Promise<DayOutcome['backfill']> {
  const { scheduler, times, assumed } = world;
  const worker = world.openTimed('live');
  const all: Promise<unknown>[] = [working(worker)];
  const others: Opened[] = [worker];
  const pulled = { ends: 0, rows: 0 };
  if (assumed.backfillDays > 0) {
    const beside = world.openTimed('backfill');
    others.push(beside);
    all.push(pulling(world, beside, pulled));
  }
  scheduler.at(times.end, () => {
    for (const { process } of others) process.stopping.abort(new Error('the day is over'));
  });
  await drive(world, Promise.all(all));
  return assumed.backfillDays > 0 ? { ...pulled, rows: await rowsOfBackfill(world) } : null;
}

async function working({ context }: Opened): Promise<void> {
  await runStreams(context, context.configuration.streams, { once: false, sweep: false, until: null, stages: ALL_STAGES });
  await context.close();
}

/** A pull that ended because the source was away is begun again, as a scheduler's retry would. */
const PULL_AGAIN: Micros = 5 * MINUTE;

async function pulling({ times, assumed }: DayWorld, { process, context }: Opened, pulled: { ends: number }): Promise<void> {
  const [stream] = context.configuration.streams as [Stream];
  const range = { start: times.world, end: times.history };
  const isOver = (): boolean => process.stopping.signal.aborted;
  while (!isOver()) {
    try {
      await runBackfill(context, stream, range, assumed.backfillParallel, () => undefined);
      break;
    } catch (error) {
      if (!isOver() && !(isTidemarkError(error) && error.transient)) throw error;
      pulled.ends += 1;
      await process.clock.sleep(PULL_AGAIN / 1000, process.stopping.signal).catch(() => undefined);
    }
  }
  await context.close();
}

async function rowsOfBackfill({ engine }: DayWorld): Promise<number> {
  const [row] = await engine.rows("SELECT coalesce(sum(inserted), 0)::BIGINT AS n FROM tidemark.ledger WHERE window_kind = 'backfill'");
  return Number(row?.['n']);
}

/** Once everything has shown that was to come: the table is held against the truth. */
async function after(world: DayWorld): Promise<Exactness> {
  const { scheduler, times, source, engine } = world;
  const { process, context } = world.openImmediate('after', DAY);
  const [stream] = context.configuration.streams as [Stream];
  const work = async (): Promise<void> => {
    await process.clock.sleep((times.end + stream.poll.lateness + HOUR - scheduler.now()) / 1000);
    await poll(context, true);
    if (world.assumed.backfillDays > 0) await runBackfill(context, stream, { start: times.world, end: times.history }, 1, () => undefined);
    await context.close();
  };
  await drive(world, work());
  return compare(engine, source, scheduler.now());
}

/** Lets the world go on until the work is done. */
async function drive({ scheduler }: DayWorld, work: Promise<unknown>): Promise<void> {
  let done = false;
  work.then(
    () => (done = true),
    (error: unknown) => (scheduler.failure ??= error),
  );
  await scheduler.run(() => done);
  if (!done)
    throw new Violation(`nothing happens any more at ${new Date(scheduler.now() / 1000).toISOString()}, and ${STREAM} is not done`);
}
