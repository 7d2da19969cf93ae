import { afterEach } from 'vitest';
import type { Clock, Micros } from '../../src/clock.ts';
import { systemClock } from '../../src/clock.ts';
import { createRequestBudget } from '../../src/fetch/budget.ts';
import { createHttpClient } from '../../src/fetch/client.ts';
import type { FetchEffects } from '../../src/fetch/effects.ts';
import { type FetchedWindow, fetchWindow } from '../../src/fetch/window.ts';
import { rawScope } from '../../src/landing/scope.ts';
import { silentLog } from '../../src/log.ts';
import type { Window } from '../../src/manifest/documents.ts';
import { landedSlots } from '../../src/manifest/landed.ts';
import { acquireLease, type Lease } from '../../src/manifest/lease.ts';
import { readBody } from '../../src/store/compress.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import type { Pagination, Poll, Source, Stream } from '../../src/stream.ts';
import { DAY, formatInstant, HOUR, MINUTE, parseInstant, SECOND } from '../../src/time.ts';
import { type MisbehavingServer, type ReceivedRequest, type Reply, startMisbehavingServer } from '../support/misbehaving-server.ts';

export const START = instant('2026-11-20T10:00:00Z');
export const END = START + HOUR;
export const WINDOW: Window = { kind: 'poll', start: START, end: END };

export function instant(text: string): Micros {
  const micros = parseInstant(text, 'iso');
  if (micros === null) throw new Error(`no time: ${text}`);
  return micros;
}

/** A clock on which sleeping takes no time: it is simply later afterwards. */
export function virtualClock(start: Micros = END): Clock & { readonly slept: number[] } {
  let ms = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => start + Math.round(ms * 1000),
    monotonicMs: () => ms,
    sleep: async (wait, signal) => {
      signal?.throwIfAborted();
      slept.push(wait);
      ms += wait;
    },
  };
}

export interface Row {
  readonly event_id: string;
  readonly updated_at: string;
  readonly event_version: number;
}

/** `count` records, one every `apart`, from the window's start on. */
export const rows = (count: number, apart: Micros = 10 * SECOND): Row[] =>
  Array.from({ length: count }, (_, i) => ({ event_id: `e${i + 1}`, updated_at: formatInstant(START + i * apart), event_version: 1 }));

export const CURSORS: Pagination = { kind: 'cursor', parameter: 'cursor', next: ['next_cursor'], more: ['has_more'] };

export function streamOf(list: string, overrides: Partial<Source> = {}): Stream {
  return {
    name: 'payments',
    source: {
      list,
      lookup: null,
      chains: { most: 4, pages: 20 },
      auth: { kind: 'none' },
      pagination: CURSORS,
      since: { parameter: 'updated_since', form: 'iso' },
      sizeParameter: 'page_size',
      parameters: {},
      records: ['data'],
      pageSize: 10,
      requestsPerMinute: 60_000,
      attempts: 3,
      timeoutMs: 60_000,
      ...overrides,
    },
    environment: { constant: 'prod' },
    key: [{ name: 'event_id', constant: null }],
    version: [{ name: 'updated_at', form: 'iso' }, { name: 'event_version' }],
    poll: {
      every: 5 * MINUTE,
      outOfOrder: 2 * HOUR,
      clocks: 5 * MINUTE,
      lateness: 2 * DAY,
      overlap: { least: 15 * MINUTE, most: 2 * HOUR },
      deadline: 15 * MINUTE,
      start: 2 * DAY,
    },
    quality: { rows: [], volume: null },
    latestBy: [],
    personal: [],
  };
}

/** What an honest API with cursors answers: `<since>~<offset>`, which needs encoding in a URL. */
export function honestly(
  records: readonly Row[],
  { url }: ReceivedRequest,
): { data: Row[]; has_more: boolean; next_cursor: string | null } {
  const cursor = url.searchParams.get('cursor');
  const [since = '', offset = '0'] = cursor?.split('~& =+/%ü') ?? [url.searchParams.get('updated_since') ?? ''];
  const size = Number(url.searchParams.get('page_size'));
  const from = instant(since);
  const matching = records.filter((record) => instant(record.updated_at) >= from);
  const end = Number(offset) + size;
  const more = end < matching.length;
  return { data: matching.slice(Number(offset), end), has_more: more, next_cursor: more ? `${since}~& =+/%ü${end}` : null };
}

