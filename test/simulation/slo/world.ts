import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Micros } from '../../../src/clock.ts';
import { parseConfiguration } from '../../../src/config.ts';
import { type Engine, openEngine } from '../../../src/engine.ts';
import { DuckDBWarehouse } from '../../../src/load/duckdb.ts';
import type { Log } from '../../../src/log.ts';
import type { PartnerSettings } from '../../../src/partner/options.ts';
import type { RecordSource } from '../../../src/partner/record-source.ts';
import { type Context, contextOver } from '../../../src/pipeline/context.ts';
import type { Configuration } from '../../../src/stream.ts';
import { DAY, MINUTE, parseInstant, SECOND } from '../../../src/time.ts';
import { type Bucket, bucketStore } from '../bucket.ts';
import { Dice } from '../dice.ts';
import { PARTNER_URL, partnerExchange, type SimulatedPartner } from '../exchange.ts';
import { Faults } from '../faults.ts';
import { inlinePool, ownEngine } from '../inline-pool.ts';
import { type Pace, SimulatedProcess } from '../process.ts';
import { NO_FAULTS, type Scenario } from '../scenario.ts';
import { Scheduler } from '../scheduler.ts';
import { Trace } from '../trace.ts';
import { WarehouseFile } from '../warehouse-file.ts';
import { openPartner } from '../world.ts';
import type { Assumptions } from './assumptions.ts';
import { timedEngine, timedExchange, timedPool } from './durations.ts';
import { FreshnessWatch } from './freshness.ts';
import { volumeOf } from './shape.ts';
import { sharded } from './store.ts';

/** The one stream of these worlds. */
export const STREAM = 'payments';
const DAY_BEGINS: Micros = parseInstant('2026-11-20T00:00:00Z', 'iso') ?? 0;
/** What the day's windows are still at when it ends has so much longer to come. */
const AFTERMATH: Micros = 30 * MINUTE;
const MEMORY_BYTES = 512 * 1024 * 1024;
const MOST_STEPS = 100_000_000;
const THREADS = 2;

export interface Times {
  /** From here on the partner has records. */
  readonly world: Micros;
  /** From here on the table has them when the day begins. */
  readonly history: Micros;
  readonly day: Micros;
  readonly dayEnd: Micros;
  /** When everything is stopped. */
  readonly end: Micros;
}

/** One program, one partner and one warehouse on one day. */
export interface DayWorld {
  readonly assumed: Assumptions;
  readonly times: Times;
  readonly scheduler: Scheduler;
  readonly partner: SimulatedPartner;
  readonly source: RecordSource;
  readonly engine: Engine;
  readonly watch: FreshnessWatch;
  /** When requests of the day came to the partner, ascending. */
  readonly requests: Micros[];
  /** What processes of the day said of windows and batches, and of what failed. */
  readonly journal: string[];
  /** A process whose work takes its time. */
  openTimed(name: string): Opened;
  /** One for which everything is immediate, and pages are large: for what comes before the day and after it. */
  openImmediate(name: string, start: Micros): Opened;
  close(): Promise<void>;
}

export interface Opened {
  readonly process: SimulatedProcess;
  readonly context: Context;
}

export function timesOf({ length, history, backfillDays }: Assumptions): Times {
  const [day, dayEnd] = [DAY_BEGINS, DAY_BEGINS + length];
  const from = day - history;
  return { world: from - backfillDays * DAY, history: from, day, dayEnd, end: dayEnd + AFTERMATH };
}

/** No answer is ever lost here, so nobody asks whose write it was. */
class Forgetful extends Map<string, string> {
  override set(): this {
    return this;
  }
}

/** That one key may send. */
const REQUESTS_PER_MINUTE = 1000;

