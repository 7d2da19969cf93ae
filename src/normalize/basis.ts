import { join } from 'node:path';
import { mapConcurrent } from '../concurrency.ts';
import type { Batch } from '../manifest/documents.ts';
import { getJson } from '../store/json.ts';
import { batchKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { BatchInput, LoadedBatch } from './batch.ts';
import { readingOf } from './definition.ts';
import type { IndexedPages } from './index-pages.ts';

/** Loaded batches that may already hold what a new one would bring. */
export interface Basis {
  /** Ids in ascending order. */
  readonly batches: readonly string[];
  /** Local copies of their sightings. */
  readonly sightings: readonly string[];
  /** Whether it tells of every loaded batch near: where not, what is new cannot be told from what is read anew. */
  readonly isWhole: boolean;
}

/**
 * Brings the sightings of loaded batches whose times meet this batch's. Leaving one out costs a row that the MERGE then finds unchanged;
 * taking one in that is not loaded would lose a row, so only the ledger says which. What an older transform has read is read anew.
 */
export async function loadBasis(
  folder: string,
  input: BatchInput,
  store: ObjectStore,
  definition: string,
  indexed: IndexedPages,
): Promise<Basis> {
  const near = input.loaded.filter((loaded) => overlaps(loaded, indexed.first, indexed.last));
  const documents = await mapConcurrent(
    near,
    16,
    async ({ batch }) => (await getJson<Batch>(store, batchKey(input.definition.stream, batch)))?.value,
  );
  const known = documents
    .filter((batch) => batch !== undefined)
    .filter((batch) => batch.definition === definition && batch.sightings.length > 0);
  const usable = known.filter((batch) => (batch.transform ?? 0) >= readingOf(input.definition).version);
  const files = usable.flatMap((batch) => batch.sightings);
  const sightings = await mapConcurrent(files, 8, async (file, index) => {
    const path = join(folder, `basis-${index}.parquet`);
    await store.download(file.key, path);
    return path;
  });
  return { batches: usable.map((batch) => batch.id).sort(), sightings, isWhole: usable.length === known.length };
}

function overlaps(loaded: LoadedBatch, first: number | null, last: number | null): boolean {
  if (first === null || last === null || loaded.minTime === null || loaded.maxTime === null) return false;
  return loaded.minTime <= last && loaded.maxTime >= first;
}