export interface Bench {
  readonly server: MisbehavingServer;
  readonly store: ObjectStore;
  readonly stream: Stream;
  readonly clock: ReturnType<typeof virtualClock>;
  readonly effects: FetchEffects;
  /** Fetches the window as a process of its own: a new lease, hence a new generation. `store` may be a faulty view of the store. */
  run(options?: RunOptions): Promise<FetchedWindow>;
  /** Ids of the records of every page that the manifest names, in its order. */
  idsOf(fetched: Pick<FetchedWindow, 'manifest'>): Promise<string[]>;
  lease(): Promise<Lease>;
  /** Also happens by itself after the test. */
  close(): Promise<void>;
}

export interface RunOptions {
  readonly store?: ObjectStore;
  readonly window?: Window;
  readonly effects?: Partial<FetchEffects>;
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** A server that answers as `decide` says, a store, and a virtual clock for everything but the sockets. */
export async function benchFor(
  decide: (request: ReceivedRequest) => Reply,
  overrides: Partial<Source> = {},
  poll: Partial<Poll> = {},
): Promise<Bench> {
  const server = await startMisbehavingServer(decide);
  const http = createHttpClient(systemClock);
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await server.close();
    await http.close();
  };
  closing.push(close);
  const store = memoryStore();
  const sourced = streamOf(`${server.url}/events`, overrides);
  const stream = { ...sourced, poll: { ...sourced.poll, ...poll } };
  const clock = virtualClock();
  let names = 0;
  const effects: FetchEffects = {
    store,
    clock,
    random: () => 0.5,
    randomId: () => `id-${(names += 1)}`,
    exchange: http.exchange,
    budget: createRequestBudget(clock, stream.source.requestsPerMinute),
    log: silentLog,
  };
  const lease = (): Promise<Lease> => leaseOn(store, effects.randomId);
  return {
    server,
    store,
    stream,
    clock,
    effects,
    lease,
    close,
    run: (options) => runOnce(stream, effects, lease, options),
    idsOf: (fetched) => idsOf(store, fetched),
  };
}

/** Each lease belongs to a process of its own, of which the earlier ones are dead. */
async function leaseOn(store: ObjectStore, randomId: () => string): Promise<Lease> {
  const id = randomId();
  const lease = await acquireLease({
    store,
    stream: 'payments',
    clock: systemClock,
    log: silentLog,
    holder: { id, host: 'test', pid: 1 },
    randomId,
    wait: false,
  });
  closing.push(() => lease.release());
  return lease;
}

async function runOnce(
  stream: Stream,
  effects: FetchEffects,
  takeLease: () => Promise<Lease>,
  options: RunOptions = {},
): Promise<FetchedWindow> {
  const lease = await takeLease();
  try {
    const view = options.store ? { store: options.store } : {};
    return await fetchWindow({ ...effects, ...view, ...options.effects }, stream, options.window ?? WINDOW, lease);
  } finally {
    await lease.release();
  }
}

async function idsOf(store: ObjectStore, { manifest }: Pick<FetchedWindow, 'manifest'>): Promise<string[]> {
  const ids: string[] = [];
  for (const { key, span } of manifest.pages) {
    const body = (await readBody(store, key))?.toString('utf8', span.start, span.end) ?? '[]';
    ids.push(...(JSON.parse(body) as Row[]).map((record) => record.event_id));
  }
  return ids;
}

export const idsOfRows = (records: readonly Row[]): string[] => records.map((record) => record.event_id);

/** Verdicts of everything that landed, by slot. */
export async function verdictsOf({ store, stream }: Pick<Bench, 'store' | 'stream'>, window: Window = WINDOW): Promise<string[][]> {
  const slots = await landedSlots(store, rawScope(stream), window);
  return slots.map(({ answers }) => answers.map((answer) => answer.receipt?.verdict ?? 'none'));
}

/** The process dies when it is about to write a key that matches, for the `nth` time; everything before it is written. */
export function dyingStore(store: ObjectStore, pattern: RegExp, nth = 1): ObjectStore {
  let seen = 0;
  return {
    ...store,
    create: async (key, body) => {
      if (pattern.test(key) && (seen += 1) >= nth) throw new Error(`died before writing ${key}`);
      return store.create(key, body);
    },
  };
}
