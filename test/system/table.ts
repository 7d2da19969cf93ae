import { hash } from 'node:crypto';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { canonicalJson, type ExactObject, parseExact } from '../../src/json/exact.ts';
import { DuckDBWarehouse } from '../../src/load/duckdb.ts';
import type { Warehouse } from '../../src/load/warehouse.ts';
import { LINEAGE } from '../../src/schema/types.ts';
import type { Configuration, Stream } from '../../src/stream.ts';

/** What a warehouse holds, as text that can be compared. */

export function openTestWarehouse({ warehouse, workers }: Configuration): Warehouse {
  if (warehouse.kind !== 'duckdb') throw new Error(`no DuckDB warehouse: ${warehouse.kind}`);
  const { threads, memoryBytes, scratch } = workers;
  return new DuckDBWarehouse({ path: warehouse.path, clock: systemClock, threads, memoryBytes, tempDirectory: join(scratch, 'test') });
}

/** Which landing of a winning content a row names lies outside the law; everything else in it lies within. */
const OUTSIDE_THE_LAW: ReadonlySet<string> = new Set([LINEAGE.page, LINEAGE.position, LINEAGE.batch, LINEAGE.loadedAt]);

/** Every row of a stream's table without the lineage that may differ, in the order of the keys. */
export async function tableOf(warehouse: Warehouse, stream: Stream): Promise<string[]> {
  const rows: string[] = [];
  for await (const { row } of warehouse.contents(stream)) rows.push(withoutLineage(row));
  return rows;
}

function withoutLineage(row: string): string {
  const fields = Object.entries(parseExact(row) as ExactObject).filter(([name]) => !OUTSIDE_THE_LAW.has(name));
  return canonicalJson(Object.fromEntries(fields));
}

export interface TableImage {
  readonly rows: number;
  readonly hash: string;
}

/** Every stream's table, down to the byte of each row. */
export async function imageOf(warehouse: Warehouse, streams: readonly Stream[]): Promise<Record<string, TableImage>> {
  const images: Record<string, TableImage> = {};
  for (const stream of streams) {
    const rows = await tableOf(warehouse, stream);
    images[stream.name] = { rows: rows.length, hash: hash('sha256', rows.join('\n')) };
  }
  return images;
}
