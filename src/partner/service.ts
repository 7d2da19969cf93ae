import type { Micros } from '../clock.ts';
import { parseInstant, SECOND } from '../time.ts';
import { type Answer, faultWithoutPage, json, page, refusal, retryAfter, spoil } from './answer.ts';
import { type Cursor, fingerprintOf, readCursor, writeCursor } from './cursor.ts';
import { type Fault, faultFor } from './faults.ts';
import { fraction, hits, mix, mixText } from './hash.ts';
import { positionOf } from './listing.ts';
import type { PartnerOptions, StreamName } from './options.ts';
import { type PageContent, type PageRequest, pageBody, pageContent } from './pages.ts';
import { type PoisonedRecord, poisonedRecords, poisonOfPage } from './poison.ts';
import { RateLimit } from './rate-limit.ts';
import { type RecordSource, winnersOf } from './record-source.ts';
import { countFault, countMinute, emptyStats, type PartnerStats } from './stats.ts';
import type { World } from './world.ts';

const MOST_PAGE_SIZE = 5000;
const DEFAULT_PAGE_SIZE = 1000;
/** How many identities are remembered with how often they were asked, and how many bodies in case they are to be sent again. */
const MOST_IDENTITIES = 100_000;
const MOST_BODIES = 4;

const PATHS: Readonly<Record<string, StreamName>> = { events: 'payments', settlements: 'settlements' };

export interface ServiceRequest {
  /** Path and query, as sent: the identity that faults are drawn by. */
  readonly target: string;
  readonly authorization: string | undefined;
}

/** The two APIs without their transport: a request in, an answer out. */
export class PartnerService {
  readonly stats: PartnerStats = emptyStats();
  readonly #options: PartnerOptions;
  readonly #world: World;
  readonly #fingerprints: Readonly<Record<StreamName, string>>;
  readonly #poisoned: readonly PoisonedRecord[];
  readonly #limit: RateLimit;
  readonly #asked = new Map<string, number>();
  readonly #bodies = new Map<string, { body: Buffer; records: number }>();
  #stalls = 0;

  constructor(options: PartnerOptions, world: World) {
    this.#options = options;
    this.#world = world;
    this.#fingerprints = { payments: fingerprintOf(options, 'payments'), settlements: fingerprintOf(options, 'settlements') };
    this.#poisoned = poisonedRecords(world, options.poison);
    this.#limit = new RateLimit(options.requestsPerMinute);
  }

  /** @param now the partner's clock. */
  answer(request: ServiceRequest, now: Micros): Answer {
    const url = new URL(request.target, 'http://partner');
    const [, root = '', id, ...rest] = url.pathname.split('/');
    const stream = PATHS[root];
    if (!stream || rest.length > 0) return refusal(404, 'not_found', `there is no ${url.pathname}`);
    this.stats.requests[stream][id === undefined ? 'list' : 'lookup'] += 1;
    const refused = this.#admit(request);
    if (refused) return refused;
    const fault = this.#faultOf(request.target);
    const source = this.#world[stream];
    const make = (): Answer =>
      id === undefined ? this.#list(source, url.searchParams, fault, now) : this.#lookup(source, id, url.searchParams, now);
    return this.#withFault(fault, make);
  }

  #admit(request: ServiceRequest): Answer | null {
    const key = /^Bearer (.+)$/.exec(request.authorization ?? '')?.[1];
    if (key === undefined || !this.#options.keys.includes(key)) return refusal(401, 'unauthorized', 'the API key is missing or unknown');
    const { clock } = this.#options;
    countMinute(this.stats, key, new Date(Math.floor(clock.now() / SECOND / 60) * 60_000).toISOString());
    const waitMs = this.#limit.ask(key, clock.monotonicMs());
    if (waitMs === 0) return null;
    this.stats.overLimit += 1;
    const draw = mix(this.#options.seed, this.stats.overLimit);
    return refusal(
      429,
      'rate_limited',
      'the limit of requests a minute is used up',
      retryAfter(draw, Math.ceil(waitMs / 1000), clock.now()),
    );
  }

  #faultOf(identity: string): Fault | null {
    const { seed, faults } = this.#options;
    const before = this.#asked.get(identity) ?? 0;
    this.#asked.delete(identity);
    this.#asked.set(identity, before + 1);
    forgetOldest(this.#asked, MOST_IDENTITIES);
    const owed = before < faults.mostPerIdentity ? faults.certain?.find((kind) => !this.stats.faults[kind]) : undefined;
    const fault = owed ? { kind: owed, draw: mixText(mix(seed, before), identity) } : faultFor(seed, faults, identity, before);
    if (fault?.kind !== 'stall') return fault;
    this.#stalls += 1;
    return this.#stalls <= faults.mostStalls ? fault : null;
  }

  #withFault(fault: Fault | null, make: () => Answer): Answer {
    if (!fault) return make();
    const { retryAfterSeconds, clock } = this.#options;
    const early = faultWithoutPage(fault, retryAfterSeconds, clock.now());
    if (early) {
      countFault(this.stats, fault.kind);
      return early;
    }
    const answer = make();
    const spoilt = answer.status === 200 ? spoil(answer, fault) : answer;
    if (spoilt !== answer) countFault(this.stats, fault.kind);
    return spoilt;
  }

