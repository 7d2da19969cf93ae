import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, type Micros, systemClock } from '../../src/clock.ts';
import { parseConfiguration } from '../../src/config.ts';
import { type Engine, openEngine } from '../../src/engine.ts';
import { type OpenInspection, openInspection } from '../../src/inspect/inspection.ts';
import { silentLog } from '../../src/log.ts';
import type { DeadLetter } from '../../src/manifest/documents.ts';
import type { PartnerSettings } from '../../src/partner/options.ts';
import { type Partner, startPartner } from '../../src/partner/server.ts';
import { type Context, openContext } from '../../src/pipeline/context.ts';
import { ALL_STAGES, type RunOptions, type StreamReport } from '../../src/pipeline/report.ts';
import { runStreams } from '../../src/pipeline/run.ts';
import { compress } from '../../src/store/compress.ts';
import { createJson } from '../../src/store/json.ts';
import { deadLetterKey } from '../../src/store/keys.ts';
import type { Configuration, Stream } from '../../src/stream.ts';
import { HOUR } from '../../src/time.ts';
import { sourceText } from '../support/source-text.ts';

export const START: Micros = Date.UTC(2026, 10, 1) * 1000;

/** The partner's clock is the world's: it stands still until a test sets it, while sockets and sleeps take their real time. */
export interface World {
  readonly folder: string;
  readonly configuration: Configuration;
  readonly partner: Partner;
  readonly clock: Clock;
  setNow(instant: Micros): void;
  stream(name: 'payments' | 'settlements'): Stream;
  /** Runs both streams until nothing is due, as the container does. */
  run(options?: Partial<RunOptions>): Promise<StreamReport[]>;
  withContext<T>(use: (context: Context) => Promise<T>): Promise<T>;
  inspect<T>(use: (inspection: OpenInspection) => Promise<T>, lockWaitMs?: number): Promise<T>;
  /** The same store and warehouse in a folder of their own, to be tampered with. */
  copy(): World;
  /** Puts a dead letter of payments into the store, with that gap. */
  putLetter(id: string, gap: NonNullable<DeadLetter['gap']>): Promise<void>;
  /** Local path of an object of the store. */
  pathOf(key: string): string;
  /** Puts other bytes in an object's place, compressed as its name says. */
  overwrite(key: string, body: string | Buffer): Promise<void>;
  /** The warehouse's file, opened as anybody may. */
  tamper(sql: string): Promise<void>;
  query(sql: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

export async function startWorld(settings: PartnerSettings = {}): Promise<World> {
  const partner = await startPartner({
    seed: 7,
    start: START,
    end: START + 6 * HOUR,
    payments: { recordsPerSecond: 0.05 },
    settlements: { recordsPerSecond: 0.02 },
    badShare: 0.04,
    sandboxShare: 0.2,
    faults: 'none',
    requestsPerMinute: 100_000,
    ...settings,
  });
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-inspect-'));
  const world = worldIn(folder, partner, { now: START + 3 * HOUR }, [() => partner.close()]);
  world.setNow(START + 3 * HOUR);
  return world;
}

function worldIn(folder: string, partner: Partner, time: { now: Micros }, closing: (() => Promise<void>)[]): World {
  const configuration = parseConfiguration(yaml(partner), join(folder, 'tidemark.yaml'), { PARTNER_KEY: partner.keys[0] });
  const clock: Clock = { ...systemClock, now: () => time.now };
  const withContext = async <T>(use: (context: Context) => Promise<T>): Promise<T> => {
    const context = await openContext(configuration, { clock, log: silentLog });
    try {
      return await use(context);
    } finally {
      await context.close();
    }
  };
  const warehousePath = join(folder, 'warehouse.duckdb');
  const pathOf = (key: string): string => join(folder, 'store', key);
  const inspect: World['inspect'] = async (use, lockWaitMs) => {
    const inspection = await openInspection(configuration, { clock, ...(lockWaitMs === undefined ? {} : { lockWaitMs }) });
    try {
      return await use(inspection);
    } finally {
      await inspection.close();
    }
  };
  const copies: World[] = [];
  return {
    folder,
    configuration,
    partner,
    clock,
    setNow: (instant) => {
      time.now = instant;
      partner.setNow(instant);
    },
    stream: (name) => {
      const stream = configuration.streams.find((candidate) => candidate.name === name);
      if (!stream) throw new Error(`there is no stream ${name}`);
      return stream;
    },
    run: (options) =>
      withContext((context) =>
        runStreams(context, configuration.streams, { once: true, sweep: false, until: null, stages: ALL_STAGES, ...options }),
      ),
    withContext,
    inspect,
    putLetter: async (id, gap) => {
      await inspect(({ store }) => createJson(store, deadLetterKey('payments', id), letterOf(id, gap, time.now)));
    },
    copy: () => {
      const to = mkdtempSync(join(tmpdir(), 'tidemark-inspect-'));
      cpSync(folder, to, { recursive: true });
      const copy = worldIn(to, partner, { now: time.now }, []);
      copies.push(copy);
      return copy;
    },
    pathOf,
    overwrite: async (key, body) => writeFileSync(pathOf(key), key.endsWith('.zst') ? await compress(Buffer.from(body)) : body),
    tamper: (sql) => withEngine(warehousePath, (engine) => engine.run(sql)),
    query: (sql) => withEngine(warehousePath, (engine) => engine.rows(sql)),
    close: async () => {
      for (const copy of copies) await copy.close();
      for (const close of closing) await close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const letterOf = (id: string, gap: DeadLetter['gap'], at: Micros): DeadLetter => ({
  format: 1,
  id,
  stream: 'payments',
  window: { kind: 'poll', start: START, end: at },
  slot: 1,
  cursor: null,
  url: 'http://127.0.0.1/',
  pageSize: 1,
  attempts: 8,
  reason: 'status 500',
  status: 500,
  body: null,
  gap,
  at,
});

async function withEngine<T>(path: string, use: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await openEngine({ path, threads: 1, memoryBytes: 256 << 20, tempDirectory: `${path}.spill` });
  try {
    return await use(engine);
  } finally {
    await engine.close();
  }
}

const SOURCE = { secret: 'env:PARTNER_KEY', pageSize: 200, attempts: 8, requestsPerMinute: 100_000 };

const yaml = ({ url }: Partner): string => `
store: file:./store
warehouse: duckdb:./warehouse.duckdb
workers: { threads: 1, memory: 256MB, scratch: ./scratch }
streams:
  payments:
${sourceText({ ...SOURCE, list: `${url}/events`, lookupBy: 'event_id' })}
    environment: { field: environment }
    key: [environment, event_id]
    version: [updated_at, event_version]
    poll: { every: 5m, outOfOrder: 2h, lateness: 48h, deadline: 15m }
  settlements:
${sourceText({ ...SOURCE, list: `${url}/settlements` })}
    key: [vendor_txn_id]
    version: [updated_at]
    poll: { every: 1h, lateness: 48h, deadline: 2h }
    quality:
      rows: { amount: "present and >= 0", currency: "in USD, CAD, MXN" }
`;
