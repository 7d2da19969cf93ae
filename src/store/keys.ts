import { hash } from 'node:crypto';
import type { Micros } from '../clock.ts';
import { compactInstant, formatInstant, parseInstant } from '../time.ts';

/**
 * Every key of the layout. The names are an interface: people read them, lifecycle rules and replays match them.
 *
 *   raw/v1/<stream>/env=<environment>/dt=YYYY-MM-DD/hr=HH/win=<start>_<end>/gen=<epoch>/page-000001.json.zst
 *   curated/v1/<stream>/batch=<id>/…   state/<stream>/head.json   held/<stream>/…   quarantine/<stream>/…   dead-letter/<stream>/…
 *   certificates/<stream>/dt=YYYY-MM-DD/hr=HH.json   certificates/<stream>/breaches/dt=YYYY-MM-DD/hr=HH/batch=<id>.json
 */
export interface WindowRef {
  readonly start: Micros;
  readonly end: Micros;
  /** `push`, `lookup`: times of the clock, in a folder of its own: a poll of the same stretch of version time is another window. */
  readonly kind?: string;
}

export interface RawScope {
  readonly stream: string;
  /** The configured environment, `_` where records carry their own. */
  readonly environment: string;
}

export const rawPrefix = (stream: string): string => `raw/v1/${stream}/`;

/** Everything that was landed for windows that start in that hour. */
export function hourPrefix(scope: RawScope, instant: Micros): string {
  const iso = formatInstant(instant);
  return `${rawPrefix(scope.stream)}env=${scope.environment}/dt=${iso.slice(0, 10)}/hr=${iso.slice(11, 13)}/`;
}

export const windowName = (window: WindowRef): string =>
  `${compactInstant(window.start)}_${compactInstant(window.end)}${CLOCK_KINDS.has(window.kind ?? '') ? `_${window.kind}` : ''}`;

/** Kinds that end the names of their windows. */
const CLOCK_KINDS = new Set(['push', 'lookup']);

/** Everything that was landed for one window, by any generation. */
export const windowPrefix = (scope: RawScope, window: WindowRef): string => `${hourPrefix(scope, window.start)}win=${windowName(window)}/`;

/** Everything that was landed for windows that start on that day (UTC). */
export const dayPrefix = (scope: RawScope, instant: Micros): string =>
  `${rawPrefix(scope.stream)}env=${scope.environment}/dt=${formatInstant(instant).slice(0, 10)}/`;

/** Fixed width, so that generations and pages list in order. */
export const generationPrefix = (scope: RawScope, window: WindowRef, epoch: number): string =>
  `${windowPrefix(scope, window)}gen=${String(epoch).padStart(8, '0')}/`;

export const slotName = (slot: number): string => `page-${String(slot).padStart(6, '0')}`;
export const pageKey = (generation: string, slot: number): string => `${generation}${slotName(slot)}.json.zst`;
/** A different answer for a slot that is taken; `sha256` is of its bytes, in hex. */
export const alternativeKey = (generation: string, slot: number, sha256: string): string =>
  `${generation}${slotName(slot)}.alt-${sha256.slice(0, 16)}.json.zst`;
/** The index of the page at `key` (page/page-index.ts); `sha256` is of its decoded bytes: made anew with other fields, it is another. */
export const indexKey = (key: string, sha256: string): string => key.replace(/\.json\.zst$/, `.index-${sha256.slice(0, 16)}.ndjson.zst`);
/** The receipt of the page at `key`; for a slot without bytes of its own (a duplicate page), of `pageKey(generation, slot)`. */
export const receiptKey = (key: string): string => key.replace(/\.json\.zst$/, '.receipt.json');
export const manifestKey = (generation: string): string => `${generation}manifest.json`;

/** What lifecycle rules tell raw bodies by: they stand beside receipts and manifests, which are kept for years, under one prefix. */
export const RETENTION_TAG = { name: 'tidemark-retention', raw: 'raw' } as const;

