import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Clock, Micros } from '../../src/clock.ts';
import { parseConfiguration } from '../../src/config.ts';
import { type Engine, openEngine } from '../../src/engine.ts';
import { isTidemarkError, messageOf } from '../../src/errors.ts';
import { DuckDBWarehouse } from '../../src/load/duckdb.ts';
import type { Log } from '../../src/log.ts';
import type { FaultProfile } from '../../src/partner/faults.ts';
import { type PartnerSettings, partnerOptions, type StreamName } from '../../src/partner/options.ts';
import { PartnerService } from '../../src/partner/service.ts';
import { truth } from '../../src/partner/truth.ts';
import { createWorld, type World as PartnerWorld } from '../../src/partner/world.ts';
import { type Context, contextOver } from '../../src/pipeline/context.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { Configuration } from '../../src/stream.ts';
import { type Bucket, bucketStore } from './bucket.ts';
import { Dice } from './dice.ts';
import { partnerExchange, type SimulatedPartner } from './exchange.ts';
import { Faults } from './faults.ts';
import { inlinePool, ownEngine } from './inline-pool.ts';
import { Invariants } from './invariants.ts';
import { SimulatedProcess } from './process.ts';
import { PUSH_SECRET, Pusher } from './pushes.ts';
import type { Scenario } from './scenario.ts';
import { Scheduler, Violation } from './scheduler.ts';
import { SentRequests } from './sent-requests.ts';
import { Trace } from './trace.ts';
import { WarehouseFile } from './warehouse-file.ts';
import { Witness } from './witness.ts';

const MEMORY_BYTES = 256 * 1024 * 1024;

/** The normalizer's DuckDB is the same for all worlds: nothing of a task outlives it. */
let tasksEngine: Promise<Engine> | null = null;
const engineForTasks = (): Promise<Engine> =>
  (tasksEngine ??= openEngine({
    path: ':memory:',
    threads: 1,
    memoryBytes: MEMORY_BYTES,
    tempDirectory: join(tmpdir(), 'tidemark-simulation'),
  }));

/** Everything that one simulated world consists of. */
export interface World {
  readonly scenario: Scenario;
  readonly configuration: Configuration;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly faults: Faults;
  readonly partner: SimulatedPartner;
  readonly source: PartnerWorld;
  readonly bucket: Bucket;
  readonly file: WarehouseFile;
  readonly invariants: Invariants;
  readonly pusher: Pusher;
  readonly dice: Dice;
  /** Steady faults of the partner end here. */
  calmPartner(): void;
  /** A process, and the program's context in it. */
  open(name: string, skew: Micros): { readonly process: SimulatedProcess; readonly context: Context };
  close(): Promise<void>;
}

