import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Micros } from '../clock.ts';
import { TidemarkError } from '../errors.ts';
import type { LedgerEntry, LoadOutcome } from '../load/warehouse.ts';
import type { Batch, BatchFile } from '../manifest/documents.ts';
import { scratchFailure } from '../scratch-failure.ts';
import type { Stream } from '../stream.ts';
import { noteBreaches } from './breach.ts';
import type { Context } from './context.ts';

/**
 * Brings a batch's files to this machine, unless the warehouse reads them itself, checks each against its hash, and loads them. What it brings to certified hours is noted before;
 * and after, for hours that were certified meanwhile by a process that did not know of it.
 */
export function loadBatch(context: Context, stream: Stream, batch: Batch, watermark: Micros | null): Promise<LoadOutcome> {
  if (context.warehouse.readsStore) return loadFiles(context, stream, batch, [], watermark);
  return withBatchFiles(context, batch, (files) => loadFiles(context, stream, batch, files, watermark));
}

async function loadFiles(
  context: Context,
  stream: Stream,
  batch: Batch,
  files: readonly string[],
  watermark: Micros | null,
): Promise<LoadOutcome> {
  const noted = await noteBreaches(context, stream, batch);
  await context.warehouse.migrate(stream, batch.schema);
  const outcome = await context.warehouse.load(stream, batch, files, watermark);
  const { inserted, updated, unchanged } = outcome;
  context.log.info({ stream: stream.name, batch: batch.id, outcome: outcome.outcome, inserted, updated, unchanged }, 'batch loaded');
  await noteBreaches(context, stream, batch, noted);
  return outcome;
}

/** Brings a batch's files to this machine for as long as `work` takes, each checked against its hash. @throws CORRUPT. */
export async function withBatchFiles<T>(
  context: Pick<Context, 'store' | 'scratch'>,
  batch: Batch,
  work: (files: readonly string[]) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(context.scratch, 'load-'));
  try {
    const files: string[] = [];
    for (const [index, file] of batch.files.entries()) files.push(await bring(context, file, join(folder, `${index}.parquet`)));
    return await work(files);
  } catch (error) {
    throw scratchFailure(error, context.scratch);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function bring(context: Pick<Context, 'store'>, file: BatchFile, path: string): Promise<string> {
  await context.store.download(file.key, path);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  if (hash.digest('hex') === file.sha256) return path;
  throw new TidemarkError({
    code: 'CORRUPT',
    message: `${file.key} is not the file that was published`,
    hint: 'Nothing was loaded from it. Remove its batch folder and replay the batch: raw pages are untouched.',
  });
}

/** Whether the ledger still holds everything that let this batch leave rows out. */
export function isVoid(batch: Batch, ledger: readonly LedgerEntry[]): boolean {
  const loaded = new Set(ledger.map((entry) => entry.batch));
  return !loaded.has(batch.id) && batch.basis.some((basis) => !loaded.has(basis));
}
