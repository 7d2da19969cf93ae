import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Batch } from '../../src/manifest/documents.ts';
import { type Job, laterBatchesFile } from '../setup.ts';

export const BATCH_ROWS = 100_000;

/** The batches that the table is loaded with: each comes once, by Tidemark or by a bare MERGE. */
export async function hundreds(job: Job): Promise<readonly Batch[]> {
  return JSON.parse(await readFile(laterBatchesFile(job), 'utf8')) as Batch[];
}

/** Where the one file of such a batch lies, beside the store. */
export const hundredFile = ({ folder }: Job, id: string): string => join(folder, `${id}.parquet`);
