import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mapConcurrent } from '../concurrency.ts';
import type { EngineRow } from '../engine.ts';
import { numberOf, textOf } from '../load/values.ts';
import type { Batch } from '../manifest/documents.ts';
import { LINEAGE } from '../schema/types.ts';
import { identifier, literalList } from '../sql.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Stream } from '../stream.ts';
import { type KeyPattern, patternSql } from './key-pattern.ts';
import type { Sighting } from './law.ts';
import { bringFile, type Scratch } from './scratch.ts';

/** Files that are on this machine at once. */
const FILES = 32;
const READERS = 8;

export interface FoundSightings {
  readonly sightings: readonly Sighting[];
  /** Accepted observations that were looked through. */
  readonly searched: number;
  /** Files that could not be looked into, each with what is wrong. */
  readonly unreadable: readonly string[];
}

/** Every sighting of the keys that fit, of every batch; the files pass through the scratch folder, some at a time. */
export async function findSightings(
  store: ObjectStore,
  stream: Stream,
  batches: readonly Batch[],
  patterns: readonly KeyPattern[],
  scratch: Scratch,
): Promise<FoundSightings> {
  const files = batches.flatMap((batch) => batch.sightings.map((file) => ({ batch: batch.id, file })));
  const sightings: Sighting[] = [];
  const unreadable: string[] = [];
  let searched = 0;
  for (let from = 0; from < files.length; from += FILES) {
    const brought = await mapConcurrent(files.slice(from, from + FILES), READERS, async ({ batch, file }, index) => {
      const path = join(scratch.folder, `sightings-${index}.parquet`);
      const problem = await bringFile(store, file, path);
      if (problem) unreadable.push(`${file.key}: ${problem}`);
      else searched += file.rows;
      return { path, batch, usable: problem === null };
    });
    const usable = new Map(brought.filter((file) => file.usable).map((file) => [file.path, file.batch]));
    if (usable.size > 0) {
      const rows = await scratch.engine.rows(searchSql(stream, patterns, [...usable.keys()]));
      sightings.push(...rows.map((row) => sightingOf(stream, row, usable)));
    }
    await Promise.all(brought.map(({ path }) => rm(path, { force: true })));
  }
  return { sightings, searched, unreadable };
}

function searchSql(stream: Stream, patterns: readonly KeyPattern[], files: readonly string[]): string {
  const keys = stream.key.map(({ name }, at) => `${identifier(name)} AS k${at}`);
  const columns = [
    ...keys,
    ...versionColumns(stream),
    ...[LINEAGE.contentHash, LINEAGE.page, LINEAGE.position].map(identifier),
    'filename',
  ];
  return `SELECT ${columns.join(', ')} FROM read_parquet(${literalList(files)}, filename = true) WHERE ${patternSql(stream, patterns)}`;
}

/** Microseconds, and digits, as texts v0, v1…: no engine rounds them on the way. */
const versionColumns = (stream: Stream): string[] =>
  stream.version.map(({ name }, at) => `CAST(${at === 0 ? `epoch_us(${identifier(name)})` : identifier(name)} AS VARCHAR) AS v${at}`);

const sightingOf = (stream: Stream, row: EngineRow, batches: ReadonlyMap<string, string>): Sighting => ({
  key: stream.key.map((_, at) => textOf(row[`k${at}`])),
  version: stream.version.map((_, at) => textOf(row[`v${at}`])),
  contentHash: textOf(row[LINEAGE.contentHash]),
  page: textOf(row[LINEAGE.page]),
  position: numberOf(row[LINEAGE.position]),
  batch: batches.get(textOf(row['filename'])) ?? '',
});
