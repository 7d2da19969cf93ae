import { randomUUID } from 'node:crypto';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import { createHttpClient, type Exchange } from '../fetch/client.ts';
import { openWarehouse } from '../load/open.ts';
import { openStore } from '../store/open.ts';
import { probeStore } from '../store/probe.ts';
import type { Configuration, Stream } from '../stream.ts';
import { INSPECTION_LOCK_WAIT_MS } from './inspection.ts';
import { checkSource } from './source-check.ts';
import { count, plural } from './text.ts';

export interface Check {
  /** `store`, `source payments`. */
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  /** What was found. Never a secret. */
  readonly found: string;
  /** What to do; null where it is ok. */
  readonly hint: string | null;
}

export interface DoctorEffects {
  readonly clock: Clock;
  /** `process.version`: `v24.21.0`. */
  readonly nodeVersion: string;
  /** The variable UV_THREADPOOL_SIZE as this process was started with it. */
  readonly threadPoolSize: string | undefined;
}

const NODE_MAJOR = 24;
const DEFAULT_THREAD_POOL = 4;
/** DuckDB's queries run on the same pool as files, names and hashes: so many threads must be left for those. */
const SPARE_THREADS = 4;
const LITTLE_SPACE_BYTES = 2 * 1024 ** 3;
const MEMORY_BYTES = 256 * 1024 * 1024;

/** Is everything reachable and allowed. One check never keeps the next from being made; asks each source once, for one record. */
export async function doctor(configuration: Configuration, effects: DoctorEffects): Promise<readonly Check[]> {
  const http = createHttpClient(effects.clock);
  try {
    return [
      checkConfiguration(configuration),
      checkNode(effects),
      checkThreads(configuration, effects),
      await guarded('scratch', () => checkScratch(configuration)),
      await guarded('store', () => checkStore(configuration, effects)),
      await guarded('warehouse', () => checkWarehouse(configuration, effects)),
      ...(await checkSources(configuration.streams, effects.clock, http.exchange)),
    ];
  } finally {
    await http.close();
  }
}

/** 0, or 1 where a check failed; warnings don't count. */
export const doctorExitCode = (checks: readonly Check[]): 0 | 1 => (checks.some((check) => check.state === 'failed') ? 1 : 0);

export const ok = (name: string, found: string): Check => ({ name, state: 'ok', found, hint: null });
const warning = (name: string, found: string, hint: string): Check => ({ name, state: 'warning', found, hint });
const failed = (name: string, found: string, hint: string): Check => ({ name, state: 'failed', found, hint });

async function guarded(name: string, check: () => Promise<Check>): Promise<Check> {
  try {
    return await check();
  } catch (error) {
    const hint = error instanceof TidemarkError ? error.hint : undefined;
    return failed(name, messageOf(error), hint ?? 'Nothing was changed.');
  }
}

function checkConfiguration({ path, streams }: Configuration): Check {
  return ok('configuration', `${path}: ${streams.map((stream) => stream.name).join(', ')}`);
}

function checkNode({ nodeVersion }: DoctorEffects): Check {
  const major = Number(/^v?(\d+)/.exec(nodeVersion)?.[1] ?? 0);
  if (major >= NODE_MAJOR) return ok('node', nodeVersion);
  return failed(
    'node',
    `${nodeVersion}; Tidemark needs ${NODE_MAJOR} or later`,
    'Start it through bin/tidemark, which brings its own, or install a newer Node.',
  );
}

function checkThreads({ workers }: Configuration, { threadPoolSize }: DoctorEffects): Check {
  const size = threadPoolSize === undefined ? DEFAULT_THREAD_POOL : Number(threadPoolSize);
  const wanted = workers.threads + SPARE_THREADS;
  const found = `${plural(workers.threads, 'worker thread')}, UV_THREADPOOL_SIZE ${threadPoolSize ?? `not set (${DEFAULT_THREAD_POOL})`}`;
  if (size >= wanted) return ok('threads', found);
  return warning(
    'threads',
    found,
    `Set UV_THREADPOOL_SIZE=${wanted} before the process starts, as bin/tidemark does: queries, files and hashes share that pool.`,
  );
}

async function checkScratch({ workers: { scratch } }: Configuration): Promise<Check> {
  const probe = join(scratch, `doctor-${randomUUID()}`);
  try {
    await mkdir(scratch, { recursive: true });
    await writeFile(probe, 'written');
    await rm(probe);
  } catch (error) {
    return failed(
      'scratch',
      `${scratch} cannot be written: ${messageOf(error)}`,
      'Set workers.scratch to a folder that this user may write.',
    );
  }
  const { bavail, bsize } = await statfs(scratch);
  const free = `${scratch}, ${count(Math.floor((bavail * bsize) / 1024 ** 2))} MiB free`;
  if (bavail * bsize >= LITTLE_SPACE_BYTES) return ok('scratch', free);
  return warning('scratch', free, 'Make room, or set workers.scratch to a larger disk: batches pass through it.');
}

async function checkStore({ store: config }: Configuration, { clock }: DoctorEffects): Promise<Check> {
  const store = await openStore(config, { clock, randomId: randomUUID, random: Math.random });
  await probeStore(store, randomUUID);
  return ok('store', `${store.url} can be written and read, and refuses what it must refuse`);
}

async function checkWarehouse(configuration: Configuration, { clock }: DoctorEffects): Promise<Check> {
  const { threads, scratch } = configuration.workers;
  const limits = {
    threads,
    memoryBytes: MEMORY_BYTES,
    tempDirectory: join(scratch, `doctor-${process.pid}`),
    lockWaitMs: INSPECTION_LOCK_WAIT_MS,
  };
  const warehouse = await openWarehouse(configuration.warehouse, { clock, ...limits });
  try {
    const found: string[] = [];
    for (const stream of configuration.streams) {
      const { rows } = await warehouse.summary(stream);
      const batches = (await warehouse.ledger(stream.name)).length;
      found.push(`${stream.name} ${plural(rows, 'row')} of ${plural(batches, 'batch', 'batches')}`);
    }
    return ok('warehouse', `${warehouse.url}: ${found.join(', ')}`);
  } catch (error) {
    if (!isTidemarkError(error, 'WAREHOUSE_BUSY')) throw error;
    return warning('warehouse', messageOf(error), 'A run is loading; ask again later to have it looked into.');
  } finally {
    await warehouse.close();
  }
}

async function checkSources(streams: readonly Stream[], clock: Clock, exchange: Exchange): Promise<Check[]> {
  const checks: Check[] = [];
  for (const stream of streams) {
    checks.push(await guarded(`source ${stream.name}`, () => checkSource(stream, clock, exchange)));
  }
  return checks;
}
