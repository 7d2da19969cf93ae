import { join, resolve } from 'node:path';
import { type Micros, systemClock } from '../clock.ts';
import { loadConfiguration } from '../config.ts';
import { TidemarkError } from '../errors.ts';
import { listDeadLetters } from '../fetch/dead-letter.ts';
import { listQuarantine } from '../gate/quarantine.ts';
import { openWarehouse } from '../load/open.ts';
import type { FetchTotals } from '../manifest/documents.ts';
import { openStore } from '../store/open.ts';
import type { Configuration } from '../stream.ts';
import { formatInstant } from '../time.ts';
import { Ledger } from './ledger.ts';
import { isProved, type Proof, prove } from './proof.ts';
import { type DemoWorld, prepareDemo, type WorldSize } from './setup.ts';
import { runWorker, type WorkerEvent } from './worker.ts';

export interface DemoOptions extends WorldSize {
  readonly folder: string;
  /** Told about every step: `live` lines are the state so far. */
  readonly say: (event: string, live: readonly StreamProgress[]) => void;
}

/** What happened to one stream so far. */
export interface StreamProgress {
  readonly stream: string;
  readonly totals: FetchTotals;
  /** Rows inserted into the table. */
  readonly rows: number;
}

export interface StreamProof extends StreamProgress {
  readonly proof: Proof;
  /** Different records in quarantine. */
  readonly quarantined: number;
  /** Open gaps and dead letters. */
  readonly gaps: number;
  /** A key of this run, for `why`. */
  readonly sampleKey: string;
}

export interface DemoReport {
  readonly proved: boolean;
  readonly seed: number;
  readonly rate: number;
  readonly now: string;
  readonly configuration: string;
  readonly kills: number;
  readonly seconds: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly streams: readonly StreamProof[];
}

/** Kills the worker once, when this many pages of a poll have landed: in the middle of its windows. The first poll is left in peace. */
const KILL_AT_PAGE = 3;

/**
 * Both streams from an unreliable partner, over real HTTP, into a file store and a DuckDB warehouse; the worker is a process of its own
 * and is killed once in the middle. Ends by holding the warehouse against the partner's truth.
 */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const startedAt = systemClock.monotonicMs();
  const folder = resolve(options.folder);
  const world = await prepareDemo(folder, options);
  const ledger = new Ledger();
  try {
    let kills = 0;
    for (const [index, now] of world.polls.entries()) {
      world.partner.setNow(now);
      const isLast = index === world.polls.length - 1;
      options.say(
        `poll ${index + 1} of ${world.polls.length}: the partner's clock reads ${formatInstant(now)}${isLast ? '; with the sweep over 48 h' : ''}`,
        ledger.progress(),
      );
      kills += await poll(world, now, { isLast, mayKill: index > 0 && kills === 0 }, ledger, options);
    }
    const streams = await proveAll(world, ledger);
    const seconds = (systemClock.monotonicMs() - startedAt) / 1000;
    return {
      proved: kills === 1 && streams.every((stream) => isProved(stream.proof) && stream.gaps === 0),
      seed: options.seed,
      rate: options.rate,
      now: formatInstant(options.now),
      configuration: world.configuration,
      kills,
      seconds,
      faults: world.partner.stats().faults,
      streams,
    };
  } finally {
    await world.partner.close();
  }
}

/** One run of the worker; where it was killed, another one after it. @returns how often it was killed. */
async function poll(
  world: DemoWorld,
  now: Micros,
  how: { isLast: boolean; mayKill: boolean },
  ledger: Ledger,
  options: DemoOptions,
): Promise<number> {
  let pages = 0;
  const watch = (event: WorkerEvent): 'kill' | undefined => {
    ledger.note(event);
    if (event.msg === 'page landed') pages++;
    options.say('', ledger.progress());
    return how.mayKill && pages === KILL_AT_PAGE ? 'kill' : undefined;
  };
  const given = ['--once', '--now', formatInstant(now), ...(how.isLast ? ['--sweep'] : [])];
  const end = await runWorker({ configuration: world.configuration, arguments: given, watch });
  if (end.killed) {
    options.say(
      `the worker was killed (SIGKILL) after page ${pages} of this poll; a new one resumes behind the last page that landed`,
      ledger.progress(),
    );
    ledger.interrupted();
    return 1 + (await poll(world, now, { ...how, mayKill: false }, ledger, options));
  }
  if (end.exitCode !== 0) {
    throw new TidemarkError({ code: 'INTERNAL', message: `the worker ended with ${end.exitCode}`, hint: end.answer.slice(0, 4000) });
  }
  return 0;
}

async function proveAll({ configuration, partner }: DemoWorld, ledger: Ledger): Promise<StreamProof[]> {
  const settings: Configuration = loadConfiguration(configuration);
  const store = await openStore(settings.store);
  const { workers } = settings;
  const warehouse = await openWarehouse(settings.warehouse, {
    clock: systemClock,
    threads: workers.threads,
    memoryBytes: workers.memoryBytes,
    tempDirectory: join(workers.scratch, 'demo'),
  });
  const proofs: StreamProof[] = [];
  for (const stream of settings.streams) {
    const proof = await prove(warehouse, stream, partner);
    const gaps = (await listDeadLetters(store, stream.name, 'open')).length;
    const quarantined = (await listQuarantine(store, stream.name)).length;
    const [sample] = await warehouse.query(
      `SELECT ${stream.key.at(-1)?.name ?? ''} AS key FROM ${stream.name} ORDER BY updated_at DESC LIMIT 1`,
    );
    const progress = ledger.progress().find((entry) => entry.stream === stream.name) ?? Ledger.nothing(stream.name);
    proofs.push({ ...progress, quarantined, proof, gaps, sampleKey: String(sample?.['key']) });
  }
  await warehouse.close();
  return proofs;
}
