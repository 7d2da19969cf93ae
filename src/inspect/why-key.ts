import type { QuarantineDetail } from '../gate/quarantine.ts';
import type { CuratedRow } from '../load/warehouse.ts';
import type { Batch, Receipt } from '../manifest/documents.ts';
import type { Stream } from '../stream.ts';
import { formatInstant } from '../time.ts';
import type { Standing } from './batches.ts';
import type { Inspection } from './inspection.ts';
import { compareByLaw, keyRecord, type Ranked, type Sighting, versionRecord, whyLost, whyWon } from './law.ts';
import { type PageEvidence, type RecordEvidence, readEvidence, recordEvidence } from './page-evidence.ts';
import {
  type BatchState,
  BYTES_LIMIT,
  OBSERVATION_LIMIT,
  type WhyBatch,
  type WhyCurated,
  type WhyKey,
  type WhyLanding,
  type WhyObservation,
  type WhyQuarantined,
} from './why-report.ts';

/** What is stored about one key. */
export interface KeyFacts {
  readonly key: readonly string[];
  readonly sightings: readonly Sighting[];
  readonly curated: readonly CuratedRow[];
  readonly quarantined: readonly QuarantineDetail[];
}

export interface KeyContext {
  readonly inspection: Inspection;
  readonly stream: Stream;
  readonly batches: ReadonlyMap<string, Batch>;
  readonly standing: Standing;
  readonly queryIds: ReadonlyMap<string, string>;
}

/** One landed copy, with every batch that saw it. */
interface Observation extends Omit<Sighting, 'batch'> {
  readonly state: BatchState;
  readonly batches: readonly WhyBatch[];
}

export async function whyKey(context: KeyContext, facts: KeyFacts): Promise<WhyKey> {
  const { stream } = context;
  const observations = observationsOf(context, facts.sightings);
  const winner = winnerOf(observations, facts.curated[0]);
  const listed = observations.slice(0, OBSERVATION_LIMIT);
  const evidence = await gatherEvidence(context, winner && !listed.includes(winner) ? [...listed, winner] : listed);
  const bytes = winner ? (evidence.get(winner)?.bytes ?? null) : null;
  const agrees = isAgreed(winner, facts.curated);
  return {
    key: keyRecord(stream, facts.key),
    verdict: verdictOf(stream, winner, observations, facts, agrees),
    agrees,
    curated: facts.curated.map((row) => curatedOf(stream, row)),
    observations: listed.map((one) => observationOf(stream, one, winner, observations, evidence.get(one))),
    observationCount: observations.length,
    quarantined: facts.quarantined.flatMap(quarantinedOf),
    bytes: bytes && { text: bytes.toString('utf8', 0, BYTES_LIMIT), length: bytes.length, cut: bytes.length > BYTES_LIMIT },
  };
}

/** Each landed copy once, the greatest first; of the same content, the first landed first. */
function observationsOf(context: KeyContext, sightings: readonly Sighting[]): Observation[] {
  const places = Map.groupBy(sightings, (sighting) => `${sighting.position} ${sighting.contentHash} ${sighting.page}`);
  const observations = [...places.values()].flatMap(([first, ...rest]) => {
    if (!first) return [];
    const batches = [first, ...rest].map((sighting) => batchOf(context, sighting.batch));
    return [{ ...first, batches, state: bestState(batches) }];
  });
  return observations.sort((a, b) => compareByLaw(a, b) || (a.page < b.page ? -1 : a.page > b.page ? 1 : a.position - b.position));
}

const STATES: readonly BatchState[] = ['loaded', 'held', 'not loaded', 'discarded'];
const bestState = (batches: readonly WhyBatch[]): BatchState =>
  STATES.find((state) => batches.some((batch) => batch.state === state)) ?? 'not loaded';

function batchOf({ batches, standing, queryIds }: KeyContext, id: string): WhyBatch {
  const batch = batches.get(id);
  const loaded = standing.ledger.get(id);
  return {
    batch: id,
    origin: batch?.origin ?? 'live',
    transform: batch?.transform ?? 0,
    window: batch?.window
      ? { kind: batch.window.kind, start: formatInstant(batch.window.start), end: formatInstant(batch.window.end) }
      : null,
    state: standing.stateOf(id),
    loadedAt: loaded ? formatInstant(loaded.loadedAt) : null,
    queryId: queryIds.get(id) ?? null,
  };
}

/** The greatest loaded observation; of its landings, the one that the curated row names. */
function winnerOf(observations: readonly Observation[], curated: CuratedRow | undefined): Observation | null {
  const loaded = observations.filter((observation) => observation.state === 'loaded');
  const [greatest] = loaded;
  if (!greatest) return null;
  const named = loaded.find((one) => compareByLaw(one, greatest) === 0 && one.page === curated?.page && one.position === curated.position);
  return named ?? greatest;
}

/** Pages are read one after the other and let go again: a key may be in many. */
async function gatherEvidence(
  context: KeyContext,
  observations: readonly Observation[],
): Promise<Map<Observation, RecordEvidence & Landed>> {
  const gathered = new Map<Observation, RecordEvidence & Landed>();
  for (const [page, copies] of Map.groupBy(observations, (observation) => observation.page)) {
    const evidence = await readEvidence(context.inspection, context.stream, page);
    for (const copy of copies) gathered.set(copy, { ...copyOfRecord(evidence, copy), receipt: evidence.receipt });
  }
  return gathered;
}

