import { type Clock, type Micros, systemClock } from '../clock.ts';
import { DAY, HOUR, parseInstant } from '../time.ts';
import { FAULT_PROFILES, type FaultProfile, type FaultProfileName } from './faults.ts';

export const STREAM_NAMES = ['payments', 'settlements'] as const;
export type StreamName = (typeof STREAM_NAMES)[number];

/** What is true in the partner's world, whoever asks and whatever goes wrong on the way. */
export interface WorldOptions {
  /** Every world with the same options is the same, to the byte. An integer; 32 bits of it count. */
  readonly seed: number;
  /** The first instant of `updated_at`. */
  readonly start: Micros;
  /** No record has an `updated_at` at or after this. Records that were delayed become visible up to `late.bound` later. */
  readonly end: Micros;
  readonly payments: VolumeOptions;
  readonly settlements: VolumeOptions;
  /** Share of the records that become visible late, but within `bound`. */
  readonly outOfOrder: DelayOptions;
  /** Share of the records that become visible later still: between `outOfOrder.bound` and `bound`. */
  readonly late: DelayOptions;
  /** Share of the payments events whose id exists in sandbox as well as in prod; half as many exist in sandbox alone. */
  readonly sandboxShare: number;
  /** Share of the payments updates that come twice with one `updated_at`, told apart by `event_version`. */
  readonly twinShare: number;
  /** Share of the updates that come twice with one full version and different contents. */
  readonly conflictShare: number;
  /** Share of the settlements that are bad in each of their versions: no amount, a negative one, one as text, currency XXX. */
  readonly badShare: number;
  /** Records gain a field, or a field changes its type, whenever so much of the world's time has passed. */
  readonly growEvery: Micros;
}

export interface VolumeOptions {
  /** On average, updates included. */
  readonly recordsPerSecond: number;
  /** Times in which more or fewer events begin than usual. */
  readonly surges: readonly Surge[];
}

export interface Surge {
  readonly from: Micros;
  readonly to: Micros;
  /** Of the usual rate; 0 for none at all. */
  readonly factor: number;
}

interface DelayOptions {
  readonly share: number;
  readonly bound: Micros;
}

/** A record that the partner cannot serve in a list: the page that holds it answers 500, every time. */
export interface Poison {
  readonly stream: StreamName;
  /** The first undelayed record at or after this instant is the poisoned one. */
  readonly at: Micros;
  /** Pages asked for with at most this `page_size` go through; 0 for none, so that only the lookup delivers the record. */
  readonly largestPage: number;
  /** From this instant of the partner's clock on the record is well again; omitted: never. */
  readonly healsAt?: Micros;
}

interface ServerOptions {
  /** 0 for any free port. */
  readonly port: number;
  readonly host: string;
  /** The bearer tokens that are accepted. */
  readonly keys: readonly string[];
  /** What the partner's clock reads at the start. */
  readonly now: Micros;
  /** Seconds that the partner's clock advances in a real second; 0 keeps it still until it is set. */
  readonly pace: number;
  /** Requests of one key that are answered within any 60 real seconds. */
  readonly requestsPerMinute: number;
  /** A cursor older than this, by the partner's clock, answers 410. */
  readonly cursorLifetime: Micros;
  /** Share of the answers that are compressed, where the client accepts gzip. */
  readonly gzipShare: number;
  /** The seconds that injected 429 and 503 ask the client to wait. */
  readonly retryAfterSeconds: number;
  readonly faults: FaultProfile;
  readonly poison: readonly Poison[];
  /** Real time: the rate limit, `pace`, the `date` header. */
  readonly clock: Clock;
}

export interface PartnerOptions extends WorldOptions, ServerOptions {}

/** Whatever is omitted takes its default; volumes and delays may be given in part. */
export interface PartnerSettings extends Partial<Omit<PartnerOptions, 'payments' | 'settlements' | 'outOfOrder' | 'late' | 'faults'>> {
  readonly payments?: Partial<VolumeOptions>;
  readonly settlements?: Partial<VolumeOptions>;
  readonly outOfOrder?: Partial<DelayOptions>;
  readonly late?: Partial<DelayOptions>;
  /** A named profile, or rates of one's own. Default `hostile`. */
  readonly faults?: FaultProfileName | FaultProfile;
}

const DEFAULT_START: Micros = parseInstant('2026-11-01T00:00:00Z', 'iso') ?? 0;

/** The options in full: the defaults are here and nowhere else. */
export function partnerOptions(settings: PartnerSettings = {}): PartnerOptions {
  const world = worldOptions(settings);
  const name = typeof settings.faults === 'string' ? settings.faults : settings.faults === undefined ? 'hostile' : null;
  return {
    ...world,
    port: settings.port ?? 0,
    host: settings.host ?? '127.0.0.1',
    keys: settings.keys ?? ['partner-key'],
    now: settings.now ?? world.end,
    pace: settings.pace ?? 0,
    requestsPerMinute: settings.requestsPerMinute ?? 1000,
    cursorLifetime: settings.cursorLifetime ?? DAY,
    gzipShare: settings.gzipShare ?? 0.2,
    retryAfterSeconds: settings.retryAfterSeconds ?? 1,
    faults: typeof settings.faults === 'object' ? settings.faults : FAULT_PROFILES[name ?? 'none'],
    poison: settings.poison ?? poisonOf(name, world),
    clock: settings.clock ?? systemClock,
  };
}

/** The world alone, for those who need no server. Three days of a quiet partner, unless said otherwise. */
export function worldOptions(settings: PartnerSettings = {}): WorldOptions {
  const start = settings.start ?? DEFAULT_START;
  const end = settings.end ?? start + 3 * DAY;
  return {
    seed: settings.seed ?? 1,
    start,
    end,
    payments: { recordsPerSecond: 0.5, surges: [], ...settings.payments },
    settlements: { recordsPerSecond: 0.1, surges: [], ...settings.settlements },
    outOfOrder: { share: 0.03, bound: 2 * HOUR, ...settings.outOfOrder },
    late: { share: 0.005, bound: 48 * HOUR, ...settings.late },
    sandboxShare: settings.sandboxShare ?? 0.06,
    twinShare: settings.twinShare ?? 0.02,
    conflictShare: settings.conflictShare ?? 0,
    badShare: settings.badShare ?? 0.002,
    growEvery: settings.growEvery ?? Math.max(1, Math.floor((end - start) / 4)),
  };
}

/** A third into the world payments has a page that goes through only in small pieces; `brutal` adds one that never does. */
function poisonOf(profile: FaultProfileName | null, world: WorldOptions): readonly Poison[] {
  if (profile !== 'hostile' && profile !== 'brutal') return [];
  const at = (share: number): Micros => world.start + Math.floor((world.end - world.start) * share);
  const soft: Poison = { stream: 'payments', at: at(1 / 3), largestPage: 250 };
  return profile === 'hostile' ? [soft] : [soft, { stream: 'payments', at: at(2 / 3), largestPage: 0 }];
}