  #lookup(source: RecordSource, id: string, query: URLSearchParams, now: Micros): Answer {
    const place = source.find(id);
    const entries = place ? source.timeline.entriesOf(place.bucket, place.index) : [];
    const wanted = query.get('environment');
    const winners = ([0, 1] as const).flatMap((environment) => winnersOf(entries, environment, now).slice(0, 1));
    const found = winners.filter((entry) => wanted === null || source.keyOf(entry)[0] === wanted);
    if (found.length === 0) return refusal(404, 'not_found', `there is no ${id}`);
    const texts = found.map((entry) => source.textOf(entry));
    return page(Buffer.from(`{"data":[${texts.join(',')}],"next_cursor":null,"has_more":false}`), found.length);
  }

  #list(source: RecordSource, query: URLSearchParams, fault: Fault | null, now: Micros): Answer {
    const size = query.has('page_size') ? Number(query.get('page_size')) : DEFAULT_PAGE_SIZE;
    if (!Number.isInteger(size) || size < 1 || size > MOST_PAGE_SIZE) {
      return refusal(400, 'invalid_page_size', `page_size is a whole number from 1 to ${MOST_PAGE_SIZE}`);
    }
    const cursor = this.#cursorOf(source, query, now);
    if ('status' in cursor) return cursor;
    const sent = query.get('cursor');
    const again = sent !== null && fault?.kind === 'duplicate-bytes' ? this.#bodies.get(sent) : undefined;
    if (again) {
      countFault(this.stats, 'duplicate-bytes');
      return page(again.body, again.records);
    }
    return this.#page(source, { cursor, follows: sent !== null, size, now }, fault);
  }

  #page(source: RecordSource, request: PageRequest, fault: Fault | null): Answer {
    const content = pageContent(source, request, fault);
    const { size, now } = request;
    const poison = poisonOfPage(source, this.#poisoned, { entries: content.entries, size, now });
    if (poison) {
      countFault(this.stats, 'poison');
      return json(500, { error: { code: 'internal', message: `cannot serialize ${poison.key.join(' ')}`, record: poison.key } });
    }
    if (fault && content.faulty) countFault(this.stats, fault.kind);
    const body = pageBody(source, this.#fingerprints[source.stream], content);
    this.#remember(source, content, body);
    return page(body, content.entries.length);
  }

  /** A page can be sent again in the place of the next one, so the last few are kept where the profile knows that fault. */
  #remember(source: RecordSource, content: PageContent, body: Buffer): void {
    const { rates, certain } = this.#options.faults;
    if (!content.more || !(rates['duplicate-bytes'] || certain?.includes('duplicate-bytes'))) return;
    this.#bodies.set(writeCursor(this.#fingerprints[source.stream], content.next), { body, records: content.entries.length });
    forgetOldest(this.#bodies, MOST_BODIES);
  }

  #cursorOf(source: RecordSource, query: URLSearchParams, now: Micros): Cursor | Answer {
    const text = query.get('cursor');
    if (text === null) return firstCursor(source, query.get('updated_since'), now);
    const cursor = readCursor(this.#fingerprints[source.stream], text);
    if (cursor === 'malformed') return refusal(400, 'invalid_cursor', 'the cursor is none of ours');
    const { seed, faults, cursorLifetime } = this.#options;
    const cut = cursor !== 'foreign' && hits(mixText(mix(seed, 0xce), text), faults.expiredCursors);
    if (cut) countFault(this.stats, 'expired-cursor');
    const expired = cursor === 'foreign' || cut || now - cursor.issued > cursorLifetime;
    return expired ? refusal(410, 'cursor_expired', 'the cursor has expired; begin again with updated_since') : cursor;
  }

  /** Whether this answer is to be compressed, where the client accepts it. */
  compresses(target: string): boolean {
    return fraction(mixText(mix(this.#options.seed, 0x62), target)) < this.#options.gzipShare;
  }
}

function firstCursor(source: RecordSource, since: string | null, now: Micros): Cursor | Answer {
  const instant = since === null ? source.timeline.start : parseInstant(since, 'iso');
  if (instant === null) return refusal(400, 'invalid_updated_since', 'updated_since is an ISO 8601 time');
  const next = positionOf(source.timeline, instant);
  return { since: instant, next, previous: next, issued: now, nonce: 0 };
}

/** A Map keeps the order in which its keys were set. */
function forgetOldest(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