/** @param begin what the clock reads at first. */
export async function openDay(assumed: Assumptions, begin: Micros): Promise<DayWorld> {
  const times = timesOf(assumed);
  const dice = new Dice(`${assumed.seed}/slo`);
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-slo-'));
  const scheduler = new Scheduler(begin, dice.fork('scheduler'), new Trace(0), MOST_STEPS);
  const faults = new Faults(NO_FAULTS, dice.fork('faults'));
  const engine = await openEngine({ path: ':memory:', threads: 1, memoryBytes: 4 * MEMORY_BYTES, tempDirectory: join(folder, 'spill') });
  const tasks = await openEngine({ path: ':memory:', threads: 1, memoryBytes: MEMORY_BYTES, tempDirectory: join(folder, 'tasks') });
  const bucket: Bucket = { store: sharded(), writers: new Forgetful(), made: () => undefined, listPage: 1000 };
  const file = new WarehouseFile(join(folder, 'warehouse.duckdb'), engine);
  const { partner, source } = openPartner(partnerOf(assumed, times), scheduler, REQUESTS_PER_MINUTE);
  const watch = new FreshnessWatch(engine, source[STREAM], { from: times.day, to: times.dayEnd });
  file.onCommit = () => watch.committed(scheduler.now());
  const requests: Micros[] = [];
  const journal: string[] = [];

  const open = (name: string, configuration: Configuration, pace: Pace, isTimed: boolean): Opened => {
    const process = new SimulatedProcess(name, scheduler, dice.fork(name), pace, 0);
    const scratch = join(folder, name);
    mkdirSync(scratch, { recursive: true });
    const { clock } = process;
    const randomId = (): string => process.dice.id();
    const openFile = file.opener(process, faults);
    const exchange = partnerExchange(partner, process, faults);
    const pool = inlinePool(process, faults, tasks, THREADS);
    const warehouse = new DuckDBWarehouse({
      path: file.path,
      clock,
      threads: 1,
      memoryBytes: MEMORY_BYTES,
      tempDirectory: scratch,
      open: isTimed ? async (options) => timedEngine(await openFile(options), process, assumed) : openFile,
    });
    const context = contextOver(configuration, {
      clock,
      log: logOf(name, scheduler, journal),
      signal: process.stopping.signal,
      store: bucketStore(bucket, process, faults),
      warehouse,
      scratch,
      openEngine: ownEngine(process, faults),
      exchange: isTimed ? timedExchange(exchange, process, assumed, () => requests.push(scheduler.now())) : exchange,
      random: () => process.dice.next(),
      randomId,
      holder: () => ({ id: `${name}:${randomId()}`, host: name, pid: 1 }),
      pool: () => (isTimed ? timedPool(pool, process, assumed) : pool),
      close: () => warehouse.close(),
    });
    return { process, context };
  };
  const configured = (pageSize: number, batchRecords: number, start: Micros): Configuration => {
    const read = parseConfiguration(configurationText(pageSize, batchRecords, start), join(folder, 'tidemark.yaml'), { KEY: 'key' });
    return { ...read, workers: { ...read.workers, scratch: folder } };
  };
  const { pageSize, batchRecords, scale } = assumed;
  const asReal = configured(pageSize / scale, batchRecords / scale, assumed.history);
  const pace: Pace = { store: assumed.storeMs * 1000, partner: 0, warehouse: assumed.statementMs * 1000, task: 0 };
  return {
    assumed,
    times,
    scheduler,
    partner,
    source: source[STREAM],
    engine,
    watch,
    requests,
    journal,
    openTimed: (name) => open(name, asReal, pace, true),
    openImmediate: (name, start) => open(name, configured(pageSize, 1_000_000, start), IMMEDIATE, false),
    close: async () => {
      await Promise.all([engine.close(), tasks.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const IMMEDIATE: Pace = { store: 0, partner: 0, warehouse: 0, task: 0 };

function partnerOf(assumed: Assumptions, times: Times): Pick<Scenario, 'partner' | 'brownouts' | 'pagination'> {
  const { seed, scale, recordsADay, recordsADayBefore, brownouts } = assumed;
  const partner: PartnerSettings = {
    seed,
    start: times.world,
    end: times.end,
    now: times.day,
    keys: ['key'],
    payments: volumeOf((recordsADay / scale / DAY) * SECOND, recordsADayBefore / recordsADay, times),
    settlements: { recordsPerSecond: 0.01 },
    outOfOrder: { share: assumed.outOfOrderShare },
    late: { share: assumed.lateShare },
    gzipShare: 0,
  };
  return {
    partner: { ...partner, faults: assumed.faults },
    brownouts: brownouts.map(({ from, to }) => ({ from: times.day + from, to: times.day + to })),
    pagination: 'cursor',
  };
}

/** Everything that the design says of the stream; the rest has its defaults. */
const configurationText = (pageSize: number, batchRecords: number, start: Micros): string => `store: file:./store
warehouse: duckdb:./warehouse.duckdb
workers: { threads: ${THREADS}, batchRecords: ${batchRecords}, scratch: ./scratch }
streams:
  ${STREAM}:
    source:
      list: ${PARTNER_URL}/events
      lookup: ${PARTNER_URL}/events/{event_id}
      auth: { bearer: env:KEY }
      query: { since: updated_since, size: page_size, cursor: cursor }
      response: { records: $.data, next: $.next_cursor, more: $.has_more }
      pageSize: ${pageSize}
      requestsPerMinute: ${REQUESTS_PER_MINUTE}
    environment: { field: environment }
    key: [environment, event_id]
    version: [updated_at, event_version]
    poll: { every: 5m, outOfOrder: 2h, lateness: 48h, deadline: 15m, start: ${Math.round(start / SECOND)}s }
`;

/** The few lines a window that tell how the day went. */
const TOLD = /"msg":"(?:window|batch)/;

function logOf(name: string, scheduler: Scheduler, journal: string[]): Log {
  const write = (line: string): void => {
    if (!TOLD.test(line) && !line.includes('"level":50')) return;
    journal.push(`${new Date(scheduler.now() / 1000).toISOString()} ${name} ${line.trimEnd()}`);
  };
  return pino({ level: 'info', base: null, timestamp: false }, { write });
}
