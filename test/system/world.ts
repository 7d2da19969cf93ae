import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Micros } from '../../src/clock.ts';
import { loadConfiguration } from '../../src/config.ts';
import { type Proof, prove } from '../../src/demo/proof.ts';
import type { Warehouse } from '../../src/load/warehouse.ts';
import { FAULT_PROFILES, type FaultProfile } from '../../src/partner/faults.ts';
import type { PartnerSettings } from '../../src/partner/options.ts';
import { type Partner, startPartner } from '../../src/partner/server.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { openStore } from '../../src/store/open.ts';
import type { Configuration, Stream } from '../../src/stream.ts';
import { formatInstant, HOUR, parseInstant } from '../../src/time.ts';
import type { S3Proxy } from '../support/s3-proxy.ts';
import { type Ended, type Running, type StartOptions, start } from '../support/tidemark.ts';
import { openTestWarehouse } from './table.ts';

/** A small partner, a configuration for it, and the program run against it as processes of their own. */

export const NOW: Micros = parseInstant('2026-11-20T12:00:00Z', 'iso') ?? 0;
const KEYS = ['payments-key', 'settlements-key'];
/** What the first poll looks back over, wherever in the world's last hours it is made. */
const WORLD = 49 * HOUR;
/** Records grow a field for the fourth time half an hour before the world's end. */
const GROW_EVERY = (WORLD - HOUR / 2) / 4;

/** As hostile as the demo's partner, without the stalls, which cost real time. */
export const HOSTILE: FaultProfile = { ...FAULT_PROFILES.hostile, rates: { ...FAULT_PROFILES.hostile.rates, stall: 0 } };

export interface WorldOptions {
  readonly seed: number;
  readonly partner?: PartnerSettings;
  /** More of the configuration, by stream, indented as its other keys. */
  readonly payments?: string;
  readonly settlements?: string;
  /** More of the payments' `response`. */
  readonly response?: string;
  readonly pageSize?: number;
  readonly attempts?: number;
  /** A folder to work in that another world left; made where left out. */
  readonly folder?: string;
  /** A bucket in place of the folder's own store. */
  readonly bucket?: TestBucket;
}

/** A bucket on a real server, and the proxy through which the program reaches it. */
export interface TestBucket {
  readonly name: string;
  readonly region: string;
  readonly proxy: S3Proxy;
}

export interface TestWorld {
  readonly folder: string;
  readonly config: string;
  readonly partner: Partner;
  readonly settings: Configuration;
  readonly store: ObjectStore;
  readonly bucket: TestBucket | undefined;
  stream(name: 'payments' | 'settlements'): Stream;
  /** Sets the partner's clock and starts a command at that time. */
  start(now: Micros, given: readonly string[], options?: StartOptions): Running;
  run(now: Micros, given: readonly string[], options?: StartOptions): Promise<Ended>;
  /** Works on the warehouse of this world, and closes it. */
  withWarehouse<T>(work: (warehouse: Warehouse) => Promise<T>): Promise<T>;
  /** The warehouse held against the partner's truth. */
  prove(): Promise<Record<string, Proof>>;
  close(): Promise<void>;
}

export async function openWorld(options: WorldOptions): Promise<TestWorld> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'tidemark-system-')));
  const partner = await startPartner({
    seed: options.seed,
    start: NOW - WORLD,
    end: NOW,
    growEvery: GROW_EVERY,
    now: NOW - WORLD,
    keys: KEYS,
    requestsPerMinute: 60_000,
    payments: { recordsPerSecond: 0.018 },
    settlements: { recordsPerSecond: 0.005 },
    faults: HOSTILE,
    poison: [],
    retryAfterSeconds: 0,
    ...options.partner,
  });
  const config = join(folder, 'tidemark.yaml');
  for (const key of KEYS) await writeFile(join(folder, key), key);
  await writeFile(config, configurationText(partner.url, options));
  return worldIn(folder, config, partner, options.bucket);
}

async function worldIn(folder: string, config: string, partner: Partner, bucket: TestBucket | undefined): Promise<TestWorld> {
  const settings = loadConfiguration(config);
  const store = await openStore(settings.store);
  const withWarehouse: TestWorld['withWarehouse'] = async (work) => {
    const warehouse = openTestWarehouse(settings);
    try {
      return await work(warehouse);
    } finally {
      await warehouse.close();
    }
  };
  const startAt: TestWorld['start'] = (now, given, options) => {
    partner.setNow(now);
    return start([...given, '--config', config, '--now', formatInstant(now), '--log-level', 'info'], options);
  };
  return {
    folder,
    config,
    partner,
    settings,
    store,
    bucket,
    stream: (name) => settings.streams.find((stream) => stream.name === name) as Stream,
    start: startAt,
    run: (now, given, options) => startAt(now, given, options).ended,
    withWarehouse,
    prove: () =>
      withWarehouse(async (warehouse) => {
        const proofs: Record<string, Proof> = {};
        for (const stream of settings.streams) proofs[stream.name] = await prove(warehouse, stream, partner);
        return proofs;
      }),
    close: async () => {
      await partner.close();
      await bucket?.proxy.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const storeText = (bucket?: TestBucket): string =>
  bucket
    ? `{ url: "s3://${bucket.name}/landing", region: ${bucket.region}, endpoint: "${bucket.proxy.endpoint}", pathStyle: true }`
    : 'file:./store';

const configurationText = (url: string, options: WorldOptions): string => `store: ${storeText(options.bucket)}
warehouse: duckdb:./warehouse.duckdb
workers: { threads: 1, memory: 256MB, scratch: ./scratch }
streams:
  payments:
    source:
      list: ${url}/events
      lookup: ${url}/events/{event_id}
      auth: { bearer: file:./payments-key }
      query: { since: updated_since, size: page_size, cursor: cursor }
      response: { records: $.data, next: $.next_cursor, more: $.has_more${options.response ?? ''} }
      pageSize: ${options.pageSize ?? 500}
      attempts: ${options.attempts ?? 6}
      requestsPerMinute: 60000
      timeout: 10s
      circuit: { patience: 2s }
    environment: { field: environment }
    key: [environment, event_id]
    version: [updated_at, event_version]
    latestBy: [environment, transaction_id]
    poll: { every: 5m, outOfOrder: 2h, lateness: 48h, start: 50h, deadline: 15m }
${options.payments ?? ''}
  settlements:
    source:
      list: ${url}/settlements
      lookup: ${url}/settlements/{vendor_txn_id}
      auth: { bearer: file:./settlements-key }
      query: { since: updated_since, size: page_size, cursor: cursor }
      response: { records: $.data, next: $.next_cursor, more: $.has_more }
      pageSize: ${options.pageSize ?? 250}
      attempts: ${options.attempts ?? 6}
      requestsPerMinute: 60000
      timeout: 10s
      circuit: { patience: 2s }
    key: [vendor_txn_id]
    version: [updated_at]
    poll: { every: 1h, outOfOrder: 2h, lateness: 48h, start: 50h, deadline: 2h }
    quality:
      rows: { amount: "present and >= 0", currency: "in USD, CAD, MXN" }
${options.settlements ?? ''}
`;
