import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Workbench } from '../certify/observations.ts';
import { bringFile } from '../inspect/scratch.ts';
import { scratchFailure } from '../scratch-failure.ts';
import type { Context } from './context.ts';

const MEMORY_BYTES = 512 * 1024 * 1024;

/** A DuckDB and a folder for observations that are compared; both are gone when `use` has ended, however it ended. */
export async function withWorkbench<T>(
  { configuration, scratch, store, openEngine }: Pick<Context, 'configuration' | 'scratch' | 'store' | 'openEngine'>,
  use: (bench: Workbench) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(scratch, 'certify-'));
  try {
    const { threads } = configuration.workers;
    const engine = await openEngine({ path: ':memory:', threads, memoryBytes: MEMORY_BYTES, tempDirectory: join(folder, 'spill') });
    try {
      return await use({ engine, folder, bring: (file, path) => bringFile(store, file, path) });
    } finally {
      await engine.close();
    }
  } catch (error) {
    throw scratchFailure(error, scratch);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
