import { mapConcurrent } from '../concurrency.ts';
import { isTidemarkError } from '../errors.ts';
import { type HeldEntry, listHeld } from '../gate/held.ts';
import type { LedgerEntry } from '../load/warehouse.ts';
import type { Batch } from '../manifest/documents.ts';
import { getJson } from '../store/json.ts';
import { batchPrefix } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { BatchState } from './why-report.ts';

/** The leading part of every batch's keys. */
const curatedPrefix = (stream: string): string => batchPrefix(stream, '').slice(0, -1);

/** Documents that are read at once. */
const READERS = 16;

export interface PublishedBatches {
  /** Oldest first. */
  readonly batches: readonly Batch[];
  /** Keys of documents that are not what was written. */
  readonly unreadable: readonly string[];
  /** Bytes of every object under the stream's batches, by key. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** Every batch that was published for a stream, whether it was ever loaded or not. */
export async function publishedBatches(store: ObjectStore, stream: string): Promise<PublishedBatches> {
  const sizes = new Map<string, number>();
  for await (const { key, size } of store.list(curatedPrefix(stream))) sizes.set(key, size);
  const keys = [...sizes.keys()].filter((key) => key.endsWith('/batch.json'));
  const unreadable: string[] = [];
  const read = await mapConcurrent(keys, READERS, async (key) => {
    const batch = await readBatch(store, key);
    if (!batch) unreadable.push(key);
    return batch;
  });
  const batches = read.filter((batch) => batch !== null).sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  return { batches, unreadable, sizes };
}

async function readBatch(store: ObjectStore, key: string): Promise<Batch | null> {
  try {
    return (await getJson<Batch>(store, key))?.value ?? null;
  } catch (error) {
    if (isTidemarkError(error, 'CORRUPT')) return null;
    throw error;
  }
}

/** What became of each batch, as ledger and gate say. */
export interface Standing {
  readonly ledger: ReadonlyMap<string, LedgerEntry>;
  stateOf(batch: string): BatchState;
}

export async function standingOf(store: ObjectStore, stream: string, ledger: readonly LedgerEntry[]): Promise<Standing> {
  const held = new Map<string, HeldEntry>((await listHeld(store, stream)).map((entry) => [entry.held.batch, entry]));
  const loaded = new Map(ledger.map((entry) => [entry.batch, entry]));
  const stateOf = (batch: string): BatchState => {
    if (loaded.has(batch)) return 'loaded';
    const state = held.get(batch)?.state;
    return state === 'open' ? 'held' : state === 'discarded' ? 'discarded' : 'not loaded';
  };
  return { ledger: loaded, stateOf };
}
