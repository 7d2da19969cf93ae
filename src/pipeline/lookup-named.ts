import { isTidemarkError, messageOf } from '../errors.ts';
import { listDeadLetters } from '../fetch/dead-letter.ts';
import type { FetchEffects } from '../fetch/effects.ts';
import { repairByLookup, unasked } from '../fetch/letter-lookup.ts';
import type { FetchTotals } from '../manifest/documents.ts';
import type { Lease } from '../manifest/lease.ts';
import type { Stream } from '../stream.ts';

/** Who asks where nobody did. */
const ITSELF = 'tidemark';

/** Looks up every record that the error of an open dead letter names, once. What fails is left to the next gap, or to whoever looks. */
export async function lookUpNamed(
  effects: FetchEffects,
  stream: Stream,
  lease: Lease,
  count: (totals: FetchTotals) => void,
): Promise<void> {
  if (stream.source.lookup === null || !stream.source.culprit) return;
  for (const entry of await listDeadLetters(effects.store, stream.name, 'open')) {
    if (unasked(stream, entry).length === 0) continue;
    try {
      const repair = await repairByLookup(effects, stream, lease, entry.letter.id, { keys: [], by: ITSELF, complete: null });
      if (repair.fetched) count(repair.fetched.totals);
      effects.log.info({ stream: stream.name, deadLetter: entry.letter.id, lookedUp: repair.lookedUp }, 'records looked up');
    } catch (error) {
      if (!isTidemarkError(error, 'SOURCE_UNAVAILABLE', 'SOURCE_REFUSED')) throw error;
      effects.log.warn({ stream: stream.name, deadLetter: entry.letter.id, error: messageOf(error) }, 'lookup failed');
    }
  }
}
