import type { Clock } from '../clock.ts';
import { isTidemarkError, TidemarkError } from '../errors.ts';
import { createJson, getJson, type JsonDocument, replaceJson } from '../store/json.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { BudgetDocument } from './budget.ts';
import { checkFormat } from './format.ts';

/** How often one change is tried against other writers, and in a row against a store that does not answer. */
const LIMITS = { conflicts: 50, failures: 4, pauseMs: 50, longestMs: 1_000 } as const;

export interface BudgetEffects {
  readonly store: ObjectStore;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
}

export type StoredBudget = JsonDocument<BudgetDocument>;

/** @returns null where there is none. @throws CORRUPT, STORE */
export async function readBudget(store: ObjectStore, key: string): Promise<StoredBudget | null> {
  const document = await getJson<BudgetDocument>(store, key);
  if (document) checkFormat(key, document.value);
  return document;
}

/**
 * Changes the document by compare-and-set until one attempt holds; a change that changes nothing writes nothing. Applying a change whose
 * outcome is unknown again is right: tickets have an owner, whoever reads them.
 * @param known as it was last seen: spares the reading where nobody wrote since. @throws CONFLICT, STORE (transient), CORRUPT
 */
export async function changeBudget(
  effects: BudgetEffects,
  key: string,
  known: StoredBudget | null,
  change: (document: BudgetDocument | null) => BudgetDocument,
): Promise<StoredBudget> {
  let seen = known;
  for (let conflicts = 0, failures = 0; conflicts < LIMITS.conflicts; ) {
    try {
      const before = seen ?? (await readBudget(effects.store, key));
      seen = null;
      const stored = await put(effects.store, key, before, change(before?.value ?? null));
      if (stored) return stored;
      conflicts += 1;
    } catch (error) {
      failures += 1;
      if (!isTidemarkError(error, 'STORE') || !error.transient || failures >= LIMITS.failures) throw error;
    }
    await effects.clock.sleep(effects.random() * Math.min(LIMITS.longestMs, LIMITS.pauseMs * 2 ** (conflicts + failures)));
  }
  throw new TidemarkError({
    code: 'CONFLICT',
    message: `the request budget ${key} changed under each of ${LIMITS.conflicts} attempts to change it`,
    hint: 'No request was sent without leave. Run fewer processes with this key at once, or run again.',
    transient: true,
  });
}

async function put(store: ObjectStore, key: string, before: StoredBudget | null, value: BudgetDocument): Promise<StoredBudget | null> {
  if (before === null) {
    const created = await createJson(store, key, value);
    return created.outcome === 'created' ? { value, tag: created.tag } : null;
  }
  if (JSON.stringify(value) === JSON.stringify(before.value)) return before;
  const tag = await replaceJson(store, key, value, before.tag);
  return tag === null ? null : { value, tag };
}
