import type { Batch } from '../src/manifest/documents.ts';
import { manifestPages, slicePages } from '../src/normalize/batch.ts';
import { normalizeBatch } from '../src/normalize/normalize.ts';
import { definitionOf } from '../src/pipeline/definition.ts';
import { getJson } from '../src/store/json.ts';
import { batchKey } from '../src/store/keys.ts';
import { jobOfThisProcess, measure } from './child.ts';
import { openNormalizing } from './normalizing.ts';
import { batchIds } from './setup.ts';

/** Normalizes the window once more, as a sweep would that finds nothing new: the ledger has every batch of the first time. */
const job = jobOfThisProcess();
const { context, stream, manifest } = await openNormalizing(job);
const { store, configuration } = context;
const published = await Promise.all((await batchIds(job)).map((id) => getJson<Batch>(store, batchKey(stream.name, id))));
const loaded = published.flatMap((batch) => (batch ? [{ ...batch.value, batch: batch.value.id }] : []));
const sources = new Map(manifestPages(store, manifest).map((source) => [source.key, source]));

await measure(async () => {
  const total = { batches: 0, observations: 0, rows: 0, quarantined: 0 };
  for (const slice of slicePages(manifest.pages, configuration.workers.batchRecords)) {
    const pages = slice.flatMap((page) => sources.get(page.key) ?? []);
    const input = { definition: definitionOf(stream), pages, origin: 'live', window: manifest.window, released: [], loaded } as const;
    const { counts } = await normalizeBatch(input, context.normalizeEffects(stream));
    total.batches++;
    total.observations += counts.observations;
    total.rows += counts.rows;
    total.quarantined += counts.quarantined;
  }
  return total;
});
await context.close();
