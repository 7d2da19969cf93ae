import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Engine, openEngine } from '../engine.ts';
import { isTidemarkError } from '../errors.ts';
import type { BatchFile } from '../manifest/documents.ts';
import { fileHash } from '../normalize/files.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Configuration } from '../stream.ts';

/** A folder and a DuckDB of one question's own; what does not fit into memory is spilled into the folder. */
export interface Scratch {
  readonly folder: string;
  readonly engine: Engine;
}

const MEMORY_BYTES = 512 * 1024 * 1024;

/** Both are gone when `use` has ended, however it ended. */
export async function withScratch<T>({ workers }: Pick<Configuration, 'workers'>, use: (scratch: Scratch) => Promise<T>): Promise<T> {
  await mkdir(workers.scratch, { recursive: true });
  const folder = await mkdtemp(join(workers.scratch, 'inspect-'));
  try {
    const spill = join(folder, 'spill');
    const engine = await openEngine({ path: ':memory:', threads: workers.threads, memoryBytes: MEMORY_BYTES, tempDirectory: spill });
    try {
      return await use({ folder, engine });
    } finally {
      await engine.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Copies a published file to `path`. @returns what is wrong with it; null where it is the file that was published. */
export async function bringFile(store: ObjectStore, file: BatchFile, path: string): Promise<'missing' | 'altered' | null> {
  try {
    await store.download(file.key, path);
  } catch (error) {
    if (isTidemarkError(error, 'NOT_FOUND')) return 'missing';
    throw error;
  }
  return (await fileHash(path)) === file.sha256 ? null : 'altered';
}
