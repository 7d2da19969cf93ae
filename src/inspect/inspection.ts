import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { openWarehouse } from '../load/open.ts';
import type { Context } from '../pipeline/context.ts';
import { openStore } from '../store/open.ts';
import type { Configuration } from '../stream.ts';

/** What a question needs of the world. Nothing is written to the store, and the warehouse is opened for reading only. */
export type Inspection = Pick<Context, 'configuration' | 'store' | 'warehouse' | 'clock'>;

export interface OpenInspection extends Inspection {
  close(): Promise<void>;
}

/** A question waits so long for a process that has the warehouse open; then it answers without, or says so. */
export const INSPECTION_LOCK_WAIT_MS = 3_000;
/** Memory of DuckDB while it looks into the warehouse. */
const MEMORY_BYTES = 512 * 1024 * 1024;

/**
 * Opens what the questions need, and no more: unlike `openContext` it neither probes the store nor waits long for the warehouse.
 * @param lockWaitMs how long to wait for another process that has the warehouse open. @throws CONFIG
 */
export async function openInspection(
  configuration: Configuration,
  { clock, lockWaitMs = INSPECTION_LOCK_WAIT_MS }: { readonly clock: Clock; readonly lockWaitMs?: number },
): Promise<OpenInspection> {
  const { threads, scratch } = configuration.workers;
  const store = await openStore(configuration.store, { clock, randomId: randomUUID, random: Math.random });
  const tempDirectory = join(scratch, `inspect-${process.pid}`);
  const warehouse = await openWarehouse(configuration.warehouse, { clock, threads, memoryBytes: MEMORY_BYTES, tempDirectory, lockWaitMs });
  const close = async (): Promise<void> => {
    await warehouse.close();
    await rm(tempDirectory, { recursive: true, force: true });
  };
  return { configuration, store, warehouse, clock, close };
}
