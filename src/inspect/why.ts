import { TidemarkError } from '../errors.ts';
import { listQuarantine, type QuarantineDetail, showQuarantined } from '../gate/quarantine.ts';
import type { CuratedRow } from '../load/warehouse.ts';
import type { PendingWindow, Window } from '../manifest/documents.ts';
import { readHead } from '../manifest/state.ts';
import { literal } from '../sql.ts';
import type { Stream } from '../stream.ts';
import { formatInstant } from '../time.ts';
import { publishedBatches, standingOf } from './batches.ts';
import { findSightings } from './find-sightings.ts';
import type { Inspection } from './inspection.ts';
import { fits, type KeyPattern, keyPatterns } from './key-pattern.ts';
import type { Sighting } from './law.ts';
import { withScratch } from './scratch.ts';
import { type KeyFacts, whyKey } from './why-key.ts';
import { KEY_LIMIT, type WhyReport, type WhyWindow } from './why-report.ts';

/**
 * Why is this row here: every observation of a key, which won and why, and proof that the stored bytes are those that landed.
 * @param key one text (`evt_1`, `prod/evt_1`), or a value for each key column. @throws NOT_FOUND where nothing is known of the key; CONFIG.
 */
export async function why(inspection: Inspection, stream: Stream, key: readonly string[]): Promise<WhyReport> {
  const { store, warehouse } = inspection;
  const patterns = keyPatterns(stream, key);
  const published = await publishedBatches(store, stream.name);
  const standing = await standingOf(store, stream.name, await warehouse.ledger(stream.name));
  const found = await withScratch(inspection.configuration, (scratch) =>
    findSightings(store, stream, published.batches, patterns, scratch),
  );
  const curated = await curatedRows(inspection, stream, patterns);
  const quarantined = await quarantinedRecords(inspection, stream, patterns);
  const pending = await pendingWindows(inspection, stream);

  const keys = groupByKey(stream, found.sightings, curated, quarantined);
  if (keys.length === 0) throw nothingKnown(stream, key, published.batches.length, found.unreadable.length, pending.length);
  const shared = { inspection, stream, batches: new Map(published.batches.map((batch) => [batch.id, batch])), standing };
  const queryIds = await readQueryIds(inspection, stream);
  const answered: WhyReport['keys'][number][] = [];
  for (const facts of keys.slice(0, KEY_LIMIT)) answered.push(await whyKey({ ...shared, queryIds }, facts));
  return {
    stream: stream.name,
    asked: key,
    keys: answered,
    more: keys.length > KEY_LIMIT,
    searched: { batches: published.batches.length, sightings: found.searched, unreadable: [...published.unreadable, ...found.unreadable] },
    pending: pending.map(({ window, manifest }) => ({ window: windowOf(window), manifest })),
  };
}

export const windowOf = ({ kind, start, end }: Window): WhyWindow => ({ kind, start: formatInstant(start), end: formatInstant(end) });

async function curatedRows({ warehouse }: Inspection, stream: Stream, patterns: readonly KeyPattern[]): Promise<CuratedRow[]> {
  const rows: CuratedRow[] = [];
  for (const [at, pattern] of patterns.entries()) {
    // A row that an earlier pattern found already is not another one; two rows of one key are.
    const found = await warehouse.find(stream, pattern);
    rows.push(...found.filter((row) => !fits(patterns.slice(0, at), row.key)));
  }
  return rows;
}

async function quarantinedRecords({ store }: Inspection, stream: Stream, patterns: readonly KeyPattern[]): Promise<QuarantineDetail[]> {
  const entries = (await listQuarantine(store, stream.name)).filter((entry) => fits(patterns, entry.key));
  const details: QuarantineDetail[] = [];
  for (const { id } of entries) details.push(await showQuarantined(store, stream.name, id));
  return details;
}

async function pendingWindows({ store }: Inspection, stream: Stream): Promise<PendingWindow[]> {
  const head = (await readHead(store, stream.name))?.head;
  return (head?.pending ?? []).filter((pending) => pending.batches === null);
}

function groupByKey(
  stream: Stream,
  sightings: readonly Sighting[],
  curated: readonly CuratedRow[],
  quarantined: readonly QuarantineDetail[],
): KeyFacts[] {
  const groups = new Map<
    string,
    { key: readonly string[]; sightings: Sighting[]; curated: CuratedRow[]; quarantined: QuarantineDetail[] }
  >();
  const group = (key: readonly (string | null)[]) => {
    const values = stream.key.map((_, at) => key[at] ?? '');
    const name = JSON.stringify(values);
    const known = groups.get(name) ?? { key: values, sightings: [], curated: [], quarantined: [] };
    groups.set(name, known);
    return known;
  };
  for (const sighting of sightings) group(sighting.key).sightings.push(sighting);
  for (const row of curated) group(row.key).curated.push(row);
  for (const entry of quarantined) group(entry.key).quarantined.push(entry);
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, facts]) => facts);
}

/** Ids of the statements that loaded each batch; empty where the warehouse does not tell. */
async function readQueryIds({ warehouse }: Inspection, stream: Stream): Promise<ReadonlyMap<string, string>> {
  try {
    const rows = await warehouse.query(`SELECT batch, query_id FROM tidemark.ledger WHERE stream = ${literal(stream.name)}`);
    return new Map(rows.map((row) => [String(row['batch']), String(row['query_id'])]));
  } catch (error) {
    if (error instanceof TidemarkError) return new Map();
    throw error;
  }
}

function nothingKnown(stream: Stream, key: readonly string[], batches: number, unreadable: number, pending: number): TidemarkError {
  const hints = [
    'Keys are compared as they stand in the records: check upper and lower case.',
    ...(pending > 0 ? [`${pending} landed window(s) are not normalized yet: \`tidemark run --once\` and ask again.`] : []),
    ...(unreadable > 0
      ? [`${unreadable} file(s) of sightings could not be read: \`tidemark verify --stream ${stream.name}\` names them.`]
      : []),
    ...(batches === 0 ? ['No batch was ever published: has this stream run?'] : []),
  ];
  return new TidemarkError({
    code: 'NOT_FOUND',
    message: `${stream.name} knows nothing of ${key.join('/')}: no row, no sighting in ${batches} batches, nothing in quarantine`,
    hint: hints.join(' '),
    data: { stream: stream.name, key, batches },
  });
}
