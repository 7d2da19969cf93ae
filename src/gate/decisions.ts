import { TidemarkError } from '../errors.ts';
import type { Decision } from '../manifest/documents.ts';
import { createJson, getJson } from '../store/json.ts';
import type { ObjectStore } from '../store/object-store.ts';

export type DecisionState = 'open' | 'released' | 'discarded';

export function stateOf(decision: Decision | null): DecisionState {
  if (decision === null) return 'open';
  return decision.decision === 'release' ? 'released' : 'discarded';
}

export async function readDecision(store: ObjectStore, key: string): Promise<Decision | null> {
  return (await getJson<Decision>(store, key))?.value ?? null;
}

/**
 * Writes a decision, once. The same decision again is no error.
 * @param subject names what is decided, for the message.
 * @returns the decision that stands: an earlier one where it says the same.
 * @throws CONFLICT where another decision stands.
 */
export async function writeDecision(store: ObjectStore, key: string, decision: Decision, subject: string): Promise<Decision> {
  const { outcome } = await createJson(store, key, decision);
  if (outcome === 'created') return decision;
  const standing = await readDecision(store, key);
  if (standing?.decision === decision.decision) return standing;
  throw new TidemarkError({
    code: 'CONFLICT',
    message: `${subject} was ${stateOf(standing)} by ${standing?.by ?? 'somebody'}${standing?.reason ? `: ${standing.reason}` : ''}`,
    hint: 'That decision stands and nothing was changed: decisions are written once.',
    data: { key, standing },
  });
}

/** An id becomes part of a key, so it must look like one. */
export function requireHexId(id: string, what: string): void {
  if (/^[0-9a-f]{1,64}$/.test(id)) return;
  throw new TidemarkError({
    code: 'NOT_FOUND',
    message: `${JSON.stringify(id)} is no ${what}`,
    hint: `A ${what} is written in hex, as the list shows it.`,
  });
}
