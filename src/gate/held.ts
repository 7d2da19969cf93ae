import { TidemarkError } from '../errors.ts';
import type { Decision, HeldBatch } from '../manifest/documents.ts';
import { createJson, getJson } from '../store/json.ts';
import { heldDecisionKey, heldKey, heldPrefix } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { type DecisionState, readDecision, requireHexId, stateOf, writeDecision } from './decisions.ts';

export interface HeldEntry {
  readonly held: HeldBatch;
  readonly state: DecisionState;
  readonly decision: Decision | null;
}

/** Holds a batch back. Holding it again, by a second run, changes nothing: the first record stays. */
export async function hold(store: ObjectStore, held: HeldBatch): Promise<void> {
  await createJson(store, heldKey(held.stream, held.batch), held);
}

/** Every batch that was ever held, the oldest first. */
export async function listHeld(store: ObjectStore, stream: string): Promise<readonly HeldEntry[]> {
  const entries: HeldEntry[] = [];
  for await (const { key } of store.list(heldPrefix(stream))) {
    const batch = /\/([0-9a-f]+)\.json$/.exec(key)?.[1];
    const entry = batch === undefined ? null : await showHeld(store, stream, batch);
    if (entry) entries.push(entry);
  }
  return entries.sort((a, b) => a.held.at - b.held.at);
}

/** @returns null where the batch was never held. */
export async function showHeld(store: ObjectStore, stream: string, batch: string): Promise<HeldEntry | null> {
  const held = await getJson<HeldBatch>(store, heldKey(stream, batch));
  if (held === null) return null;
  const decision = await readDecision(store, heldDecisionKey(stream, batch));
  return { held: held.value, state: stateOf(decision), decision };
}

/**
 * Releases or discards a held batch; the decision stands for good.
 * @returns the decision that stands.
 * @throws NOT_FOUND where the batch is not held, CONFLICT where another decision stands.
 */
export async function decideHeld(store: ObjectStore, stream: string, batch: string, decision: Decision): Promise<Decision> {
  requireHexId(batch, 'batch');
  if ((await store.head(heldKey(stream, batch))) === null) throw notHeld(stream, batch);
  return writeDecision(store, heldDecisionKey(stream, batch), decision, `batch ${batch} of ${stream}`);
}

const notHeld = (stream: string, batch: string): TidemarkError =>
  new TidemarkError({
    code: 'NOT_FOUND',
    message: `${stream} has no held batch ${batch}`,
    hint: '`tidemark held` lists the batches that are held.',
  });
