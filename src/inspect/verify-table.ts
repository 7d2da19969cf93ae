import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineRow } from '../engine.ts';
import { textOf } from '../load/values.ts';
import type { Warehouse } from '../load/warehouse.ts';
import type { Batch } from '../manifest/documents.ts';
import type { TimeRange } from '../manifest/landed.ts';
import { LINEAGE } from '../schema/types.ts';
import { identifier, literal, literalList } from '../sql.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Stream } from '../stream.ts';
import type { Findings } from './findings.ts';
import { versionRecord } from './law.ts';
import { bringFile, type Scratch } from './scratch.ts';
import { writeLines } from './verify-batches.ts';
import { SAMPLE_LIMIT } from './verify-report.ts';

export interface TableFacts {
  readonly expected: number;
  readonly rows: number;
}

/** Sightings that are on this machine at once; each round leaves only the winners so far. */
const FILES = 16;

/**
 * The table holds exactly the law's winners over the sightings of loaded batches: no key missing, none too many, none stale, none twice.
 * DuckDB does it in narrow rows, and spills what does not fit.
 * @param range only keys whose winner or whose row has its time in there are judged.
 */
export async function verifyTable(
  inspection: { readonly store: ObjectStore; readonly warehouse: Warehouse },
  stream: Stream,
  loaded: readonly Batch[],
  range: TimeRange | null,
  scratch: Scratch,
  findings: Findings,
): Promise<TableFacts> {
  const { engine, folder } = scratch;
  const rows = join(folder, 'rows.ndjson');
  try {
    await settleWinners(
      inspection.store,
      stream,
      loaded.filter((batch) => reaches(batch, range)),
      scratch,
    );
    await writeLines(rows, identities(inspection.warehouse, stream));
    await engine.run(heldSql(stream, rows));
    await compare(stream, range, scratch, findings);
    const within = range ? ` WHERE v0 >= ${range.from} AND v0 < ${range.to}` : '';
    const [counted] = await engine.rows(
      `SELECT (SELECT count(*) FROM winners${within}) AS expected, (SELECT coalesce(sum(copies), 0)::BIGINT FROM held${within}) AS found`,
    );
    return { expected: Number(counted?.['expected']), rows: Number(counted?.['found']) };
  } finally {
    await engine.run('DROP TABLE IF EXISTS winners; DROP TABLE IF EXISTS held');
    await rm(rows, { force: true });
  }
}

/** A batch that ends before the range cannot hold a winner, or anything greater than one, that lies in it. */
const reaches = (batch: Batch, range: TimeRange | null): boolean =>
  range === null || (batch.maxTime !== null && batch.maxTime >= range.from);

const keys = (stream: Stream): string[] => stream.key.map((_, at) => `k${at}`);
const versions = (stream: Stream): string[] => stream.version.map((_, at) => `v${at}`);
const narrow = (stream: Stream): string[] => [...keys(stream), ...versions(stream), 'h'];

/** Leaves the table `winners`: (k0…, v0…, h), each key once. */
async function settleWinners(store: ObjectStore, stream: Stream, batches: readonly Batch[], { engine, folder }: Scratch): Promise<void> {
  const types = [...keys(stream).map((name) => `${name} VARCHAR`), ...versions(stream).map((name) => `${name} BIGINT`), 'h VARCHAR'];
  await engine.run(`CREATE OR REPLACE TABLE winners (${types.join(', ')})`);
  const files = batches.flatMap((batch) => batch.sightings);
  for (let from = 0; from < files.length; from += FILES) {
    const paths: string[] = [];
    for (const [index, file] of files.slice(from, from + FILES).entries()) {
      const path = join(folder, `winners-${index}.parquet`);
      // A file that is missing or altered has been told by then.
      if ((await bringFile(store, file, path)) === null) paths.push(path);
    }
    if (paths.length > 0) await engine.run(foldSql(stream, paths));
    for (let index = 0; index < FILES; index++) await rm(join(folder, `winners-${index}.parquet`), { force: true });
  }
}

