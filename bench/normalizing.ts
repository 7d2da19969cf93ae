import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../src/clock.ts';
import { silentLog } from '../src/log.ts';
import { type Manifest, type PendingWindow } from '../src/manifest/documents.ts';
import { readManifest } from '../src/manifest/manifests.ts';
import { readHead } from '../src/manifest/state.ts';
import { type Context, openContext } from '../src/pipeline/context.ts';
import { schemaKey } from '../src/store/keys.ts';
import type { Stream } from '../src/stream.ts';
import { type Job, openJob, storeFolder, THREADS } from './setup.ts';

/** What the stages that normalize share: the fetched window, and threads that are up, as in a process that runs. */
export interface Normalizing {
  readonly context: Context;
  readonly stream: Stream;
  readonly pending: PendingWindow;
  readonly manifest: Manifest;
}

export async function openNormalizing(job: Job): Promise<Normalizing> {
  const { configuration, stream } = await openJob(job);
  const context = await openContext(configuration, { clock: systemClock, log: silentLog });
  const [pending] = (await readHead(context.store, stream.name))?.head.pending ?? [];
  if (!pending) throw new Error('nothing was fetched');
  const { pool } = context.normalizeEffects(stream);
  await Promise.all(
    Array.from({ length: job.threads ?? THREADS }, () => pool.run({ kind: 'statements', run: ['SELECT 1'], ask: {}, after: [] })),
  );
  return { context, stream, pending, manifest: await readManifest(context.store, pending.manifest) };
}

/** Removes what an earlier run published, and the schema that it made. */
export async function forgetBatches(job: Job, { context, stream }: Normalizing): Promise<void> {
  await rm(join(storeFolder(job), 'curated'), { recursive: true, force: true });
  await context.store.remove(schemaKey(stream.name));
}
