import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { allDone, mapConcurrent } from '../concurrency.ts';
import type { Batch, BatchFile, QuarantinedRecord } from '../manifest/documents.ts';
import { recordNeedsProjection } from '../schema/project.ts';
import { shapeFromJson } from '../schema/shape.ts';
import type { RecordSchema } from '../schema/types.ts';
import { scratchFailure } from '../scratch-failure.ts';
import { createJson, getJson } from '../store/json.ts';
import { batchKey, partKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { loadBasis } from './basis.ts';
import { type BatchInput, batchId } from './batch.ts';
import { type CutPages, cutPages, shareGroups } from './cut-pages.ts';
import { fingerprint, fixedColumns, fixedFields } from './definition.ts';
import { linesOf } from './line-file.ts';
import type { Pool } from './pool.ts';
import { growSchema } from './schema-store.ts';
import { type Settled, settle, writeSightings } from './settle.ts';
import { savePart } from './statements.ts';
import type { RefusedRecord, WriteResult } from './tasks.ts';

/** What the stage works with. */
export interface NormalizeEffects {
  readonly store: ObjectStore;
  readonly pool: Pool;
  readonly clock: Clock;
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
  const folder = join(scratch, `batch-${randomBytes(8).toString('hex')}`);
  try {
    await mkdir(folder, { recursive: true });
    return await normalizeIn(folder, input, effects);
  } catch (error) {
    throw scratchFailure(error, scratch);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function normalizeIn(folder: string, input: BatchInput, effects: NormalizeEffects): Promise<Batch> {
  const { definition } = input;
  const now = effects.clock.now();
  const cut = await cutPages(folder, input, effects, now);
  const definitionHash = fingerprint(definition);
  const basis = await loadBasis(folder, input, effects.store, definitionHash, cut);
  const hashes = cut.pages.map((page) => page.sha256);
  const id = batchId(definitionHash, definition.stream, hashes, basis.batches, input.released);
  const published = await getJson<Batch>(effects.store, batchKey(definition.stream, id));
  if (published) return published.value;

  const fixed = { columns: fixedColumns(definition), fields: fixedFields(definition) };
  const shaped = cut.pages.map((page) => ({ key: input.pages[page.page]?.key ?? '', shape: page.shape }));
  const schema = await growSchema(effects.store, definition.stream, fixed, shaped, now);
  const writeRows = async () => {
    const settled = await settle(folder, input, effects.pool, cut, basis.sightings);
    return { settled, parts: settled.rows === 0 ? [] : await writeParts(folder, id, input, effects.pool, cut, schema, settled) };
  };
  const [{ settled, parts }, sightings] = await allDone(writeRows(), writeSightings(folder, input, effects.pool, cut));
  if (cut.refused > 0) await effects.quarantine(id, refusedRecords(id, cut));

  const attempt = randomBytes(4).toString('hex');
  const upload = (kind: 'part' | 'sightings', files: readonly LocalFile[]) =>
    uploadAll(effects.store, definition.stream, id, kind, attempt, files);
  const batch: Batch = {
    format: 1,
    id,
    stream: definition.stream,
    origin: input.origin,
    window: input.window,
    pages: cut.pages.map((page) => ({ key: input.pages[page.page]?.key ?? '', sha256: page.sha256, records: page.records })),
    definition: definitionHash,
    schema,
    files: await upload('part', parts),
    sightings: await upload('sightings', sightings),
    counts: {
      observations: cut.accepted + cut.refused,
      quarantined: cut.refused,
      distinct: settled.distinct,
      known: settled.distinct - settled.rows,
      rows: settled.rows,
      conflicts: settled.conflicts,
      exact: parts.reduce((sum, part) => sum + part.exact, 0),
    },
    minTime: cut.first,
    maxTime: cut.last,
    basis: basis.batches,
    createdAt: now,
  };
  await createJson(effects.store, batchKey(definition.stream, id), batch);
  // Another attempt may have been first: its files are the batch then, ours are left to the lifecycle rules.
  return (await getJson<Batch>(effects.store, batchKey(definition.stream, id)))?.value ?? batch;
}

interface LocalFile {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

async function writeParts(
  folder: string,
  batch: string,
  input: BatchInput,
  pool: Pool,
  cut: CutPages,
  schema: RecordSchema,
  settled: Settled,
): Promise<(LocalFile & WriteResult)[]> {
  const odd = new Set(cut.pages.filter((page) => recordNeedsProjection(shapeFromJson(page.shape), schema)).map((page) => page.page));
  const shares = shareGroups(cut.groups, pool.threads, settled.rows);
  const parts = await mapConcurrent(shares, pool.threads, async (groups, index) => {
    const rewrite = groups
      .map((group) => ({ from: group.lines, to: `${group.lines}.exact`, pages: group.pages.filter((page) => odd.has(page)) }))
      .filter((file) => file.pages.length > 0);
    const lines = groups.map((group) => rewrite.find((file) => file.from === group.lines)?.to ?? group.lines);
    const path = join(folder, `part-${index}.parquet`);
    const statement = savePart(input.definition, schema, {
      lines,
      leftOut: settled.leftOut,
      pageNumbers: groups.flatMap((group) => group.pages),
      pages: cut.names,
      batch,
      path,
    });
    const longest = Math.max(...groups.map((group) => group.longest));
    const written = await pool.run({
      kind: 'write',
      rewrite,
      schema,
      fixed: fixedFields(input.definition),
      savePart: statement,
      path,
      longest,
    });
    return { path, ...written };
  });
  return parts.filter((part) => part.rows > 0);
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

async function* refusedRecords(batch: string, cut: CutPages): AsyncIterable<QuarantinedRecord> {
  for (const { refused } of cut.groups) {
    if (!existsSync(refused)) continue;
    for await (const line of linesOf(refused)) yield { ...(JSON.parse(line.toString()) as RefusedRecord), batch };
  }
}
