import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, Micros } from '../../src/clock.ts';
import { type Engine, openEngine } from '../../src/engine.ts';
import { DuckDBWarehouse } from '../../src/load/duckdb.ts';
import type { Warehouse } from '../../src/load/warehouse.ts';
import type { Batch } from '../../src/manifest/documents.ts';
import { duckdbType } from '../../src/schema/duckdb-types.ts';
import type { RecordSchema } from '../../src/schema/types.ts';
import { identifier, literal } from '../../src/sql.ts';
import type { StoreConfig, Stream } from '../../src/stream.ts';
import { formatInstant, HOUR, MINUTE, SECOND } from '../../src/time.ts';
import { canonical, type Json } from '../support/canonical-json.ts';
import { membersOf, valueSql } from '../support/typed-sql.ts';

export const START: Micros = Date.UTC(2026, 10, 1) * 1000;

/** A clock that stands still but for those who sleep. */
export function manualClock(): Clock {
  let now = 0;
  return {
    now: () => START + now * 1000,
    monotonicMs: () => now,
    sleep: async (ms) => {
      now += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/** The bucket that a stage reads, as the configuration has it. */
export const bucketConfig = (prefix = ''): Extract<StoreConfig, { kind: 's3' }> => ({
  kind: 's3',
  bucket: 'bucket',
  prefix,
  region: undefined,
  endpoint: undefined,
  pathStyle: false,
  kmsKey: undefined,
  tags: true,
});

/** A second passes at once; a longer wait lasts until it is given up: for a lock, until that is free. */
export function clockOfSeconds(): Clock {
  const clock = manualClock();
  const forever = (signal?: AbortSignal): Promise<void> =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
  return { ...clock, sleep: (ms, signal) => (ms <= 1000 ? clock.sleep(ms) : forever(signal)) };
}

export function makeStream(change: Partial<Stream> = {}): Stream {
  return {
    name: 'payments',
    source: {
      list: 'http://127.0.0.1/events',
      lookup: null,
      auth: { kind: 'none' },
      pagination: { kind: 'cursor', parameter: 'cursor', next: ['next'], more: null },
      since: { parameter: 'since', form: 'iso' },
      sizeParameter: null,
      parameters: {},
      records: ['data'],
      pageSize: 100,
      requestsPerMinute: 1000,
      attempts: 3,
      timeoutMs: 1000,
      chains: { most: 4, pages: 20 },
    },
    environment: { field: 'environment' },
    key: [
      { name: 'environment', constant: null },
      { name: 'event_id', constant: null },
    ],
    version: [{ name: 'updated_at', form: 'iso' }, { name: 'event_version' }],
    poll: {
      every: 5 * MINUTE,
      outOfOrder: 2 * HOUR,
      clocks: 5 * MINUTE,
      lateness: 48 * HOUR,
      overlap: { least: 15 * MINUTE, most: 2 * HOUR },
      deadline: 15 * MINUTE,
      start: 48 * HOUR,
    },
    quality: { rows: [], volume: null },
    latestBy: [],
    personal: [],
    ...change,
  };
}

/** One observation: what the record says. Its content hash follows from that alone. */
export interface Observation {
  readonly key: readonly [environment: string, id: string];
  readonly version: readonly [time: Micros, number: number];
  readonly fields: Readonly<Record<string, Json>>;
}

export const contentHash = ({ key, version, fields }: Observation): string =>
  createHash('sha256')
    .update(JSON.stringify([key, version]) + canonical(fields))
    .digest('hex')
    .slice(0, 32);

/** The law, written as plainly as it can be. */
export function winners(observations: readonly Observation[]): Observation[] {
  const best = new Map<string, Observation>();
  for (const one of observations) {
    const id = JSON.stringify(one.key);
    const held = best.get(id);
    if (!held || isGreater(one, held)) best.set(id, one);
  }
  return [...best.values()].toSorted((a, b) => (a.key.join('\0') < b.key.join('\0') ? -1 : 1));
}

function isGreater(a: Observation, b: Observation): boolean {
  if (a.version[0] !== b.version[0]) return a.version[0] > b.version[0];
  if (a.version[1] !== b.version[1]) return a.version[1] > b.version[1];
  return contentHash(a) > contentHash(b);
}

export const schemaOf = (version: number, types: Parameters<typeof membersOf>[0], overflow: readonly string[] = []): RecordSchema => ({
  version,
  fields: membersOf(types),
  overflow,
});

/** A folder with a warehouse and an engine that writes Parquet files. */
export interface LoadBench {
  readonly folder: string;
  readonly engine: Engine;
  open(): Warehouse;
  /** Writes a batch as the normalizer would: each key once. */
  batch(id: string, schema: RecordSchema, observations: readonly Observation[], change?: Partial<Batch>): Promise<WrittenBatch>;
}

export interface Bench extends LoadBench {
  readonly path: string;
  readonly clock: Clock;
  open(change?: {
    readonly lockWaitMs?: number;
    readonly clock?: Clock;
    readonly path?: string;
    readonly open?: typeof openEngine;
  }): DuckDBWarehouse;
  close(): Promise<void>;
}

export interface WrittenBatch {
  readonly batch: Batch;
  readonly files: readonly string[];
}

export async function makeBench(): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-load-'));
  const limits = { threads: 1, memoryBytes: 256 << 20, tempDirectory: join(folder, 'spill') };
  const engine = await openEngine({ path: ':memory:', ...limits });
  const clock = manualClock();
  const path = join(folder, 'warehouse.duckdb');
  return {
    folder,
    path,
    engine,
    clock,
    open: (change) => new DuckDBWarehouse({ path, clock, ...limits, ...change }),
    batch: (id, schema, observations, change) => writeBatch(engine, folder, id, schema, winners(observations), change),
    close: async () => {
      await engine.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function writeBatch(
  engine: Engine,
  folder: string,
  id: string,
  schema: RecordSchema,
  rows: readonly Observation[],
  change: Partial<Batch> = {},
): Promise<WrittenBatch> {
  const file = join(folder, `batch=${id}.parquet`);
  const select = rows.length > 0 ? rows.map((row, index) => rowSql(row, schema, id, index)).join(' UNION ALL ') : emptySql(schema);
  await engine.run(`COPY (${select}) TO ${literal(file)} (FORMAT parquet, COMPRESSION zstd)`);
  return { batch: batchOf(id, schema, rows, file, change), files: [file] };
}

const columnList = (schema: RecordSchema): [name: string, type: string][] => [
  ['environment', 'VARCHAR'],
  ['event_id', 'VARCHAR'],
  ['updated_at', 'TIMESTAMPTZ'],
  ['event_version', 'BIGINT'],
  ...schema.fields.map(({ name, type }): [string, string] => [name, duckdbType(type)]),
  ['_overflow', 'MAP(VARCHAR, VARCHAR)'],
  ['_page', 'VARCHAR'],
  ['_position', 'INTEGER'],
  ['_content_hash', 'VARCHAR'],
  ['_batch', 'VARCHAR'],
];

const emptySql = (schema: RecordSchema): string =>
  `SELECT ${columnList(schema)
    .map(([name, type]) => `CAST(NULL AS ${type}) AS ${identifier(name)}`)
    .join(', ')} WHERE false`;

function rowSql(row: Observation, schema: RecordSchema, batch: string, position: number): string {
  const values = [
    ...row.key.map(literal),
    `make_timestamptz(${row.version[0]})`,
    `${row.version[1]}::BIGINT`,
    ...schema.fields.map(({ name, type }) => valueSql(row.fields[name] ?? null, type)),
    overflowSql(row, schema),
    literal(`raw/v1/payments/page-of-${batch}.json.zst`),
    `${position}::INTEGER`,
    literal(contentHash(row)),
    literal(batch),
  ];
  return `SELECT ${columnList(schema)
    .map(([name], index) => `${values[index]} AS ${identifier(name)}`)
    .join(', ')}`;
}

function overflowSql(row: Observation, schema: RecordSchema): string {
  const names = schema.overflow.filter((name) => (row.fields[name] ?? null) !== null);
  if (names.length === 0) return 'CAST(NULL AS MAP(VARCHAR, VARCHAR))';
  return `MAP {${names.map((name) => `${literal(name)}: ${literal(canonical(row.fields[name] ?? null))}`).join(', ')}}`;
}

function batchOf(id: string, schema: RecordSchema, rows: readonly Observation[], file: string, change: Partial<Batch>): Batch {
  const counts = { observations: rows.length, quarantined: 0, distinct: rows.length, known: 0, rows: rows.length, conflicts: 0, exact: 0 };
  const times = rows.map((row) => row.version[0]);
  return {
    format: 1,
    id,
    stream: 'payments',
    definition: 'one',
    origin: 'live',
    window: { kind: 'poll', start: START, end: START + HOUR },
    pages: [],
    schema,
    files: [{ key: file, sha256: '', bytes: 0, rows: rows.length }],
    sightings: [],
    counts,
    minTime: times.length > 0 ? Math.min(...times) : null,
    maxTime: times.length > 0 ? Math.max(...times) : null,
    basis: [],
    createdAt: START,
    ...change,
  };
}

export const observe = (id: string, version: number, fields: Record<string, Json>, environment = 'prod'): Observation => ({
  key: [environment, id],
  version: [START + version * SECOND, version],
  fields,
});

const LINEAGE_COLUMNS = ['_page', '_position', '_batch', '_loaded_at'];

/** Every row of the curated table, byte for byte but for its lineage. */
export async function tableOf(warehouse: Warehouse, stream: Stream): Promise<string[]> {
  const rows = await warehouse.find(stream, [null, null]);
  return rows.map(({ row }) => LINEAGE_COLUMNS.reduce(withoutColumn, row));
}

/** Cut out of the text, so that no digit goes through a double. */
const withoutColumn = (row: string, name: string): string => row.replace(new RegExp(`,"${name}":("[^"]*"|\\d+)`), '');

/** What `tableOf` must say of a table with those fields. */
export function expectedTable(observations: readonly Observation[], schema: RecordSchema): string[] {
  return winners(observations).map((row) => {
    const fixed = [
      `"environment":${JSON.stringify(row.key[0])}`,
      `"event_id":${JSON.stringify(row.key[1])}`,
      `"updated_at":${JSON.stringify(formatInstant(row.version[0]))}`,
      `"event_version":${row.version[1]}`,
    ];
    const present = (name: string): boolean => (row.fields[name] ?? null) !== null;
    const member = (name: string): string => `${JSON.stringify(name)}:${canonical(row.fields[name] ?? null)}`;
    const fields = schema.fields.map((field) => field.name).filter(present);
    const odd = schema.overflow.filter(present);
    const overflow = odd.length > 0 ? [`"_overflow":{${odd.map(member).join(',')}}`] : [];
    return `{${[...fixed, ...fields.map(member), ...overflow, `"_content_hash":"${contentHash(row)}"`].join(',')}}`;
  });
}
