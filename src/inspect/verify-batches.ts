import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { EngineRow } from '../engine.ts';
import { isTidemarkError } from '../errors.ts';
import { visitRecords } from '../gate/quarantine-file.ts';
import { numberOf, textOf } from '../load/values.ts';
import type { Batch } from '../manifest/documents.ts';
import { LINEAGE } from '../schema/types.ts';
import { literal } from '../sql.ts';
import { quarantineKey } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Findings } from './findings.ts';
import { bringFile, type Scratch } from './scratch.ts';
import { count } from './text.ts';

export interface BatchTotals {
  readonly sightings: number;
  readonly quarantined: number;
}

/**
 * Every record of every page of each batch is one sighting or one refused record of that batch. Batches go through the scratch folder one
 * at a time; the counting is DuckDB's. @param sizes of all objects under the batches, by key.
 */
export async function verifyBatches(
  store: ObjectStore,
  batches: readonly Batch[],
  sizes: ReadonlyMap<string, number>,
  scratch: Scratch,
  findings: Findings,
): Promise<BatchTotals> {
  let sightings = 0;
  let quarantined = 0;
  for (const batch of batches) {
    await verifyFiles(store, batch, sizes, scratch, findings);
    const accounted = await accountFor(store, batch, scratch, findings);
    sightings += accounted.sightings;
    quarantined += accounted.quarantined;
  }
  return { sightings, quarantined };
}

/** A file of another size need not be brought to be told from the one that was published. */
async function verifyFiles(
  store: ObjectStore,
  batch: Batch,
  sizes: ReadonlyMap<string, number>,
  { folder }: Scratch,
  findings: Findings,
): Promise<void> {
  const path = join(folder, 'published.parquet');
  for (const file of batch.files) {
    const size = sizes.get(file.key);
    if (size !== undefined && size !== file.bytes)
      findings.add('file altered', `${file.key}: has ${count(size)} bytes, ${count(file.bytes)} were published`);
    else {
      const problem = await bringFile(store, file, path);
      if (problem === 'altered') findings.add('file altered', `${file.key}: its SHA-256 is not the one that was published`);
      else if (problem) findings.add('file missing', file.key);
    }
    await rm(path, { force: true });
  }
}

async function accountFor(store: ObjectStore, batch: Batch, { folder, engine }: Scratch, findings: Findings): Promise<BatchTotals> {
  const places = join(folder, 'refused.ndjson');
  const pages = join(folder, 'pages.ndjson');
  const sources: string[] = [];
  const paths: string[] = [places, pages];
  try {
    for (const [index, file] of batch.sightings.entries()) {
      const path = join(folder, `accounted-${index}.parquet`);
      paths.push(path);
      const problem = await bringFile(store, file, path);
      if (problem) findings.add(`file ${problem}`, file.key);
      else sources.push(`SELECT ${LINEAGE.page} AS page, ${LINEAGE.position} AS position FROM read_parquet(${literal(path)})`);
    }
    const quarantined = await writePlaces(store, batch, places, findings);
    if (sources.length < batch.sightings.length || quarantined === null) return { sightings: 0, quarantined: quarantined ?? 0 };
    if (quarantined > 0) sources.push(`SELECT page, position FROM ${readPlaces(places)}`);
    await writeLines(
      pages,
      batch.pages.map(({ key, records }) => ({ page: key, records })),
    );
    const observed = sources.length === 0 ? "SELECT '' AS page, 0 AS position WHERE false" : sources.join(' UNION ALL ');
    for (const row of await engine.rows(unaccountedSql(pages, observed))) report(batch, row, findings);
    return { sightings: batch.counts.observations - batch.counts.quarantined, quarantined };
  } finally {
    for (const path of paths) await rm(path, { force: true });
  }
}

function report(batch: Batch, row: EngineRow, findings: Findings): void {
  const number = (name: string): number => numberOf(row[name]);
  const page = `${textOf(row['page'])} in batch ${batch.id}`;
  const lost = number('records') - number('right_places');
  const beyond = number('distinct_places') - number('right_places');
  const repeated = number('places') - number('distinct_places');
  if (lost > 0) findings.add('record unaccounted', `${page}: ${count(lost)} of ${count(number('records'))} records`, lost);
  if (beyond > 0) findings.add('record unaccounted', `${page}: ${count(beyond)} that the page does not have`, beyond);
  if (repeated > 0) findings.add('record repeated', `${page}: ${count(repeated)} more than once`, repeated);
}

const readPlaces = (path: string): string =>
  `read_json(${literal(path)}, format = 'newline_delimited', columns = {page: 'VARCHAR', position: 'INTEGER'})`;

/** Pages whose places are not 0, 1, …, records − 1, each once. `right` counts those; what is beyond them is in no page. */
const unaccountedSql = (pages: string, observed: string): string => `
WITH pages AS (FROM read_json(${literal(pages)}, format = 'newline_delimited', columns = {page: 'VARCHAR', records: 'BIGINT'}))
SELECT page, coalesce(records, 0) AS records, count(position) AS places, count(DISTINCT position) AS distinct_places,
  count(DISTINCT position) FILTER (position BETWEEN 0 AND records - 1) AS right_places
FROM pages FULL JOIN (${observed}) observed USING (page) GROUP BY page, records
HAVING right_places <> coalesce(records, 0) OR places <> right_places ORDER BY page`;

/** Where the batch's refused records are, as lines. @returns how many there are; null where they cannot be read. */
async function writePlaces(store: ObjectStore, batch: Batch, path: string, findings: Findings): Promise<number | null> {
  if (batch.counts.quarantined === 0) return 0;
  const places = new Map<string, { page: string; position: number }>();
  try {
    // A record that breaks two rules is one record.
    await visitRecords(store, quarantineKey(batch.stream, batch.id), ({ page, position }) =>
      places.set(`${position} ${page}`, { page, position }),
    );
  } catch (error) {
    if (!isTidemarkError(error, 'CORRUPT', 'NOT_FOUND')) throw error;
    findings.add('quarantine unreadable', `${quarantineKey(batch.stream, batch.id)}: ${error.message}`);
    return null;
  }
  await writeLines(path, places.values());
  return places.size;
}

export async function writeLines(path: string, lines: Iterable<unknown> | AsyncIterable<unknown>): Promise<void> {
  const output = createWriteStream(path);
  let block = '';
  for await (const line of lines) {
    block += `${JSON.stringify(line)}\n`;
    if (block.length < 1 << 20) continue;
    if (!output.write(block)) await once(output, 'drain');
    block = '';
  }
  output.end(block);
  await finished(output);
}
