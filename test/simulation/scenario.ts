import type { Micros } from '../../src/clock.ts';
import { FAULT_KINDS, type FaultKind, type FaultProfile } from '../../src/partner/faults.ts';
import type { PartnerSettings, Poison, StreamName } from '../../src/partner/options.ts';
import { HOUR, MINUTE, parseInstant, SECOND } from '../../src/time.ts';
import type { Dice } from './dice.ts';
import { PARTNER_URL } from './exchange.ts';
import type { FaultRates } from './faults.ts';
import type { Pace } from './process.ts';

/** One world, drawn from a seed: what the partner has, how the program is configured, who runs it, and what goes wrong. */
export interface Scenario {
  readonly streams: readonly [StreamName, ...StreamName[]];
  /** When the first worker begins, and when faults end. */
  readonly start: Micros;
  readonly end: Micros;
  readonly partner: PartnerSettings & { readonly faults: FaultProfile };
  readonly brownouts: readonly { readonly from: Micros; readonly to: Micros }[];
  readonly pagination: 'cursor' | 'link-header' | 'next-url';
  /** YAML, as somebody would write it. */
  readonly configuration: string;
  readonly workers: readonly WorkerPlan[];
  /** When the partner pushes what is new, and somebody listens; nobody does in between. */
  readonly bursts: readonly Micros[];
  readonly pace: Pace;
  readonly faults: FaultRates;
  /** How far wall clocks of processes are ahead of the partner's, or behind it, at most: what the configuration allows for. */
  readonly skew: Micros;
}

export interface WorkerPlan {
  readonly name: string;
  /** Runs on and on, or is started again and again; or somebody at a desk, who decides what waits for it. */
  readonly runs: 'on' | 'once' | 'replay' | 'operate' | 'listen' | 'hurry';
  /** Between two starts. */
  readonly pause: Micros;
  /** Whether each start sweeps over the whole lateness bound. */
  readonly sweep: boolean;
  /** Is not started again after this. */
  readonly until?: Micros;
  /** How far its clock is ahead, where that is not drawn. */
  readonly ahead?: Micros;
}

/** Passes over all workers that a world has about: what a seed may cost. */
const PASSES = 14;
const EPOCH = parseInstant('2026-11-02T00:00:00Z', 'iso') ?? 0;
const INTERVALS: readonly [Micros, ...Micros[]] = [2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR];

export function drawScenario(dice: Dice): Scenario {
  const calm = dice.chance(0.08);
  const every = dice.pick(INTERVALS);
  const workers = drawWorkers(dice, every);
  const start = EPOCH + dice.between(0, 72) * 20 * MINUTE + dice.between(0, 59) * SECOND;
  const passes = dice.between(4, PASSES);
  const end = start + Math.max(20 * MINUTE, Math.round((passes / workers.length) * every));
  const history = dice.pick([0, 10 * MINUTE, HOUR, 5 * HOUR]);
  const skew = dice.chance(0.4) ? 0 : dice.spread(1, 300) * SECOND;
  const clocks = dice.chance(0.5) ? skew : Math.max(skew, 5 * MINUTE);
  const outOfOrder = dice.pick([5 * MINUTE, 30 * MINUTE, 2 * HOUR]);
  const lateness = Math.max(outOfOrder, dice.pick([HOUR, 4 * HOUR, 12 * HOUR]));
  const streams = drawStreams(dice);
  const bounds = { every, outOfOrder, lateness, clocks, start: history + skew + MINUTE };
  const pagination = dice.pick<Scenario['pagination']>(['cursor', 'cursor', 'cursor', 'link-header', 'next-url']);
  return {
    streams,
    start,
    end,
    partner: drawPartner(dice.fork('partner'), {
      start,
      end,
      history,
      calm,
      outOfOrder,
      lateness,
      streams,
    }),
    brownouts: calm ? [] : drawBrownouts(dice, start, end),
    pagination,
    configuration: configurationText(dice.fork('configuration'), streams, pagination, {
      ...bounds,
      pushes: pushWindow(dice.fork('pushes'), every, workers),
    }),
    workers: [...workers, { name: 'desk', runs: 'operate', pause: 3 * every, sweep: false }],
    bursts: drawBursts(dice.fork('bursts'), start, end),
    pace: drawPace(dice),
    faults: calm ? NO_FAULTS : drawFaults(dice.fork('faults')),
    skew,
  };
}

const drawStreams = (dice: Dice): Scenario['streams'] =>
  dice.pick([['payments'], ['payments'], ['settlements'], ['settlements'], ['payments', 'settlements']]);

