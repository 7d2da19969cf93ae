import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoadPreview } from '../load/warehouse.ts';
import { silentLog } from '../log.ts';
import type { Batch } from '../manifest/documents.ts';
import type { PageSource } from '../normalize/batch.ts';
import { readSchema } from '../normalize/schema-store.ts';
import { diffSchemas, type SchemaChange } from '../schema/diff.ts';
import { draftStore } from '../store/draft.ts';
import { batchKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { openStore } from '../store/open.ts';
import type { Stream } from '../stream.ts';
import { behindGate } from './behind-gate.ts';
import type { Context } from './context.ts';
import { withBatchFiles } from './load-batch.ts';
import { normalizeSlice } from './normalize-window.ts';
import { addPreview, type PreviewTotals, previewSums } from './preview-sums.ts';
import { type ReplayOptions, slices } from './replay.ts';

/** What a replay under the configuration as it is would do to what is stored. */
export interface Rehearsal extends PreviewTotals {
  readonly stream: string;
  /** Version of the transform; 0 for none. */
  readonly transform: number;
  readonly pages: number;
  readonly records: number;
  /** By rule: records that may not enter. */
  readonly quarantined: Readonly<Record<string, number>>;
  /** By field: rows that would be without it, by contract. */
  readonly discarded: Readonly<Record<string, number>>;
  readonly schema: { readonly from: number; readonly to: number; readonly changes: readonly SchemaChange[] };
  /** What would be done to the curated table before anything is loaded. */
  readonly statements: readonly string[];
}

/**
 * Goes the whole way of a replay up to the table, and stops before it: everything that it writes stays in a folder of its own, which is
 * gone afterwards. Each slice is held against the table as it is, so that a key which two of them would change is told twice.
 */
export async function rehearse(
  context: Context,
  stream: Stream,
  pages: AsyncIterable<PageSource>,
  shard: ReplayOptions['shard'] = null,
): Promise<Rehearsal> {
  const folder = await mkdtemp(join(context.scratch, 'rehearse-'));
  try {
    const drafts = await openStore({ kind: 'file', path: folder });
    return await rehearseIn(context, drafts, stream, pages, shard);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function rehearseIn(
  context: Context,
  drafts: ObjectStore,
  stream: Stream,
  pages: AsyncIterable<PageSource>,
  shard: ReplayOptions['shard'],
): Promise<Rehearsal> {
  const quarantined: Record<string, number> = {};
  const discarded: Record<string, number> = {};
  const draft = draftContext(context, drafts, (rule) => count(quarantined, rule, 1));
  const sums = previewSums();
  const total = { pages: 0, records: 0 };
  let statements: readonly string[] = [];
  for await (const listed of slices(pages, context.configuration.workers.batchRecords, shard)) {
    context.signal?.throwIfAborted();
    const told = await rehearseSlice(context, draft, stream, listed);
    if (told === null) continue;
    const { batch, preview } = told;
    total.pages += batch.pages.length;
    total.records += batch.counts.observations;
    for (const [field, rows] of Object.entries(batch.contract?.discarded ?? {})) count(discarded, field, rows);
    addPreview(sums, preview);
    ({ statements } = preview);
    await dropDraft(drafts, batch);
  }
  const { transform } = stream;
  const schema = await schemaChanges(context.store, draft.store, stream.name);
  return {
    stream: stream.name,
    transform: transform?.version ?? 0,
    ...total,
    quarantined,
    discarded,
    schema,
    statements,
    ...sums.totals(),
  };
}

function count(counts: Record<string, number>, name: string, more: number): void {
  counts[name] = (counts[name] ?? 0) + more;
}

/** Nothing of it reaches the store, nor the log: an alarm about what was only tried would wake somebody. */
function draftContext(context: Context, drafts: ObjectStore, refused: (rule: string) => void): Context {
  const store = draftStore(context.store, drafts);
  const quarantine = async (_batch: string, records: AsyncIterable<{ readonly rule: string }>): Promise<void> => {
    for await (const { rule } of records) refused(rule);
  };
  return {
    ...context,
    store,
    log: silentLog,
    normalizeEffects: (stream) => ({ ...context.normalizeEffects(stream), store, quarantine }),
  };
}

/** @returns null where the gate has not let anything of it through. */
async function rehearseSlice(
  context: Context,
  draft: Context,
  stream: Stream,
  listed: readonly PageSource[],
): Promise<{ batch: Batch; preview: LoadPreview } | null> {
  const ledger = await context.warehouse.ledger(stream.name);
  const isBehindGate = await behindGate(context, stream, ledger);
  const pages = listed.filter(({ key }) => !isBehindGate(key));
  if (pages.length === 0) return null;
  const batch = await normalizeSlice(draft, stream, { pages, origin: 'replay', window: null }, ledger);
  const preview = await withBatchFiles(draft, batch, (files) => context.warehouse.preview(stream, batch, files));
  return { batch, preview };
}

/** Slices come one after the other, and only one of them need find room. The schema stays, since it grows from slice to slice. */
async function dropDraft(drafts: ObjectStore, batch: Batch): Promise<void> {
  const keys = [...batch.files, ...batch.sightings].map(({ key }) => key);
  for (const key of [...keys, batchKey(batch.stream, batch.id)]) await drafts.remove(key);
}

async function schemaChanges(store: ObjectStore, draft: ObjectStore, stream: string): Promise<Rehearsal['schema']> {
  const nothing = { version: 0, fields: [], overflow: [] };
  const before = (await readSchema(store, stream))?.schema ?? nothing;
  const after = (await readSchema(draft, stream))?.schema ?? before;
  return { from: before.version, to: after.version, changes: diffSchemas(before, after) };
}