/** Whether an object holds records as they came: a page, another answer for its slot, a push, or an index of one of them. */
export const isRawBody = (key: string): boolean => key.startsWith('raw/v1/') && /\/page-[^/]*\.(json|ndjson)\.zst$/.test(key);

/** What a key below `rawPrefix` says. */
export interface RawName extends RawScope {
  readonly window: WindowRef;
  readonly epoch: number;
  readonly file:
    | { readonly kind: 'manifest' }
    /** `alternative` is the start of the bytes' SHA-256, or null for the first that landed in the slot. */
    | { readonly kind: 'page' | 'receipt'; readonly slot: number; readonly alternative: string | null };
}

const RAW_NAME = /^raw\/v1\/([^/]+)\/env=([^/]+)\/dt=[^/]+\/hr=[^/]+\/win=([^/_]+)_([^/_]+?)(?:_(push|lookup))?\/gen=(\d+)\/([^/]+)$/;
const FILE_NAME = /^page-(\d+)(?:\.alt-([0-9a-f]+))?\.(json\.zst|receipt\.json)$/;

/** The inverse of pageKey, alternativeKey, receiptKey and manifestKey. @returns null for any other key. */
export function parseRawKey(key: string): RawName | null {
  const [, stream, environment, from, to, kind, generation, name] = RAW_NAME.exec(key) ?? [];
  const start = parseCompact(from);
  const end = parseCompact(to);
  const file = parseFileName(name);
  if (!stream || !environment || start === null || end === null || !file) return null;
  return { stream, environment, window: { start, end, ...(kind && { kind }) }, epoch: Number(generation), file };
}

function parseFileName(name = ''): RawName['file'] | null {
  if (name === 'manifest.json') return { kind: 'manifest' };
  const [, slot, alternative = null, ending] = FILE_NAME.exec(name) ?? [];
  return slot === undefined ? null : { kind: ending === 'json.zst' ? 'page' : 'receipt', slot: Number(slot), alternative };
}

export function parseCompact(text = ''): Micros | null {
  return parseInstant(text.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\d)/, '$1-$2-$3:$4:$5'), 'iso');
}

export const batchPrefix = (stream: string, batch: string): string => `curated/v1/${stream}/batch=${batch}/`;
export const batchKey = (stream: string, batch: string): string => `${batchPrefix(stream, batch)}batch.json`;
/** Files of a batch carry the attempt that wrote them: two attempts never meet in one name, `batch.json` says whose count. */
export const partKey = (stream: string, batch: string, kind: 'part' | 'sightings', attempt: string, index: number): string =>
  `${batchPrefix(stream, batch)}${kind}-${attempt}-${String(index).padStart(5, '0')}.parquet`;

export const headKey = (stream: string): string => `state/${stream}/head.json`;
/** The name under which a stream's backfills keep a head of their own, with a lease and epochs of its own. */
export const backfillHead = (stream: string): string => `${stream}/backfill`;
export const backfillsPrefix = (stream: string): string => `state/${stream}/backfill/`;
/** Everything of the backfills of one range; each pull of it has a number. */
export const backfillPrefix = (stream: string, range: WindowRef): string =>
  `${backfillsPrefix(stream)}${compactInstant(range.start)}_${compactInstant(range.end)}/`;
export const backfillKey = (stream: string, range: WindowRef, number: number, what: 'plan' | 'done'): string =>
  `${backfillPrefix(stream, range)}${String(number).padStart(4, '0')}.${what}.json`;