interface Landed {
  readonly receipt: Receipt | null;
}

/** With bytes of its own, so that the page's can go. */
function copyOfRecord(evidence: PageEvidence, { position, contentHash }: Observation): RecordEvidence {
  const found = recordEvidence(evidence, position, contentHash);
  return { ...found, bytes: found.bytes && Buffer.from(found.bytes) };
}

function isAgreed(winner: Observation | null, curated: readonly CuratedRow[]): boolean {
  if (!winner) return curated.length === 0;
  const [row, ...others] = curated;
  return row !== undefined && others.length === 0 && compareByLaw(rankedRow(row), winner) === 0;
}

const rankedRow = (row: CuratedRow): Ranked => ({ version: row.version.map(String), contentHash: row.contentHash });

function verdictOf(
  stream: Stream,
  winner: Observation | null,
  observations: readonly Observation[],
  { curated, quarantined }: KeyFacts,
  agrees: boolean,
): string {
  if (!winner) return notLoaded(observations, curated, quarantined);
  const next = observations.find((other) => other.state === 'loaded' && compareByLaw(winner, other) < 0);
  const reason = whyWon(stream, winner, next);
  if (!agrees) {
    const found = curated.length === 0 ? 'no row of it' : curated.length > 1 ? `${curated.length} rows of it` : 'another row';
    return `The table has ${found}, though one observation wins (${reason}). \`tidemark verify --stream ${stream.name}\` shows how far this goes.`;
  }
  const waiting = observations.some((other) => compareByLaw(other, winner) < 0);
  const tail = waiting ? ' A greater observation is stored and not loaded: it is marked below.' : '';
  return `The row is the greatest of ${observations.length} landed ${observations.length === 1 ? 'copy' : 'copies'}: ${reason}.${tail}`;
}

function notLoaded(observations: readonly Observation[], curated: readonly CuratedRow[], quarantined: readonly QuarantineDetail[]): string {
  if (curated.length > 0) return 'The table has a row of this key, but no loaded batch saw it: it did not come through Tidemark.';
  const [first] = observations;
  if (first?.state === 'held') return 'There is no row: its batch is held. `tidemark held` shows why; release it, and it loads.';
  if (first?.state === 'discarded') return 'There is no row: its batch was held, and discarded.';
  if (first) return 'There is no row yet: its batch is not loaded. `tidemark run --once` loads it.';
  const states = new Set(quarantined.map((entry) => entry.state));
  return states.has('open')
    ? 'There is no row: every copy is in quarantine. Release or discard it with `tidemark quarantine`.'
    : 'There is no row: every copy is in quarantine, and was decided upon; a released one enters when its pages are normalized again.';
}

function observationOf(
  stream: Stream,
  one: Observation,
  winner: Observation | null,
  all: readonly Observation[],
  evidence: (RecordEvidence & Landed) | undefined,
): WhyObservation {
  const { contentHash, page, position, state, batches } = one;
  return {
    won: one === winner,
    reason: reasonOf(stream, one, winner, all),
    version: versionRecord(stream, one.version),
    contentHash,
    page,
    position,
    span: evidence?.span ?? null,
    state,
    proof: evidence?.proof ?? { page: 'unreadable', record: 'unknown', sha256: null, receiptSha256: null, problem: null },
    landing: evidence?.receipt ? landingOf(evidence.receipt) : null,
    batches,
  };
}

function reasonOf(stream: Stream, one: Observation, winner: Observation | null, all: readonly Observation[]): string {
  const standing = one.state === 'loaded' ? '' : `${one.state}; `;
  if (!winner) return `${standing}nothing of this key is loaded`;
  if (one === winner)
    return whyWon(
      stream,
      winner,
      all.find((other) => other.state === 'loaded' && compareByLaw(winner, other) < 0),
    );
  return compareByLaw(one, winner) < 0 ? `${standing}wins once it is loaded` : `${standing}${whyLost(stream, winner, one)}`;
}

const landingOf = (receipt: Receipt): WhyLanding => ({
  window: { kind: receipt.window.kind, start: formatInstant(receipt.window.start), end: formatInstant(receipt.window.end) },
  slot: receipt.slot,
  url: receipt.url,
  requestId: receipt.requestId,
  status: receipt.status,
  attempts: receipt.attempts,
  requestedAt: formatInstant(receipt.requestedAt),
  landedAt: formatInstant(receipt.landedAt),
});

const curatedOf = (stream: Stream, row: CuratedRow): WhyCurated => ({
  version: versionRecord(stream, row.version.map(String)),
  contentHash: row.contentHash,
  page: row.page,
  position: row.position,
  batch: row.batch,
  loadedAt: formatInstant(row.loadedAt),
  row: row.row,
});

/** The same place again, in another batch, is the same copy. */
function quarantinedOf({ id, state, records }: QuarantineDetail): WhyQuarantined[] {
  const places = new Map(records.map((record) => [`${record.position} ${record.page} ${record.rule}`, record]));
  return [...places.values()].map(({ rule, value, reason, page, position, batch, at }) => ({
    id,
    state,
    rule,
    value,
    reason,
    page,
    position,
    batch,
    at: formatInstant(at),
  }));
}
