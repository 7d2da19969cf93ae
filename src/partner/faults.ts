import { fraction, mix, mixText } from './hash.ts';

/** What can go wrong with one answer. docs and statistics use these names. */
export const FAULT_KINDS = [
  'too-many-requests', // 429 with Retry-After in seconds or as a date
  'unavailable', // 503, with and without Retry-After
  'gateway-timeout', // 504 before anything was done
  'late-gateway-timeout', // 504 after the page was made
  'reset', // the connection is reset before the headers
  'reset-in-body', // the connection is reset in the middle of the body
  'truncated', // the JSON breaks off, the HTTP message ends cleanly
  'stall', // nothing comes until the client leaves
  'html', // an HTML page with status 200
  'empty', // no body, status 200
  'short', // records are missing from the page, the cursor goes on past them; asked again, the page is whole
  'duplicate-bytes', // the very bytes of the previous page, its cursor included
  'duplicate-records', // the records of the previous page under a fresh cursor that leads on to this one
  'repeat-within', // some records stand in the page twice
  'repeat-across', // the page begins with the end of the previous one
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface FaultProfile {
  /** Share of the requests that meet each fault, as long as their identity still may. */
  readonly rates: Readonly<Partial<Record<FaultKind, number>>>;
  /** Kinds that do not wait for a draw: the first requests that can carry them meet them, once each. */
  readonly certain?: readonly FaultKind[];
  /** One identity meets at most so many faults, one after the other; then it is answered as it should. */
  readonly mostPerIdentity: number;
  /** Stalls cost their client real time: at most so many in a server's life. */
  readonly mostStalls: number;
  /** Share of the cursors that answer 410 for ever; the chain has to begin again from a time. */
  readonly expiredCursors: number;
}

const HOSTILE: Readonly<Record<FaultKind, number>> = {
  'too-many-requests': 0.02,
  unavailable: 0.03,
  'gateway-timeout': 0.02,
  'late-gateway-timeout': 0.02,
  reset: 0.02,
  'reset-in-body': 0.02,
  truncated: 0.02,
  stall: 0.005,
  html: 0.015,
  empty: 0.015,
  short: 0.03,
  'duplicate-bytes': 0.02,
  'duplicate-records': 0.02,
  'repeat-within': 0.04,
  'repeat-across': 0.03,
};

function scaled(rates: Readonly<Record<FaultKind, number>>, factor: number): Partial<Record<FaultKind, number>> {
  return Object.fromEntries(Object.entries(rates).map(([kind, rate]) => [kind, rate * factor]));
}

/** Every third request goes wrong in `hostile`, two of three in `brutal`. */
export const FAULT_PROFILES = {
  none: { rates: {}, mostPerIdentity: 0, mostStalls: 0, expiredCursors: 0 },
  hostile: { rates: HOSTILE, mostPerIdentity: 2, mostStalls: 2, expiredCursors: 0 },
  brutal: { rates: scaled(HOSTILE, 2), mostPerIdentity: 3, mostStalls: 4, expiredCursors: 0.01 },
} as const satisfies Record<string, FaultProfile>;
export type FaultProfileName = keyof typeof FAULT_PROFILES;

export interface Fault {
  readonly kind: FaultKind;
  /** 32 bits that decide the fault's details: where to cut, which form of Retry-After. */
  readonly draw: number;
}

/**
 * @param identity path and query of the request.
 * @param askedBefore how many times this identity was asked before.
 */
export function faultFor(seed: number, profile: FaultProfile, identity: string, askedBefore: number): Fault | null {
  if (askedBefore >= profile.mostPerIdentity) return null;
  const draw = mix(mixText(mix(seed, 0xfa), identity), askedBefore);
  let left = fraction(draw);
  for (const kind of FAULT_KINDS) {
    left -= profile.rates[kind] ?? 0;
    if (left < 0) return { kind, draw: mix(draw, 1) };
  }
  return null;
}