function drawWorkers(dice: Dice, every: Micros): WorkerPlan[] {
  const count = dice.pick([1, 2, 2, 3]);
  return Array.from({ length: count }, (_, index): WorkerPlan => {
    const runs = index > 0 && dice.chance(0.15) ? 'replay' : dice.pick<WorkerPlan['runs']>(['on', 'once']);
    return { name: `w${index + 1}`, runs, pause: runs === 'replay' ? 3 * every : every, sweep: runs === 'once' && dice.chance(0.1) };
  });
}

interface Bounds {
  readonly start: Micros;
  readonly end: Micros;
  readonly history: Micros;
  readonly calm: boolean;
  readonly outOfOrder: Micros;
  readonly lateness: Micros;
  readonly streams: readonly StreamName[];
}

function drawPartner(dice: Dice, { start, end, history, calm, outOfOrder, lateness, streams }: Bounds): Scenario['partner'] {
  const from = start - history;
  const seconds = (end - from) / SECOND;
  const volume = () => ({ recordsPerSecond: dice.spread(15, 250) / streams.length / seconds });
  const late = Math.max(outOfOrder, lateness);
  return {
    seed: dice.between(1, 1_000_000),
    start: from,
    end,
    now: start,
    keys: ['key'],
    payments: volume(),
    settlements: volume(),
    outOfOrder: { share: dice.pick([0, 0.05, 0.3]), bound: outOfOrder },
    late: { share: dice.pick([0, 0.05, 0.2]), bound: late },
    sandboxShare: dice.pick([0, 0.06, 0.4]),
    twinShare: dice.pick([0, 0.02, 0.3]),
    conflictShare: dice.pick([0, 0, 0.05, 0.3]),
    badShare: dice.pick([0, 0.02, 0.3]),
    growEvery: Math.max(1, Math.floor((end - from) / dice.between(1, 6))),
    requestsPerMinute: REQUESTS_PER_MINUTE,
    cursorLifetime: dice.pick([2 * MINUTE, HOUR, 24 * HOUR]),
    gzipShare: 0,
    retryAfterSeconds: dice.pick([0, 1, 30]),
    faults: calm ? { rates: {}, mostPerIdentity: 0, mostStalls: 0, expiredCursors: 0 } : drawPartnerFaults(dice),
    poison: calm || dice.chance(0.7) ? [] : [drawPoison(dice, from, end, streams)],
  };
}

/** By the partner's limit; what the program is told is at most that. */
const REQUESTS_PER_MINUTE = 1000;

function drawPartnerFaults(dice: Dice): FaultProfile {
  const strength = dice.pick([0, 0.3, 1, 3]);
  const rates: Partial<Record<FaultKind, number>> = {};
  for (const kind of FAULT_KINDS) rates[kind] = dice.chance(0.7) ? dice.next() * 0.04 * strength : 0;
  return {
    rates,
    mostPerIdentity: dice.between(1, 4),
    mostStalls: dice.between(0, 5),
    expiredCursors: dice.pick([0, 0, 0.02, 0.1]),
  };
}

function drawPoison(dice: Dice, from: Micros, end: Micros, streams: readonly StreamName[]): Poison {
  const at = from + Math.floor(dice.next() * (end - from));
  const healsAt = at + Math.floor(dice.next() * (end - at));
  return { stream: streams[0] ?? 'payments', at, largestPage: dice.pick([0, 1, 3]), healsAt };
}

function drawBrownouts(dice: Dice, start: Micros, end: Micros): Scenario['brownouts'] {
  return Array.from({ length: dice.pick([0, 0, 1, 2]) }, () => {
    const from = start + Math.floor(dice.next() * (end - start));
    return { from, to: from + dice.spread(1, 40) * MINUTE };
  });
}

/** As long as polls are apart where somebody runs on and on, since he looks that often for them; else short, so that others end them. */
const pushWindow = (dice: Dice, every: Micros, workers: readonly WorkerPlan[]): Micros =>
  workers.some(({ runs }) => runs === 'on') ? Math.min(every, HOUR) : dice.pick([5 * SECOND, 30 * SECOND, MINUTE]);

const drawBursts = (dice: Dice, start: Micros, end: Micros): Scenario['bursts'] =>
  Array.from({ length: dice.pick([1, 2, 3]) }, () => start + Math.floor(dice.next() * (end - start)));

function drawPace(dice: Dice): Pace {
  const unit = dice.pick([0, 20_000, 300_000]);
  return { store: unit, partner: unit * 4, warehouse: Math.round(unit / 4), task: unit * 5 };
}

export const NO_FAULTS: FaultRates = {
  storeFailure: 0,
  storeLost: 0,
  storeLate: 0,
  storeCollision: 0,
  storeSlow: 0,
  staleConnection: 0,
  statement: 0,
  session: 0,
  commitLost: 0,
  busy: 0,
  task: 0,
  kills: 0,
  freezes: 0,
  stops: 0,
};