function foldSql(stream: Stream, files: readonly string[]): string {
  const columns = [
    ...stream.key.map(({ name }, at) => `${identifier(name)} AS k${at}`),
    ...stream.version.map(({ name }, at) => `${at === 0 ? `epoch_us(${identifier(name)})` : identifier(name)} AS v${at}`),
    `${LINEAGE.contentHash} AS h`,
  ];
  const order = [...versions(stream), 'h'].map((name) => `${name} DESC`).join(', ');
  return `CREATE OR REPLACE TABLE winners AS
SELECT ${narrow(stream).join(', ')}
FROM (SELECT ${narrow(stream).join(', ')} FROM winners UNION ALL SELECT ${columns.join(', ')} FROM read_parquet(${literalList(files)}))
QUALIFY row_number() OVER (PARTITION BY ${keys(stream).join(', ')} ORDER BY ${order}) = 1`;
}

async function* identities(warehouse: Warehouse, stream: Stream): AsyncIterable<Record<string, string>> {
  for await (const { key, version, contentHash } of warehouse.rows(stream)) {
    const row: Record<string, string> = { h: contentHash };
    for (const [at, value] of key.entries()) row[`k${at}`] = value;
    for (const [at, value] of version.entries()) row[`v${at}`] = value;
    yield row;
  }
}

/** The table `held`: what the warehouse holds of each key; of several rows the greatest, and how many there are. */
function heldSql(stream: Stream, path: string): string {
  const types = [...keys(stream), 'h'].map((name) => `${name}: 'VARCHAR'`).concat(versions(stream).map((name) => `${name}: 'BIGINT'`));
  const order = [...versions(stream), 'h'].map((name) => `${name} DESC`).join(', ');
  const all = `read_json(${literal(path)}, format = 'newline_delimited', columns = {${types.join(', ')}})`;
  return `CREATE OR REPLACE TABLE held AS
SELECT ${narrow(stream).join(', ')}, count(*) OVER (PARTITION BY ${keys(stream).join(', ')}) AS copies FROM ${all}
QUALIFY row_number() OVER (PARTITION BY ${keys(stream).join(', ')} ORDER BY ${order}) = 1`;
}

const KINDS = {
  'row missing': { from: 'w', condition: 'h.k0 IS NULL' },
  'row extra': { from: 'h', condition: 'w.k0 IS NULL' },
  'row stale': { from: 'h', condition: 'w.k0 IS NOT NULL AND h.k0 IS NOT NULL AND differs' },
  'row duplicated': { from: 'h', condition: 'h.copies > 1' },
} as const;

async function compare(stream: Stream, range: TimeRange | null, { engine }: Scratch, findings: Findings): Promise<void> {
  const same = keys(stream).map((name) => `w.${name} = h.${name}`);
  const differs = [...versions(stream), 'h'].map((name) => `w.${name} <> h.${name}`).join(' OR ');
  const inside = (side: string): string => (range ? `(${side}.v0 >= ${range.from} AND ${side}.v0 < ${range.to})` : 'true');
  const joined = `winners w FULL JOIN held h ON ${same.join(' AND ')} WHERE (coalesce(${inside('w')}, false) OR coalesce(${inside('h')}, false))`;
  for (const [kind, { from, condition }] of Object.entries(KINDS)) {
    const found = `${joined} AND ${condition.replace('differs', `(${differs})`)}`;
    const columns = narrow(stream).map((name) => `CAST(${from}.${name} AS VARCHAR) AS ${name}`);
    const samples = await engine.rows(
      `SELECT ${columns.join(', ')}, count(*) OVER () AS n FROM ${found} ORDER BY ALL LIMIT ${SAMPLE_LIMIT}`,
    );
    const total = Number(samples[0]?.['n'] ?? 0);
    for (const [at, sample] of samples.entries()) {
      findings.add(kind as keyof typeof KINDS, sampleText(stream, sample), at === 0 ? total - samples.length + 1 : 1);
    }
  }
}

function sampleText(stream: Stream, row: EngineRow): string {
  const key = keys(stream).map((name) => textOf(row[name]));
  const version = versionRecord(
    stream,
    versions(stream).map((name) => textOf(row[name])),
  );
  return `${key.join('/')} (${Object.entries(version)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')}, content ${textOf(row['h']).slice(0, 8)}…)`;
}
