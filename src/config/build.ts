import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Micros } from '../clock.ts';
import { assert } from '../errors.ts';
import type { ColumnType } from '../schema/types.ts';
import type {
  Configuration,
  ContractTerm,
  KeyColumn,
  Quality,
  Secret,
  StoreConfig,
  Stream,
  Transform,
  WarehouseConfig,
  WorkerLimits,
} from '../stream.ts';
import { parseDuration } from '../time.ts';
import { buildListen } from './build-listen.ts';
import { buildSource, timesOf } from './build-source.ts';
import { COLUMN_TYPE, CONTRACT_TERM, type ConfigurationInput, type StreamInput } from './definition.ts';
import type { Environment } from './environment.ts';
import { pollOf } from './poll.ts';
import { secretAt } from './secret.ts';
import { bytesOf } from './size.ts';

/** Turns what was checked into what the program uses: complete, with absolute paths, frozen all the way down. */
export function buildConfiguration(input: ConfigurationInput, path: string, environment: Environment): Configuration {
  const absolute = resolve(path);
  const folder = dirname(absolute);
  const secretOf = (reference: string) => secretAt(reference, folder, environment);
  return frozen({
    path: absolute,
    store: storeOf(input.store, folder),
    warehouse: warehouseOf(input.warehouse, folder, secretOf),
    streams: Object.entries(input.streams).map(([name, stream]) => streamOf(name, stream, secretOf, typeof input.warehouse !== 'string')),
    workers: workersOf(input.workers, folder),
  });
}

function storeOf(input: ConfigurationInput['store'], folder: string): StoreConfig {
  const store = typeof input === 'string' ? { url: input } : input;
  const { url, region, endpoint, pathStyle = false, kmsKey, tags = true } = store;
  if (url.startsWith('file:')) return { kind: 'file', path: localPath(url, folder) };
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(url) ?? [];
  return { kind: 's3', bucket, prefix: prefix.replace(/\/+$/, ''), region, endpoint, pathStyle, kmsKey, tags };
}

function warehouseOf(input: ConfigurationInput['warehouse'], folder: string, secretOf: (reference: string) => Secret): WarehouseConfig {
  if (typeof input === 'string') return { kind: 'duckdb', path: resolve(folder, input.slice('duckdb:'.length)) };
  const { user, privateKey, passphrase, workloadIdentity, token, storageIntegration, url, ...rest } = input.snowflake;
  const { statementTimeout = '10m', lockTimeout = '1m', ...names } = rest;
  const secretOrNone = (reference: string | undefined) => (reference === undefined ? undefined : secretOf(reference));
  return {
    kind: 'snowflake',
    ...names,
    user,
    privateKey: secretOrNone(privateKey),
    passphrase: secretOrNone(passphrase),
    workloadIdentity,
    token: secretOrNone(token),
    storageIntegration,
    url: url?.replace(/\/+$/, ''),
    statementTimeout: durationOf(statementTimeout),
    lockTimeout: durationOf(lockTimeout),
  };
}

function durationOf(text: string): Micros {
  const micros = parseDuration(text);
  assert(micros !== null, 'a duration that is none passed the checks');
  return micros;
}

const localPath = (url: string, folder: string): string =>
  url.startsWith('file://') ? fileURLToPath(url) : resolve(folder, url.slice('file:'.length));

function streamOf(name: string, input: StreamInput, secretOf: (reference: string) => Secret, isLoadDear: boolean): Stream {
  const [time, ...integers] = input.version;
  assert(time !== undefined, 'a version without columns passed the checks');
  return {
    name,
    source: buildSource(input.source, secretOf),
    environment: typeof input.environment === 'string' ? { constant: input.environment } : (input.environment ?? null),
    key: input.key.map((column) => keyColumn(column, input.environment)),
    version: [{ name: time, form: timesOf(input.source).records }, ...integers.map((column) => ({ name: column }))],
    poll: pollOf(input.poll, isLoadDear),
    listen: input.listen ? buildListen(name, input.listen, secretOf) : null,
    quality: qualityOf(input.quality),
    contract: Object.entries(input.contract ?? {}).map(([path, text]) => termOf(path, text)),
    transform: input.transform ? transformOf(input.transform) : null,
    candidates: input.candidates ?? {},
    latestBy: input.latestBy ?? [],
    clusterBy: input.clusterBy ?? null,
    personal: input.personal ?? [],
    money: input.money ? { amount: input.money.amount.split('.'), currency: input.money.currency.split('.') } : null,
  };
}

function termOf(path: string, text: string): ContractTerm {
  const [, mode, at = '0'] = CONTRACT_TERM.exec(text) ?? [];
  return { path: path === '$' ? [] : path.split('.'), mode: (mode ?? 'evolve') as ContractTerm['mode'], at: Number(at) };
}

function transformOf({ version, columns = {} }: NonNullable<StreamInput['transform']>): Transform {
  return { version, columns: Object.entries(columns).map(([name, { type, sql }]) => ({ name, type: columnTypeOf(type), sql })) };
}

function columnTypeOf(text: string): ColumnType {
  const [, kind, precision, scale] = COLUMN_TYPE.exec(text) ?? [];
  if (kind === 'boolean' || kind === 'integer' || kind === 'text') return { kind };
  return { kind: 'decimal', precision: Number(precision) <= 18 ? 18 : 38, scale: Number(scale) };
}

function keyColumn(name: string, environment: StreamInput['environment']): KeyColumn {
  return { name, constant: name === 'environment' && typeof environment === 'string' ? environment : null };
}

function qualityOf(input: StreamInput['quality']): Quality {
  const rows = Object.entries(input?.rows ?? {}).map(([field, text]) => ({ field, text }));
  return { rows, volume: input?.volume ?? null };
}

/** More threads than four rarely pay: DuckDB's queries share libuv's pool, and memory is a limit a thread. */
const MOST_THREADS = 4;
const DEFAULT_MEMORY = '400MB';
const DEFAULT_BATCH_RECORDS = 1_000_000;

function workersOf(input: ConfigurationInput['workers'], folder: string): WorkerLimits {
  const memoryBytes = bytesOf(input?.memory ?? DEFAULT_MEMORY);
  assert(memoryBytes !== null, 'a size that is none passed the checks');
  return {
    threads: input?.threads ?? Math.min(availableParallelism(), MOST_THREADS),
    memoryBytes,
    batchRecords: input?.batchRecords ?? DEFAULT_BATCH_RECORDS,
    scratch: input?.scratch === undefined ? join(tmpdir(), 'tidemark') : resolve(folder, input.scratch),
  };
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) frozen(member);
  return Object.freeze(value);
}