/** Each group of faults is off, rare or frequent, by itself. */
function drawFaults(dice: Dice): FaultRates {
  const group = (): number => dice.pick([0, 0.2, 1]);
  const share = (strength: number, most: number): number => strength * most * dice.next();
  const [store, warehouse, life] = [group(), group(), group()];
  return {
    storeFailure: share(store, 0.03),
    storeLost: share(store, 0.05),
    storeLate: share(store, 0.04),
    storeCollision: share(store, 0.05),
    storeSlow: share(store, 0.02),
    staleConnection: share(group(), 0.1),
    statement: share(warehouse, 0.01),
    session: share(warehouse, 0.02),
    commitLost: share(warehouse, 0.2),
    busy: share(warehouse, 0.2),
    task: share(group(), 0.02),
    kills: share(life, 0.02),
    freezes: share(life, 0.006),
    stops: share(life, 0.003),
  };
}

interface Polls {
  readonly every: Micros;
  readonly outOfOrder: Micros;
  readonly lateness: Micros;
  readonly clocks: Micros;
  readonly start: Micros;
  /** How long a window of pushes is. */
  readonly pushes: Micros;
}

const PAGINATION = {
  cursor: ['cursor: cursor', 'next: $.next_cursor, more: $.has_more'],
  'link-header': ['', 'nextUrl: link-header'],
  'next-url': ['', 'nextUrl: $.next'],
} as const;

function configurationText(dice: Dice, streams: readonly StreamName[], pagination: Scenario['pagination'], polls: Polls): string {
  const workers = `workers: { threads: ${dice.between(1, 3)}, batchRecords: ${dice.pick([25, 1000, 5000])}, scratch: ./scratch }`;
  const head = `store: file:./store\nwarehouse: duckdb:./warehouse.duckdb\n${workers}\nstreams:\n`;
  return `${head}${streams.map((name) => streamText(dice, name, pagination, polls)).join('')}`;
}

function streamText(dice: Dice, name: StreamName, pagination: Scenario['pagination'], polls: Polls): string {
  const payments = name === 'payments';
  const path = payments ? 'events' : 'settlements';
  const id = payments ? 'event_id' : 'vendor_txn_id';
  const constant = !payments && dice.chance(0.4);
  const [query, response] = PAGINATION[pagination];
  const key = payments ? '[environment, event_id]' : constant ? '[environment, vendor_txn_id]' : '[vendor_txn_id]';
  const seconds = (micros: Micros): string => `${Math.round(micros / SECOND)}s`;
  const chains = dice.fork(`chains of ${name}`);
  return `  ${name}:
    source:
      list: ${PARTNER_URL}/${path}
      lookup: ${PARTNER_URL}/${path}/{${id}}
      auth: { bearer: env:KEY }
      query: { since: updated_since, size: page_size${query === '' ? '' : `, ${query}`} }
      response: { records: $.data, ${response}${dice.chance(0.5) ? ', culprit: $.error.record' : ''} }
      pageSize: ${dice.spread(2, 40)}
      requestsPerMinute: ${dice.pick([12, 300, REQUESTS_PER_MINUTE])}
      timeout: ${dice.between(2, 20)}s
      chains: { most: ${chains.between(1, 4)}, pages: ${chains.between(1, 6)} }
      attempts: ${dice.between(2, 6)}
${payments ? '    environment: { field: environment }\n' : constant ? '    environment: prod\n' : ''}    key: ${key}
    version: [updated_at${payments ? ', event_version' : ''}]
${payments && dice.chance(0.5) ? '    latestBy: [environment, transaction_id]\n' : ''}    poll: { every: ${seconds(polls.every)}, outOfOrder: ${seconds(polls.outOfOrder)}, lateness: ${seconds(polls.lateness)}, clocks: ${seconds(polls.clocks)}, start: ${seconds(polls.start)}, deadline: 6h }
${dice.chance(0.3) ? listenText(polls) : ''}${qualityText(payments ? '' : ROWS, dice.chance(0.25) ? VOLUME : '')}`;
}

const listenText = ({ pushes }: Polls): string =>
  `    listen: { secrets: env:PUSH, delivery: x-delivery-id, body: ndjson, tolerance: 20m, window: ${pushes / SECOND}s }\n`;

const ROWS = '      rows: { amount: "present and >= 0", currency: "in USD, CAD, MXN" }\n';
/** So tight that some polls are held. */
const VOLUME = '      volume: { trailing: 5, band: [0.4, 2] }\n';
const qualityText = (rows: string, volume: string): string => (rows + volume === '' ? '' : `    quality:\n${rows}${volume}`);
