import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { type Clock, systemClock } from '../clock.ts';
import { openEngine } from '../engine.ts';
import { createRequestBudget, type KeyBudget, type TicketDesk } from '../fetch/budget.ts';
import { CIRCUIT, type Circuit, createCircuit } from '../fetch/circuit.ts';
import { createHttpClient, type Exchange } from '../fetch/client.ts';
import type { FetchEffects, FetchProgress } from '../fetch/effects.ts';
import { watchingClock } from '../fetch/partner-clock.ts';
import { secretReference } from '../fetch/request.ts';
import { sharedDesk } from '../fetch/shared-budget.ts';
import { readBatchQuarantine, writeQuarantine } from '../gate/quarantine.ts';
import { openWarehouse } from '../load/open.ts';
import type { Warehouse } from '../load/warehouse.ts';
import type { Log } from '../log.ts';
import type { Priority } from '../manifest/budget.ts';
import { type HolderInfo, thisProcess } from '../manifest/holder.ts';
import { acquireLease, type Lease } from '../manifest/lease.ts';
import type { NormalizeEffects } from '../normalize/normalize.ts';
import { openPool, type Pool } from '../normalize/pool.ts';
import type { ServeEffects } from '../serve/effects.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { openStore } from '../store/open.ts';
import { probeStore } from '../store/probe.ts';
import type { Configuration, Stream } from '../stream.ts';
import { type IncidentTracker, trackIncidents } from './incident.ts';
import { openScratch } from './scratch.ts';

/** Everything that the stages do to the world, put together once. Stages get only what they ask for. */
export interface Context {
  readonly configuration: Configuration;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: ObjectStore;
  readonly warehouse: Warehouse;
  /** Folder for intermediate files of this process. */
  readonly scratch: string;
  /** For what is compared on this machine, apart from the warehouse. */
  readonly openEngine: typeof openEngine;
  readonly signal: AbortSignal | undefined;
  /** @param priority of its requests: backfill takes what live leaves. */
  fetchEffects(stream: Stream, priority?: Priority): FetchEffects;
  normalizeEffects(stream: Stream): NormalizeEffects;
  serveEffects(): ServeEffects;
  /** What requests of the stream tell of its source. */
  incidents(stream: Stream): IncidentTracker;
  lease(stream: Stream): Promise<Lease>;
  close(): Promise<void>;
}

export interface ContextOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((progress: FetchProgress) => void) | undefined;
}

/** Memory of DuckDB's warehouse on this machine, beside the normalizer's threads. */
const WAREHOUSE_MEMORY_BYTES = 512 * 1024 * 1024;
/** Quarantined records of one batch that a warehouse lists; where there are more, the store has all of them. */
const LISTED_QUARANTINE = 10_000;

/** @throws STORE, STORE_UNSAFE where the store cannot be written or does not keep its promises; CONFIG. */
export async function openContext(configuration: Configuration, options: ContextOptions): Promise<Context> {
  const { clock } = options;
  const { workers } = configuration;
  const randomId = (): string => randomUUID();
  const store = await openStore(configuration.store, { clock, randomId, random: Math.random });
  await probeStore(store, randomId);
  const scratch = await openScratch(workers.scratch);
  const warehouse = await openWarehouse(configuration.warehouse, {
    clock,
    threads: workers.threads,
    memoryBytes: WAREHOUSE_MEMORY_BYTES,
    tempDirectory: scratch,
    quarantined: (batch) => readBatchQuarantine(store, batch, LISTED_QUARANTINE, scratch),
  });
  const http = createHttpClient(clock);
  let pool: Pool | null = null;

  return contextOver(configuration, {
    ...options,
    store,
    warehouse,
    scratch,
    openEngine,
    exchange: http.exchange,
    random: Math.random,
    randomId,
    holder: () => thisProcess(randomId),
    // Also where `--now` states another time: the partner counts by its own clock.
    wall: () => systemClock.now() / 1000,
    pool: () => (pool ??= openPool(workers.threads, { memoryBytes: workers.memoryBytes, tempDirectory: scratch })),
    close: async () => {
      await pool?.close();
      await warehouse.close();
      await http.close();
      await rm(scratch, { recursive: true, force: true });
    },
  });
}

