import type { Clock } from '../../clock.ts';
import { isTidemarkError } from '../../errors.ts';
import type { LoadOutcome } from '../warehouse.ts';
import { type BatchWork, commitBatch, ledgerOutcome, stage, takeFence } from './commit.ts';
import { dropStaging } from './copy.ts';
import type { SnowflakeSession } from './session.ts';
import * as sql from './statements.ts';
import type { Stratum } from './strata.ts';
import { requireStreamTable, run } from './tables.ts';

/** How often a loader takes the fence back that another one took, before it leaves the stream to that one. */
const FENCE_ATTEMPTS = 8;
const FENCE_PAUSE_MS = 200;

export interface LoadEffects {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
}

/** @throws UnknownOutcome where it cannot be told what became of it; FENCED where others took the fence again and again. */
export async function loadOnce(session: SnowflakeSession, work: BatchWork, effects: LoadEffects): Promise<LoadOutcome> {
  await requireStreamTable(session, work.place, work.stream);
  const already = await alreadyLoaded(session, work);
  if (already) return already;
  try {
    const strata = await stage(session, work);
    return await commitInTurn(session, work, strata, effects);
  } finally {
    await dropQuietly(session, work);
  }
}

/**
 * The ledger is read once more behind the fence: whoever loaded the batch meanwhile had an older token, and nobody can with one any more.
 * Whoever finds the fence taken begins anew.
 */
async function commitInTurn(
  session: SnowflakeSession,
  work: BatchWork,
  strata: readonly Stratum[],
  effects: LoadEffects,
): Promise<LoadOutcome> {
  for (let attempt = 1; ; attempt++) {
    const token = await takeFence(session, work, effects.random);
    const already = await alreadyLoaded(session, work);
    if (already) return already;
    try {
      return await commitBatch(session, work, strata, token);
    } catch (error) {
      if (!isTidemarkError(error, 'FENCED') || attempt === FENCE_ATTEMPTS) throw error;
    }
    await effects.clock.sleep(effects.random() * FENCE_PAUSE_MS * 2 ** attempt);
  }
}

async function alreadyLoaded(session: SnowflakeSession, { place, batch, watermark, now }: BatchWork): Promise<LoadOutcome | null> {
  const outcome = await ledgerOutcome(session, place, batch, 'already');
  if (outcome && watermark !== null) await run(session, sql.moveWatermark(place, batch.stream, watermark, now));
  return outcome;
}

/** What stays is dropped by a later load. */
export async function dropQuietly(session: SnowflakeSession, { place, batch, staging }: BatchWork): Promise<void> {
  if (session.isLost || batch.files.length === 0) return;
  await session.run(dropStaging(place, staging)).catch(() => undefined);
}
