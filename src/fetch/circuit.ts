import type { Clock, Micros } from '../clock.ts';
import { TidemarkError } from '../errors.ts';
import type { WindowRef } from '../store/keys.ts';

/**
 * What turns a brownout into a few, spaced questions. closed: requests go their way; open: nobody asks before the next probe is due;
 * probing: one probe is on its way.
 */
export type CircuitState = 'closed' | 'open' | 'probing';
export type CircuitEvent = 'answer' | 'failure' | 'failures' | 'due';

/** What each state makes of each event; what is not here changes nothing. `failures`: as many in a row as the circuit bears. */
const TRANSITIONS: Readonly<Record<CircuitState, Partial<Record<CircuitEvent, CircuitState>>>> = {
  closed: { failures: 'open' },
  open: { due: 'probing' },
  probing: { answer: 'closed', failure: 'open', failures: 'open' },
};

export const nextState = (state: CircuitState, event: CircuitEvent): CircuitState => TRANSITIONS[state][event] ?? state;

export interface CircuitLimits {
  /** Transient failures in a row, across pages and windows, after which only probes are sent. */
  readonly failures: number;
  /** Ceiling of the time between two probes, in milliseconds. */
  readonly longestMs: number;
  /** How long a window waits for the source before it gives up for now, in milliseconds. */
  readonly patienceMs: number;
}

export const CIRCUIT: CircuitLimits = { failures: 5, longestMs: 120_000, patienceMs: 15_000 };
/** Ceiling of the wait before the first probe; it doubles with every probe that fails. */
const FIRST_WAIT_MS = 1_000;
/** Who fails again so soon after an answer goes on where the waits had got to. */
const RELAPSE_MS = 60_000;
/** No `Retry-After` holds back a probe for longer. */
const LONGEST_FLOOR_MS = 15 * 60_000;

/**
 * Between half of the ceiling and all of it, so that processes that failed together do not come back together, and the number of probes
 * stays bounded. @param failed probes so far. @param random in [0, 1).
 */
export function probeWaitMs(failed: number, limits: CircuitLimits, random: number, floorMs: number | null): number {
  const ceiling = Math.min(limits.longestMs, FIRST_WAIT_MS * 2 ** Math.min(failed, 30));
  return Math.max(Math.min(floorMs ?? 0, LONGEST_FLOOR_MS), Math.ceil(ceiling * (0.5 + random / 2)));
}

/** The most probes that a brownout of `ms` milliseconds can cost. */
export function mostProbes(ms: number, limits: CircuitLimits): number {
  let count = 1;
  for (let elapsed = 0; ; count++) {
    elapsed += probeWaitMs(count - 1, limits, 0, null);
    if (elapsed > ms) return count;
  }
}

/** A brownout: what a circuit knows of it while it is open. */
export interface Brownout {
  /** When the first of the failures came. */
  readonly since: Micros;
  /** Requests that failed, probes included. */
  readonly failed: number;
  readonly probes: number;
  readonly reason: string;
}

export type ProbeOutcome =
  | { readonly answered: true }
  | { readonly answered: false; readonly reason: string; readonly retryAfterMs: number | null };

export interface WaitOptions {
  /** The cheapest question there is; asked at most once at a time. */
  readonly probe: () => Promise<ProbeOutcome>;
  readonly patienceMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What waits. */
  readonly about?: WindowRef;
}

/** Of one origin and key, in one process. */
export interface Circuit {
  readonly state: () => CircuitState;
  /** What failed in a row so far; null after an answer. */
  readonly brownout: () => Brownout | null;
  /** Brownouts so far that a failed probe confirmed, and that are over. */
  readonly outages: () => number;
  /** The source answered, whatever it said. */
  answered(): void;
  /** A transient failure. */
  failed(reason: string, retryAfterMs: number | null): void;
  /**
   * Waits until the circuit is closed. @returns whether a probe failed meanwhile: then it is the source that was away, and not a page
   * that cannot be had. @throws SOURCE_UNAVAILABLE (transient) once no probe is due within the patience.
   */
  wait(options: WaitOptions): Promise<boolean>;
}

export interface CircuitEffects {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
}

/** @param origin of the source, for messages. */
export function createCircuit(origin: string, limits: CircuitLimits, { clock, random }: CircuitEffects): Circuit {
  let state: CircuitState = 'closed';
  let brownout: Brownout | null = null;
  let inARow = 0;
  let level = 0;
  let outages = 0;
  let nextProbeMs = 0;
  let answeredMs = Number.NEGATIVE_INFINITY;
  let probing: Promise<void> | null = null;

  const answered = (): void => {
    inARow = 0;
    if (state === 'closed') brownout = null;
  };

  const failed = (reason: string, retryAfterMs: number | null): void => {
    inARow += 1;
    brownout = { since: brownout?.since ?? clock.now(), failed: (brownout?.failed ?? 0) + 1, probes: brownout?.probes ?? 0, reason };
    if (inARow < limits.failures || state !== 'closed') return;
    state = nextState(state, 'failures');
    if (clock.monotonicMs() - answeredMs > RELAPSE_MS) level = 0;
    schedule(retryAfterMs);
  };

  const schedule = (retryAfterMs: number | null): void => {
    nextProbeMs = clock.monotonicMs() + probeWaitMs(level, limits, random(), retryAfterMs);
  };

  const probe = async (ask: WaitOptions['probe']): Promise<void> => {
    state = nextState(state, 'due');
    try {
      conclude(await ask());
    } finally {
      // Whoever asked was stopped: somebody else may.
      if (state === 'probing') state = nextState(state, 'failure');
    }
  };

  const conclude = (outcome: ProbeOutcome): void => {
    const before = brownout ?? { since: clock.now(), failed: 0, probes: 0, reason: '' };
    if (outcome.answered) {
      state = nextState(state, 'answer');
      inARow = 0;
      answeredMs = clock.monotonicMs();
      brownout = null;
      if (before.probes > 0) outages += 1;
      return;
    }
    state = nextState(state, 'failure');
    level += 1;
    brownout = { ...before, failed: before.failed + 1, probes: before.probes + 1, reason: outcome.reason };
    schedule(outcome.retryAfterMs);
  };

  const wait = async ({ probe: ask, patienceMs, signal }: WaitOptions): Promise<boolean> => {
    const until = clock.monotonicMs() + patienceMs;
    const before = outages;
    for (;;) {
      if (state === 'closed') return outages > before;
      signal?.throwIfAborted();
      const restMs = nextProbeMs - clock.monotonicMs();
      if (probing) await probing.catch(() => undefined);
      else if (clock.monotonicMs() + restMs > until) throw unavailable(origin, brownout, limits);
      else if (restMs > 0) await clock.sleep(restMs, signal);
      else {
        probing = probe(ask).finally(() => (probing = null));
        await probing;
      }
    }
  };

  return { state: () => state, brownout: () => brownout, outages: () => outages, answered, failed, wait };
}

function unavailable(origin: string, brownout: Brownout | null, { longestMs }: CircuitLimits): TidemarkError {
  const { since = 0, failed = 0, reason = '' } = brownout ?? {};
  return new TidemarkError({
    code: 'SOURCE_UNAVAILABLE',
    message: `${origin} does not answer since ${new Date(since / 1000).toISOString()}, ${failed} requests failed: ${reason}`,
    hint: `What has landed is kept and the window stays open: the next run goes on from there. Nothing goes to dead letter for it. A run without --once asks again by itself, at least every ${Math.round(longestMs / 1000)} s.`,
    transient: true,
    data: { circuit: 'open', since, failed },
  });
}
