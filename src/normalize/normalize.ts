import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { mapConcurrent } from '../concurrency.ts';
import type { Batch, BatchFile, QuarantinedRecord } from '../manifest/documents.ts';
import { type Contract, shapeWithoutDiscarded } from '../schema/contract.ts';
import { type ShapeJson, shapeFromJson, shapeToJson } from '../schema/shape.ts';
import { withDerived } from '../schema/transform.ts';
import { scratchFailure } from '../scratch-failure.ts';
import { createJson, getJson } from '../store/json.ts';
import { batchKey, partKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { loadBasis } from './basis.ts';
import { type BatchInput, batchId } from './batch.ts';
import { checkTransform } from './check-transform.ts';
import { fingerprint, fixedColumns, fixedFields, readingOf } from './definition.ts';
import type { LocalFile } from './files.ts';
import { type IndexedPages, indexPages } from './index-pages.ts';
import { linesOf } from './line-file.ts';
import type { Pool } from './pool.ts';
import { growSchema, readContract } from './schema-store.ts';
import { settle } from './settle.ts';
import type { QuarantineLine } from './tasks.ts';
import { writeParts } from './write-parts.ts';

/** What the stage works with. */
export interface NormalizeEffects {
  readonly store: ObjectStore;
  readonly pool: Pool;
  readonly clock: Clock;
  /** A fresh random name: of a folder, and of an attempt at a batch. */
  readonly randomId: () => string;
  /** Folder for intermediate files; it is left as it was found. */
  readonly scratch: string;
  /** Keeps refused records; called before the batch is published, so that no record is ever in neither place. */
  quarantine(batch: string, records: AsyncIterable<QuarantinedRecord>): Promise<void>;
}

/**
 * Turns pages into one published batch: deduplicated Parquet, sightings, quarantined records, and last of all `batch.json`, by one
 * create-only write. Run again, it finds the batch that is there.
 * @throws CORRUPT, SOURCE_SHAPE, SCHEMA, STORE; nothing is published then.
 */
export async function normalizeBatch(input: BatchInput, effects: NormalizeEffects): Promise<Batch> {
  const { scratch } = effects;
  const folder = join(scratch, `batch-${effects.randomId()}`);
  try {
    await mkdir(folder, { recursive: true });
    return await normalizeIn(folder, input, effects);
  } catch (error) {
    throw scratchFailure(error, scratch);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function normalizeIn(folder: string, given: BatchInput, effects: NormalizeEffects): Promise<Batch> {
  // Sightings tell pages apart by their keys, so a page that is given twice counts once.
  const input = { ...given, pages: [...new Map(given.pages.map((page) => [page.key, page])).values()] };
  const { definition } = input;
  const { pool, store } = effects;
  const now = effects.clock.now();
  await checkTransform(pool, definition.stream, definition.transform);
  const fixed = { columns: fixedColumns(definition), fields: fixedFields(definition) };
  const contract = await readContract(store, definition.stream, definition.contract ?? [], fixed.columns);
  const indexed = await indexPages({ folder, input, pool, now, contract });
  const definitionHash = fingerprint(definition);
  const basis = await loadBasis(folder, input, store, definitionHash, indexed);
  const pages = indexed.pages.map(({ source, sha256 }) => `${source.key} ${sha256}`);
  const reading = readingOf(definition);
  const id = batchId(definitionHash, reading, definition.stream, pages, basis.batches, input.released);
  const published = await getJson<Batch>(store, batchKey(definition.stream, id));
  if (published) return published.value;

  const shaped = indexed.pages.map((page) => ({ key: page.source.key, shape: contract ? keptShape(page.shape, contract) : page.shape }));
  const grown = await growSchema(store, definition.stream, fixed, shaped, reading, now);
  const schema = withDerived(grown, definition.transform ?? null);
  // Without a basis all is new, so that nothing can be told of it.
  const seen = basis.sightings.length > 0 && basis.isWhole ? (input.seen ?? null) : null;
  const settled = await settle(definition, pool, indexed, basis.sightings, seen);
  const parts = await writeParts({ folder, batch: id, definition, pool, indexed, schema, settled, contract });
  if (indexed.refused > 0) await effects.quarantine(id, refusedRecords(id, indexed));

  const attempt = effects.randomId().slice(0, 8);
  const upload = (kind: 'part' | 'sightings', files: readonly LocalFile[]) => uploadAll(store, definition.stream, id, kind, attempt, files);
  const batch: Batch = {
    format: 1,
    id,
    stream: definition.stream,
    origin: input.origin,
    window: input.window,
    pages: indexed.pages.map(({ source, sha256, records }) => ({ key: source.key, sha256, records })),
    definition: definitionHash,
    ...(reading.version === 0 ? {} : { transform: reading.version }),
    schema,
    files: await upload('part', parts.files),
    sightings: await upload('sightings', indexed.sightings),
    counts: {
      observations: indexed.accepted + indexed.refused,
      quarantined: indexed.refused,
      distinct: settled.distinct,
      known: settled.distinct - settled.rows,
      rows: settled.rows,
      conflicts: settled.conflicts,
      exact: parts.exact,
    },
    ...contractCounts(indexed.frozen, parts.discarded),
    minTime: indexed.first,
    maxTime: indexed.last,
    lateness: settled.lateness,
    basis: basis.batches,
    createdAt: now,
  };
  await createJson(store, batchKey(definition.stream, id), batch);
  // Another attempt may have been first: its files are the batch then, ours are left to the lifecycle rules.
  return (await getJson<Batch>(store, batchKey(definition.stream, id)))?.value ?? batch;
}

const keptShape = (shape: ShapeJson, contract: Contract): ShapeJson => shapeToJson(shapeWithoutDiscarded(shapeFromJson(shape), contract));

/** Nothing where the contract kept nothing out. */
function contractCounts(frozen: Readonly<Record<string, number>>, discarded: Readonly<Record<string, number>>): Pick<Batch, 'contract'> {
  const isKept = Object.keys(frozen).length + Object.keys(discarded).length === 0;
  return isKept ? {} : { contract: { frozen, discarded } };
}

async function uploadAll(
  store: ObjectStore,
  stream: string,
  batch: string,
  kind: 'part' | 'sightings',
  attempt: string,
  files: readonly LocalFile[],
): Promise<BatchFile[]> {
  return mapConcurrent(files, 4, async ({ path, rows, bytes, sha256 }, index) => {
    const key = partKey(stream, batch, kind, attempt, index);
    await store.upload(key, path);
    return { key, rows, bytes, sha256 };
  });
}

async function* refusedRecords(batch: string, indexed: IndexedPages): AsyncIterable<QuarantinedRecord> {
  for (const { quarantine } of indexed.pages) {
    if (quarantine === null) continue;
    for await (const line of linesOf(quarantine)) yield { ...(JSON.parse(line.toString()) as QuarantineLine), batch };
  }
}