export async function openWorld(seed: number, scenario: Scenario): Promise<World> {
  const dice = new Dice(`${seed}/world`);
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-simulation-'));
  const trace = new Trace();
  const scheduler = new Scheduler(scenario.start, dice.fork('scheduler'), trace);
  const faults = new Faults(scenario.faults, dice.fork('faults'));
  const read = parseConfiguration(scenario.configuration, join(folder, 'tidemark.yaml'), { KEY: 'key', PUSH: PUSH_SECRET });
  const configuration = { ...read, workers: { ...read.workers, scratch: folder } };
  const engine = await openEngine({ path: ':memory:', threads: 1, memoryBytes: MEMORY_BYTES, tempDirectory: join(folder, 'spill') });
  const tasks = await engineForTasks();
  const store = memoryStore();
  const limit = Math.min(...configuration.streams.map((stream) => stream.source.requestsPerMinute));
  const { partner, source, calmPartner } = openPartner(scenario, scheduler, limit);
  const witness = new Witness(engine, (stream, now) => truth(source[stream as StreamName], { now }));
  const invariants = new Invariants(store, engine, scenario.streams, witness);
  const bucket: Bucket = { store, writers: new Map(), made: (...written) => invariants.written(...written) };
  const file = new WarehouseFile(join(folder, 'warehouse.duckdb'), engine);
  file.onCommit = () => invariants.committed();
  scheduler.watch = () => invariants.violation;

  const pusher = new Pusher(scheduler, dice.fork('pusher'));
  const processes: SimulatedProcess[] = [];
  const open: World['open'] = (name, skew) => {
    const process = new SimulatedProcess(name, scheduler, dice.fork(name), scenario.pace, skew);
    processes.push(process);
    const scratch = join(folder, name);
    mkdirSync(scratch, { recursive: true });
    const { clock } = process;
    const randomId = (): string => process.dice.id();
    const warehouse = new DuckDBWarehouse({
      path: file.path,
      clock,
      threads: 1,
      memoryBytes: MEMORY_BYTES,
      tempDirectory: scratch,
      open: file.opener(process, faults),
    });
    const context = contextOver(configuration, {
      clock,
      log: logOf(process, scheduler),
      signal: process.stopping.signal,
      store: bucketStore(bucket, process, faults),
      warehouse,
      scratch,
      openEngine: ownEngine(process, faults),
      exchange: partnerExchange(partner, process, faults),
      random: () => process.dice.next(),
      randomId,
      holder: () => ({ id: `${name}:${randomId()}`, host: name, pid: 1 }),
      pool: () => inlinePool(process, faults, tasks, configuration.workers.threads),
      close: () => warehouse.close(),
    });
    return { process, context };
  };
  const close = async (): Promise<void> => {
    for (const { onDeath } of processes) for (const end of onDeath) await end();
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    scenario,
    configuration,
    scheduler,
    trace,
    faults,
    partner,
    source,
    bucket,
    file,
    invariants,
    pusher,
    dice,
    calmPartner,
    open,
    close,
  };
}

/** @param limit of requests a minute, as the program is told. */
export function openPartner(
  scenario: Pick<Scenario, 'partner' | 'brownouts' | 'pagination'>,
  scheduler: Scheduler,
  limit: number,
): Pick<World, 'partner' | 'source' | 'calmPartner'> {
  const faults = { ...(scenario.partner.faults as FaultProfile) };
  const clock: Clock = {
    now: () => scheduler.now(),
    monotonicMs: () => scheduler.now() / 1000,
    sleep: () => Promise.reject(new Violation('the partner does not sleep')),
  };
  const options = partnerOptions({ ...(scenario.partner as PartnerSettings), faults, clock });
  const source = createWorld(options);
  const service = new PartnerService(options, source);
  return {
    partner: { service, brownouts: scenario.brownouts, pagination: scenario.pagination, pace: new SentRequests(limit), requests: 0 },
    source,
    calmPartner: () => Object.assign(faults, { rates: {}, expiredCursors: 0 }),
  };
}

/** What no fault of the world around it may bring the program to say. */
const NEVER: ReadonlySet<unknown> = new Set([
  'INTERNAL',
  'CORRUPT',
  'STORE_UNSAFE',
  'SCHEMA',
  'CONFIG',
  'NOT_FOUND',
  'WAREHOUSE_VERSION',
  'SOURCE_REFUSED',
]);

/** The program's log goes into the trace; what it says of itself must be what faults can explain. */
function logOf(process: SimulatedProcess, scheduler: Scheduler): Log {
  return pino(
    { level: 'info', base: null, timestamp: false },
    {
      write: (line: string) => {
        if (process.state === 'dead') return;
        const { level, msg, code, error, reason, epoch } = JSON.parse(line) as Record<string, unknown>;
        scheduler.note(
          process.name,
          `says: ${[msg, code, error, reason, epoch]
            .filter((said) => said !== undefined)
            .map(String)
            .join(' | ')}`,
          Number(level) >= 40,
        );
        if (NEVER.has(code)) scheduler.failure ??= unexplained(process.name, code, error);
      },
    },
  );
}

const unexplained = (who: string, code: unknown, error: unknown): Violation =>
  new Violation(`${who} fails with ${String(code)}: ${String(error)}`);

/** @throws a Violation where no fault explains the error. */
export function assertExplained(who: string, error: unknown): void {
  if (error instanceof Violation) throw error;
  const code = isTidemarkError(error) ? error.code : 'INTERNAL';
  if (NEVER.has(code)) throw unexplained(who, code, messageOf(error));
}
