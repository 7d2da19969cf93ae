import { hash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { type Clock, systemClock } from '../../src/clock.ts';
import { type Engine, type EngineRow, openEngine } from '../../src/engine.ts';
import { measureBody } from '../../src/json/measure.ts';
import type { Batch, BatchFile, IndexRef, QuarantinedRecord } from '../../src/manifest/documents.ts';
import type { BatchInput, LoadedBatch, PageSource } from '../../src/normalize/batch.ts';
import { type Definition, fieldsOf } from '../../src/normalize/definition.ts';
import { normalizeBatch } from '../../src/normalize/normalize.ts';
import { openPool, type Pool } from '../../src/normalize/pool.ts';
import { fieldNames, type ReadFields } from '../../src/page/fields.ts';
import type { LineBuffer } from '../../src/page/line-buffer.ts';
import { indexPage } from '../../src/page/page-index.ts';
import { convertSql } from '../../src/schema/convert.ts';
import { jsonSql } from '../../src/schema/json-sql.ts';
import { shapeToJson } from '../../src/schema/shape.ts';
import { LINEAGE, OVERFLOW, type RecordSchema } from '../../src/schema/types.ts';
import { identifier, literal, literalList } from '../../src/sql.ts';
import { indexKey } from '../../src/store/keys.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';

/** Records with `id`, ordered by `updated_at` and `v`. */
export const EVENTS: Definition = {
  stream: 'events',
  key: [
    { name: 'environment', constant: 'prod' },
    { name: 'id', constant: null },
  ],
  version: [{ name: 'updated_at', form: 'iso' }, { name: 'v' }],
  records: ['data'],
  rules: [],
};

export interface Normalized {
  readonly batch: Batch;
  readonly quarantined: readonly QuarantinedRecord[];
}

/** A row as text, so that two are the same where they hold the same: lineage aside, but for the content hash. */
export interface CanonicalRow {
  readonly id: string;
  /** Microseconds. */
  readonly time: number;
  readonly v: number;
  readonly hash: string;
  /** Canonical JSON by name, of columns and overflow alike; what is null is left out. */
  readonly fields: ReadonlyMap<string, string>;
}

/** The real stage: threads, DuckDB and a store in memory. */
export interface Stage {
  readonly pool: Pool;
  readonly engine: Engine;
  readonly scratch: string;
  normalize(
    store: ObjectStore,
    pages: readonly PageSource[],
    more?: Partial<BatchInput> & { clock?: Clock; pool?: Pool },
  ): Promise<Normalized>;
  /** Rows of a batch's files, as the engine reads them. */
  rows(store: ObjectStore, files: readonly BatchFile[]): Promise<EngineRow[]>;
  /** Their keys, sorted. */
  ids(store: ObjectStore, files: readonly BatchFile[]): Promise<string[]>;
  /** Rows of a batch under `schema`, its own or a wider one. */
  canonicalRows(store: ObjectStore, batch: Batch, schema?: RecordSchema): Promise<CanonicalRow[]>;
  close(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const scratch = mkdtempSync(join(tmpdir(), 'tidemark-normalize-'));
  const tempDirectory = join(scratch, 'spill');
  const pool = openPool(2, { memoryBytes: 512 * 1024 * 1024, tempDirectory });
  const engine = await openEngine({ path: ':memory:', threads: 1, memoryBytes: 512 * 1024 * 1024, tempDirectory: join(scratch, 'reader') });
  const local = async (store: ObjectStore, files: readonly BatchFile[]): Promise<string[]> => {
    const folder = mkdtempSync(join(scratch, 'files-'));
    const paths = files.map((_file, index) => join(folder, `${index}.parquet`));
    for (const [index, file] of files.entries()) await store.download(file.key, paths[index] as string);
    return paths;
  };
  const select = async (store: ObjectStore, files: readonly BatchFile[], columns: string): Promise<EngineRow[]> =>
    files.length === 0 ? [] : engine.rows(`SELECT ${columns} FROM read_parquet(${literalList(await local(store, files))})`);

  return {
    pool,
    engine,
    scratch,
    normalize: async (store, pages, { clock = systemClock, pool: other = pool, ...more } = {}) => {
      const quarantined: QuarantinedRecord[] = [];
      const batch = await normalizeBatch(
        { definition: EVENTS, pages, origin: 'live', window: null, released: [], loaded: [], ...more },
        {
          store,
          pool: other,
          clock,
          randomId: randomUUID,
          scratch: join(scratch, 'work'),
          quarantine: async (_batch, records) => {
            for await (const record of records) quarantined.push(record);
          },
        },
      );
      return { batch, quarantined };
    },
    rows: (store, files) => select(store, files, '*'),
    ids: async (store, files) => (await select(store, files, 'id')).map((row) => textOf(row['id'])).sort(),
    canonicalRows: async (store, batch, schema = batch.schema) => {
      const rows = await select(store, batch.files, canonicalColumns(batch, schema));
      return rows.map(({ id, time, v, hash, ...texts }) => ({
        id: textOf(id),
        time: Number(time),
        v: Number(v),
        hash: textOf(hash),
        fields: new Map(namesOf(schema).flatMap((name, at) => (texts[`c${at}`] === null ? [] : [[name, textOf(texts[`c${at}`])]]))),
      }));
    },
    close: async () => {
      await pool.close();
      await engine.close();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

function textOf(value: EngineRow[string] | undefined): string {
  if (typeof value !== 'string') throw new Error(`expected a text, found ${JSON.stringify(value)}`);
  return value;
}

const namesOf = (schema: RecordSchema): string[] => [...schema.fields.map((field) => field.name), ...schema.overflow].sort();

/** As canonical text a decimal with more room for digits writes the same digits, and a text its byte order mark, which the client drops. */
function canonicalColumns(batch: Batch, schema: RecordSchema): string {
  const had = new Map(batch.schema.fields.map((field) => [field.name, field.type]));
  const types = new Map(schema.fields.map((field) => [field.name, field.type]));
  const columns = namesOf(schema).map((name) => {
    const from = had.get(name);
    const to = types.get(name) ?? from;
    if (from && to) return jsonSql(convertSql(identifier(name), from, to), to);
    return batch.schema.overflow.includes(name) ? `${OVERFLOW}[${literal(name)}]` : 'NULL';
  });
  const fixed = `id, epoch_us(updated_at) AS time, v, ${LINEAGE.contentHash} AS hash`;
  return [fixed, ...columns.map((column, at) => `${column} AS c${at}`)].join(', ');
}

/** A page as the fetch stage lands it: zstd, with its index and what its receipt says. */
export async function landedPage(store: ObjectStore, name: string, body: string | Buffer, definition = EVENTS): Promise<PageSource> {
  const bytes = Buffer.from(body);
  const key = `raw/v1/events/${name}.json.zst`;
  const fields = fieldsOf(definition);
  const measure = measureBody(bytes, { records: definition.records, envelope: [], capture: fieldNames(fields) });
  const stored = zstdCompressSync(bytes);
  await store.create(key, stored);
  const { span, shape, records } = measure;
  const index = await landIndex(store, key, indexPage({ body: bytes, measure }, fields), fields);
  return {
    key,
    store,
    object: key,
    measured: { sha256: hash('sha256', bytes), storedSha256: hash('sha256', stored), span, shape: shapeToJson(shape), records, index },
  };
}

async function landIndex(store: ObjectStore, page: string, index: LineBuffer | null, fields: ReadFields): Promise<IndexRef | null> {
  if (!index) return null;
  const sha256 = hash('sha256', index.bytes());
  const stored = zstdCompressSync(index.bytes());
  await store.create(indexKey(page, sha256), stored);
  return { sha256, fields: fieldNames(fields), stored: { sha256: hash('sha256', stored) } };
}

/** A body that nobody measured, with exactly those bytes in the store. */
export async function foreignPage(store: ObjectStore, name: string, stored: string | Buffer): Promise<PageSource> {
  const key = `legacy/${name}`;
  await store.create(key, Buffer.from(stored));
  return { key: `s3://elsewhere/${key}`, store, object: key, measured: null };
}

/** A page's body from the texts of its records. */
export const bodyOf = (records: readonly string[]): string => `{"data":[${records.join(',')}]}`;

export const event = (id: string, more: Record<string, unknown> = {}): string =>
  JSON.stringify({ id, updated_at: '2026-11-20T10:00:00Z', v: 1, ...more });

export const contentHash = (record: string): string => hash('sha256', record).slice(0, 32);

export const loadedEntry = (batch: Batch): LoadedBatch => ({ batch: batch.id, minTime: batch.minTime, maxTime: batch.maxTime });

export async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}
