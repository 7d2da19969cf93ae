import { listDeadLetters } from '../../src/fetch/dead-letter.ts';
import { retryDeadLetter } from '../../src/fetch/repair.ts';
import { readHead } from '../../src/manifest/state.ts';
import type { Context } from '../../src/pipeline/context.ts';
import { ALL_STAGES, type StreamReport } from '../../src/pipeline/report.ts';
import { runStreams } from '../../src/pipeline/run.ts';
import type { Stream } from '../../src/stream.ts';
import { MINUTE } from '../../src/time.ts';
import { listen } from './listen.ts';
import { releaseHeld } from './operator.ts';
import type { SimulatedProcess } from './process.ts';
import { Violation } from './scheduler.ts';
import { assertExplained, type World } from './world.ts';

const CATCH_UPS = 6;
/** How long somebody listens for what is not taken yet, before he looks whether anything is left. */
const LISTENING = 4 * MINUTE;

/** Nothing goes wrong any more: within a few runs everything that is due has been done. */
export async function catchUp(world: World): Promise<void> {
  const { scheduler, scenario } = world;
  const late = Math.max(scenario.partner.late?.bound ?? 0, scenario.partner.outOfOrder?.bound ?? 0);
  const { process, context } = world.open('last', 0);
  let done = false;
  const run = async (): Promise<void> => {
    if (world.configuration.streams.some((stream) => stream.listen)) await takeRest(world, process, context);
    await process.clock.sleep(Math.max(0, scenario.end + late + scenario.skew + MINUTE - scheduler.now()) / 1000);
    let told = '';
    for (let attempt = 0; attempt < CATCH_UPS; attempt++) {
      const reports = await runStreams(context, reachingBack(world), { once: true, sweep: true, until: null, stages: ALL_STAGES });
      const released = await Promise.all(world.configuration.streams.map((stream) => releaseHeld(context, stream)));
      told = await unfinished(world, [...reports.filter(({ failures }) => failures.length > 0), ...standingOf(reports, released.flat())]);
      if (told === '') return;
      for (const stream of world.configuration.streams) await retryDeadLetters(context, stream);
      await process.clock.sleep((10 * MINUTE) / 1000);
    }
    throw new Violation(`it does not recover within ${CATCH_UPS} runs without faults: ${told}`);
  };
  run().then(
    () => (done = true),
    (error: unknown) => (scheduler.failure ??= error),
  );
  await scheduler.run(() => done);
  if (!done) throw new Violation('nothing happens any more, and the last run has not ended');
}

/** Where faults let nobody poll so far, the first poll is told to look back as far as there is anything. */
function reachingBack({ configuration, scenario, scheduler }: World): readonly Stream[] {
  const start = scheduler.now() - (scenario.partner.start ?? 0) + MINUTE;
  return configuration.streams.map((stream) => ({ ...stream, poll: { ...stream.poll, start } }));
}

/** Nothing goes wrong any more: somebody listens until the partner is rid of everything. */
async function takeRest({ pusher, configuration }: World, process: SimulatedProcess, context: Context): Promise<void> {
  for (let attempt = 0; attempt < CATCH_UPS; attempt++) {
    const listening = listen(pusher, process, context, configuration.streams, LISTENING);
    pusher.sendRest();
    await listening;
    if (pusher.isDone) return;
  }
  throw new Violation('pushes are not taken, though nothing goes wrong');
}

/** What an operator does: what no sweep reaches any more is asked for by hand. */
async function retryDeadLetters(context: Context, stream: Stream): Promise<void> {
  const open = await listDeadLetters(context.store, stream.name, 'open');
  if (open.length === 0) return;
  const lease = await context.lease(stream);
  try {
    for (const { letter } of open) await retryDeadLetter(context.fetchEffects(stream), stream, lease, letter.id);
  } finally {
    await lease.release();
  }
}

/** What each stream came to, after what was released. */
const standingOf = (reports: readonly StreamReport[], released: readonly StreamReport[]): StreamReport[] =>
  reports.map((report) => released.find(({ stream }) => stream === report.stream) ?? report);

async function unfinished(world: World, reports: readonly StreamReport[]): Promise<string> {
  for (const { stream, failures, held, openDeadLetters, watermark, loadedWatermark } of reports) {
    const [first] = failures;
    if (first) assertExplained(stream, first.error);
    if (first) return `${stream} fails at ${first.at}: ${String(first.error)}`;
    if (held > 0 || openDeadLetters > 0) return `${stream} has ${held} held batches and ${openDeadLetters} dead letters`;
    if (watermark !== loadedWatermark) return `the warehouse's watermark of ${stream} stays behind: ${loadedWatermark}, not ${watermark}`;
    const head = (await readHead(world.bucket.store, stream))?.head;
    if (!head || head.open.length + head.pending.length + (head.pushes?.open.length ?? 0) > 0)
      return `${stream} has windows that are open or pending`;
  }
  return '';
}
