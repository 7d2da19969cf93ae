import { afterEach, expect, test } from 'vitest';
import { type Clock, clockStartingAt } from '../../src/clock.ts';
import type { Warehouse } from '../../src/load/warehouse.ts';
import { silentLog } from '../../src/log.ts';
import { type Context, openContext } from '../../src/pipeline/context.ts';
import { ALL_STAGES } from '../../src/pipeline/report.ts';
import { runStreams } from '../../src/pipeline/run.ts';
import { HOUR, MINUTE } from '../../src/time.ts';
import { NOW, openWorld, type TestWorld } from '../system/world.ts';
import { runOnceAt } from './in-process.ts';

let world: TestWorld | null = null;
afterEach(async () => {
  await world?.close();
  world = null;
});

/** The first to wait a minute or more waits until `passed`, and finds the interval over. Shorter waits are real, and short. */
function clockWaitingFor(passed: Promise<void>, interval: number, moved: (now: number) => void): Clock {
  const real = clockStartingAt(NOW);
  let ahead = 0;
  let waited = false;
  const over = async (): Promise<void> => {
    if (waited) return new Promise(() => undefined);
    waited = true;
    await passed;
    ahead = interval;
    moved(real.now() + ahead);
  };
  const aborted = (signal?: AbortSignal): Promise<void> =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
  return {
    now: () => real.now() + ahead,
    monotonicMs: () => real.monotonicMs(),
    sleep: (ms, signal) => (ms < 60_000 ? real.sleep(ms, signal) : Promise.race([over(), aborted(signal)])),
  };
}

test('R3: while a sweep is being loaded, the next poll is made and loaded: freshness waits for no history', async () => {
  world = await openWorld({ seed: 44, partner: { faults: 'none', start: NOW - HOUR, end: NOW + HOUR } });
  const stream = world.stream('payments');
  await runOnceAt(world, NOW - 10 * MINUTE);
  const [sweepLoads, pollLoaded] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const order: string[] = [];
  const { partner } = world;
  partner.setNow(NOW);
  const clock = clockWaitingFor(sweepLoads.promise, stream.poll.every, (now) => partner.setNow(now));
  const context = await openContext(world.settings, { clock, log: silentLog });
  const load: Warehouse['load'] = async (of, batch, files, watermark) => {
    const isSweep = batch.window?.kind === 'sweep';
    if (isSweep) sweepLoads.resolve();
    // Where polls waited for history, this would wait for ever.
    if (isSweep) await pollLoaded.promise;
    const outcome = await context.warehouse.load(of, batch, files, watermark);
    order.push(batch.window?.kind ?? '');
    if (order.length === 2) pollLoaded.resolve();
    return outcome;
  };
  const warehouse = new Proxy(context.warehouse, {
    get: (target, name) => (name === 'load' ? load : (Reflect.get(target, name, target) as () => unknown).bind?.(target)),
  });
  const held: Context = { ...context, warehouse };
  try {
    const [report] = await runStreams(held, [stream], { once: true, sweep: true, until: null, stages: ALL_STAGES });
    expect(report?.failures).toEqual([]);
    expect(order).toEqual(['poll', 'poll', 'sweep']);
    expect(await context.warehouse.watermark('payments'), 'the later poll moved it').toBeGreaterThanOrEqual(NOW + stream.poll.every);
  } finally {
    await context.close();
  }
});
