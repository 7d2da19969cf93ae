import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '../clock.ts';
import type { StoreConfig } from '../stream.ts';
import { fileStore } from './file.ts';
import type { ObjectStore } from './object-store.ts';

export interface StoreEffects {
  readonly clock: Clock;
  /** A fresh random name, fit for a file name. */
  readonly randomId: () => string;
  /** In [0, 1). */
  readonly random: () => number;
}

export const systemEffects: StoreEffects = { clock: systemClock, randomId: randomUUID, random: Math.random };

/** Opens the configured store; nothing is written or asked yet (`probeStore` does that). The S3 client is loaded only where it is used. */
export async function openStore(config: StoreConfig, effects: StoreEffects = systemEffects): Promise<ObjectStore> {
  if (config.kind === 'file') return fileStore(config.path, effects.randomId);
  const { openS3Store } = await import('./s3.ts');
  return openS3Store(config, effects);
}