/** Everything that a context does to the world goes through these. */
export interface ContextEffects extends ContextOptions {
  readonly store: ObjectStore;
  readonly warehouse: Warehouse;
  readonly scratch: string;
  readonly openEngine: typeof openEngine;
  readonly exchange: Exchange;
  /** In [0, 1). */
  readonly random: () => number;
  readonly randomId: () => string;
  readonly holder: () => HolderInfo;
  /** What all processes that share a request budget take for the time, in milliseconds since the Unix epoch; the clock's own where left out. */
  readonly wall?: () => number;
  /** The normalizer's threads, which need not begin before there is work for them. */
  readonly pool: () => Pool;
  readonly close: () => Promise<void>;
}

export function contextOver(configuration: Configuration, effects: ContextEffects): Context {
  const { clock, log, store, scratch, signal, random, randomId, exchange, progress } = effects;
  const budgets = new Map<string, KeyBudget>();
  const circuits = new Map<string, Circuit>();
  const trackers = new Map<string, IncidentTracker>();
  const incidents = (stream: Stream): IncidentTracker => {
    const circuit = circuitFor(circuits, configuration, effects, stream);
    const tracker = trackers.get(stream.name) ?? trackIncidents(stream.name, circuit, { store, clock, log, randomId });
    trackers.set(stream.name, tracker);
    return tracker;
  };
  const exchanges = new Map<string, Exchange>();
  const exchangeFor = (stream: Stream): Exchange => {
    const watching = exchanges.get(stream.name) ?? watchingClock(exchange, stream, effects);
    exchanges.set(stream.name, watching);
    return watching;
  };
  return {
    configuration,
    clock,
    log,
    store,
    warehouse: effects.warehouse,
    scratch,
    openEngine: effects.openEngine,
    signal,
    fetchEffects: (stream, priority = 'live') => ({
      store,
      clock,
      random,
      randomId,
      exchange: exchangeFor(stream),
      budget: budgetFor(budgets, configuration, effects, stream).lane(priority),
      circuit: incidents(stream).circuit,
      log,
      progress,
      signal,
    }),
    normalizeEffects: (stream) => ({
      store,
      clock,
      scratch,
      randomId,
      pool: effects.pool(),
      quarantine: async (batch, records) => {
        const count = await writeQuarantine(store, stream.name, batch, records, scratch);
        log.warn({ stream: stream.name, batch, records: count }, 'records quarantined');
      },
    }),
    serveEffects: () => ({ store, clock, log, randomId, holder: effects.holder() }),
    lease: (stream) => acquireLease({ store, stream: stream.name, clock, log, holder: effects.holder(), randomId, wait: true, signal }),
    incidents,
    close: async () => {
      for (const tracker of trackers.values()) await tracker.close();
      for (const budget of budgets.values()) await budget.close();
      await effects.close();
    },
  };
}

/** What streams share that ask one host with one key. */
const budgetName = ({ source }: Stream): string => `${new URL(source.list).origin} ${secretReference(source.auth)}`;

const sharing = (streams: readonly Stream[], stream: Stream): Stream[] =>
  [stream, ...streams].filter((each) => budgetName(each) === budgetName(stream));

/** A page's attempts are never used up before the circuit has asked whether the source answers at all. */
function circuitFor(circuits: Map<string, Circuit>, { streams }: Configuration, effects: ContextEffects, stream: Stream): Circuit {
  const name = budgetName(stream);
  const limits = sharing(streams, stream).map(({ source }) => ({ ...CIRCUIT, ...source.circuit, attempts: source.attempts }));
  const failures = Math.min(...limits.map((each) => Math.min(each.failures, each.attempts)));
  const longestMs = Math.min(...limits.map((each) => each.longestMs));
  const { origin } = new URL(stream.source.list);
  const circuit = circuits.get(name) ?? createCircuit(origin, { ...CIRCUIT, failures, longestMs }, effects);
  circuits.set(name, circuit);
  return circuit;
}

function budgetFor(budgets: Map<string, KeyBudget>, { streams }: Configuration, effects: ContextEffects, stream: Stream): KeyBudget {
  const name = budgetName(stream);
  const perMinute = Math.min(...sharing(streams, stream).map(({ source }) => source.requestsPerMinute));
  const { store, clock, log, random, wall = () => clock.now() / 1000 } = effects;
  const desk = (): TicketDesk => sharedDesk({ store, clock, log, random, name, perMinute, holder: effects.holder(), wall });
  const budget = budgets.get(name) ?? createRequestBudget(clock, perMinute, { desk: desk(), wall });
  budgets.set(name, budget);
  return budget;
}