/** @returns null for any other key, the head's too. */
export function parseBackfillKey(key: string): { range: WindowRef; number: number; what: 'plan' | 'done' } | null {
  const [, from, to, number, what] = /\/backfill\/([^/_]+)_([^/_]+)\/(\d+)\.(plan|done)\.json$/.exec(key) ?? [];
  const [start, end] = [parseCompact(from), parseCompact(to)];
  return start === null || end === null ? null : { range: { start, end }, number: Number(number), what: what as 'plan' | 'done' };
}
export const schemaKey = (stream: string): string => `state/${stream}/schema.json`;
/** What is asked of one origin with one key counts as one, whichever streams ask; `name` says both (no secrets). */
export function budgetKey(name: string): string {
  const readable = name.replace(/^https?:\/\//, '').replaceAll(/[^A-Za-z0-9.]+/g, '-');
  return `state/budget/${readable.slice(0, 80)}-${hash('sha256', name).slice(0, 8)}.json`;
}

/** What was said of one candidate key, so that it is not asked for again; `key` as JSON. */
export const candidateKey = (stream: string, key: string): string => `lookup/${stream}/${hash('sha256', key).slice(0, 32)}.json`;

export const incidentPrefix = (stream: string): string => `incidents/${stream}/`;
export const incidentKey = (stream: string, id: string): string => `${incidentPrefix(stream)}${id}.json`;
export const deadLetterPrefix = (stream: string): string => `dead-letter/${stream}/`;
export const deadLetterKey = (stream: string, id: string): string => `${deadLetterPrefix(stream)}${id}.json`;
export const quarantinePrefix = (stream: string): string => `quarantine/${stream}/`;
export const quarantineKey = (stream: string, batch: string): string => `${quarantinePrefix(stream)}batch=${batch}/records.ndjson.zst`;
export const quarantineDecisionPrefix = (stream: string): string => `${quarantinePrefix(stream)}decisions/`;
export const quarantineDecisionKey = (stream: string, contentHash: string): string =>
  `${quarantineDecisionPrefix(stream)}${contentHash}.json`;
export const heldPrefix = (stream: string): string => `held/${stream}/`;
export const heldKey = (stream: string, batch: string): string => `${heldPrefix(stream)}${batch}.json`;
export const heldDecisionKey = (stream: string, batch: string): string => `${heldPrefix(stream)}${batch}.decision.json`;

export const certificatePrefix = (stream: string): string => `certificates/${stream}/`;
/** Certificates of hours of that day (UTC). */
export const certificateDayPrefix = (stream: string, instant: Micros): string =>
  `${certificatePrefix(stream)}dt=${formatInstant(instant).slice(0, 10)}/`;
export const certificateKey = (stream: string, hour: Micros): string =>
  `${certificateDayPrefix(stream, hour)}hr=${formatInstant(hour).slice(11, 13)}.json`;
/** What was seen of committed windows that end on that day. */
export const lookDayPrefix = (stream: string, instant: Micros): string =>
  `${certificatePrefix(stream)}looks/dt=${formatInstant(instant).slice(0, 10)}/`;
export const lookKey = (stream: string, window: WindowRef, kind: string, epoch: number): string =>
  `${lookDayPrefix(stream, window.end)}win=${windowName(window)}.${kind}.gen=${String(epoch).padStart(8, '0')}.json`;
/** The window that a look's key names. @returns null for any other key. */
export function parseLookKey(key: string): WindowRef | null {
  const [, from, to] = /^certificates\/[^/]+\/looks\/dt=[^/]+\/win=([^/_]+)_([^/_]+)\.[a-z]+\.gen=\d+\.json$/.exec(key) ?? [];
  const [start, end] = [parseCompact(from), parseCompact(to)];
  return start === null || end === null ? null : { start, end };
}
export const breachPrefix = (stream: string): string => `${certificatePrefix(stream)}breaches/`;
/** One batch brought what the certificate of that hour does not count. */
export const breachKey = (stream: string, hour: Micros, batch: string): string =>
  `${breachPrefix(stream)}dt=${formatInstant(hour).slice(0, 10)}/hr=${formatInstant(hour).slice(11, 13)}/batch=${batch}.json`;

/** The hour that a certificate's key names. @returns null for any other key, a breach's too. */
export function parseCertificateKey(key: string): Micros | null {
  const [, day, hour] = /^certificates\/[^/]+\/dt=(\d{4}-\d\d-\d\d)\/hr=(\d\d)\.json$/.exec(key) ?? [];
  return day === undefined ? null : parseInstant(`${day}T${hour}:00:00Z`, 'iso');
}
