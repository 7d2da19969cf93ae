import { decideHeld, listHeld } from '../../src/gate/held.ts';
import type { Context } from '../../src/pipeline/context.ts';
import type { StreamReport } from '../../src/pipeline/report.ts';
import { runStreams } from '../../src/pipeline/run.ts';
import type { Stream } from '../../src/stream.ts';
import type { Dice } from './dice.ts';

/** What somebody at a desk does, by the functions that the commands call. */

/** As `tidemark held release`, for all batches that are held, or some, with one load behind them. @returns its report; none where nothing was held. */
export async function releaseHeld(context: Context, stream: Stream, isChosen: () => boolean = () => true): Promise<StreamReport[]> {
  let released = 0;
  for (const { held, state } of await listHeld(context.store, stream.name)) {
    if (state !== 'open' || !isChosen()) continue;
    const decision = { format: 1, decision: 'release', by: 'operator', reason: null, at: context.clock.now() } as const;
    await decideHeld(context.store, stream.name, held.batch, decision);
    released += 1;
  }
  return released > 0 ? runStreams(context, [stream], { once: true, sweep: false, until: null, stages: ['load'] }) : [];
}

/** One look at everything that waits for a decision. */
export async function operate(context: Context, streams: readonly Stream[], dice: Dice): Promise<void> {
  for (const stream of streams) if (stream.quality.volume) await releaseHeld(context, stream, () => dice.chance(0.6));
}
