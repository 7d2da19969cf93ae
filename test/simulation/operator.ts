import { decideHeld, listHeld } from '../../src/gate/held.ts';
import type { StreamName } from '../../src/partner/options.ts';
import type { RecordSource } from '../../src/partner/record-source.ts';
import type { World as PartnerWorld } from '../../src/partner/world.ts';
import type { Context } from '../../src/pipeline/context.ts';
import { lookUpKeys } from '../../src/pipeline/lookup.ts';
import type { StreamReport } from '../../src/pipeline/report.ts';
import { runStreams } from '../../src/pipeline/run.ts';
import type { Stream } from '../../src/stream.ts';
import type { Dice } from './dice.ts';

/** How many visits to the desk are for lookups, too. */
const LOOKUPS = 0.25;

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

/** One look at everything that waits for a decision; and now and then somebody asks for records that are missed, or thought to be. */
export async function operate(context: Context, streams: readonly Stream[], source: PartnerWorld, dice: Dice): Promise<void> {
  for (const stream of streams) {
    if (stream.quality.volume) await releaseHeld(context, stream, () => dice.chance(0.6));
    if (dice.chance(LOOKUPS)) await lookUpSome(context, stream, source[stream.name as StreamName], dice);
  }
}

/** As `tidemark lookup`: of two keys that are, or will be, and of one that never is. */
async function lookUpSome(context: Context, stream: Stream, records: RecordSource, dice: Dice): Promise<void> {
  const entries = Array.from({ length: records.timeline.buckets }, (_, bucket) => records.timeline.entriesAt(bucket)).flat();
  const known = Array.from({ length: 2 }, () => entries[dice.between(0, entries.length - 1)]).flatMap((entry) =>
    entry ? [records.keyOf(entry)] : [],
  );
  const unknown = known.slice(0, 1).map((key) => [...key.slice(0, -1), 'evt_00000000ffff00000000']);
  // The partner names no environment where the configuration gives one.
  const keys = [...known, ...unknown].map((key) =>
    stream.key.map(({ constant }, at) => constant ?? key[at - (stream.key.length - key.length)] ?? null),
  );
  await lookUpKeys(context, stream, keys);
}
