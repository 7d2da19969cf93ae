import { clockStartingAt, type Micros } from '../../src/clock.ts';
import { silentLog } from '../../src/log.ts';
import { openContext } from '../../src/pipeline/context.ts';
import { ALL_STAGES, type StreamReport } from '../../src/pipeline/report.ts';
import { runStreams } from '../../src/pipeline/run.ts';
import type { TestWorld } from '../system/world.ts';

/** One `run --once` at a time of the partner's clock, in this process: for properties over many runs. */
export async function runOnceAt(world: TestWorld, now: Micros, sweep = false): Promise<readonly StreamReport[]> {
  world.partner.setNow(now);
  const context = await openContext(world.settings, { clock: clockStartingAt(now), log: silentLog });
  try {
    return await runStreams(context, world.settings.streams, { once: true, sweep, until: null, stages: ALL_STAGES });
  } finally {
    await context.close();
  }
}
