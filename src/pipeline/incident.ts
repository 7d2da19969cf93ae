import type { Clock, Micros } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Brownout, Circuit } from '../fetch/circuit.ts';
import type { Log } from '../log.ts';
import {
  endIncident,
  type Incident,
  type IncidentEffect,
  incidentNotes,
  listIncidents,
  noteIncident,
  openIncident,
  sumEffects,
} from '../manifest/incidents.ts';
import { windowName } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { formatInstant, MINUTE, SECOND } from '../time.ts';

/** So long after the last failure an incident is over, once a window is committed. What fails again before belongs to the same one. */
export const CALM: Micros = 5 * MINUTE;

export interface IncidentEffects {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly randomId: () => string;
}

/** What a stream's requests tell of its source: one incident with a beginning, an end and an effect, whoever opened it. */
export interface IncidentTracker {
  /** The circuit as this stream uses it: what it waits for is noted. */
  readonly circuit: Circuit;
  /** What was complete up to `watermark` is that much behind now. */
  noteFreshness(watermark: Micros | null): void;
  /** A window was committed: the incident may be over. Never throws. */
  committed(): Promise<void>;
  /** Leaves what this process saw of an open incident to the next one. Never throws. */
  close(): Promise<void>;
}

export function trackIncidents(stream: string, shared: Circuit, effects: IncidentEffects): IncidentTracker {
  const { store, clock, log } = effects;
  const windows = new Set<string>();
  let current: Incident | null = null;
  let adopted = false;
  let worst: Micros | null = null;
  let failedRequests = 0;
  let probes = 0;
  let lastFailure: Micros | null = null;
  let answeredAt: Micros | null = null;

  const effect = (): IncidentEffect => ({ failedRequests, probes, windows: [...windows], worstFreshness: worst });
  const forget = (): void => {
    windows.clear();
    [current, worst, failedRequests, probes, lastFailure, answeredAt] = [null, null, 0, 0, null, null];
  };

  /** An incident belongs to the stream, not to the process that opened it. */
  const adopt = async (): Promise<Incident | null> => {
    if (!adopted) current ??= (await listIncidents(store, stream, 0))[0]?.incident ?? null;
    adopted = true;
    return current;
  };

  const open = async (brownout: Brownout): Promise<void> => {
    if (await adopt()) return;
    current = await openIncident(store, { stream, begin: brownout.since, reason: brownout.reason });
    log.warn({ stream, incident: current.id, reason: brownout.reason }, 'incident begun: the source does not answer');
  };

  const end = async (): Promise<void> => {
    const incident = await adopt();
    if (!incident || shared.state() !== 'closed') return;
    const notes = await incidentNotes(store, incident);
    const failedAt = Math.max(incident.begin, lastFailure ?? 0, ...notes.map((note) => note.lastFailure));
    const now = clock.now();
    if (now - failedAt < CALM) return;
    const total = sumEffects([...notes, effect()]);
    const document = { format: 1, id: incident.id, stream, end: answeredAt ?? now, ...total } as const;
    if (await endIncident(store, document)) {
      const seconds = Math.round((document.end - incident.begin) / SECOND);
      log.warn(
        { stream, incident: incident.id, end: formatInstant(document.end), seconds, ...total },
        'incident ended: the source answers again',
      );
    }
    forget();
  };

  const quietly = async (work: () => Promise<void>): Promise<void> => {
    await work().catch((error: unknown) => log.warn({ stream, error: messageOf(error) }, 'incident not recorded'));
  };

  const circuit: Circuit = {
    ...shared,
    failed: (reason, retryAfterMs) => {
      shared.failed(reason, retryAfterMs);
      failedRequests += 1;
      lastFailure = clock.now();
    },
    answered: () => {
      shared.answered();
      // What failed now and then, while the source answered others, is no incident.
      if (current === null) failedRequests = 0;
    },
    wait: async (options) => {
      if (shared.state() === 'closed') return false;
      if (options.about) windows.add(windowName(options.about));
      const probe: typeof options.probe = async () => {
        const outcome = await options.probe();
        if (outcome.answered) answeredAt = clock.now();
        else {
          failedRequests += 1;
          probes += 1;
          lastFailure = clock.now();
          const brownout = shared.brownout();
          await quietly(() => open(brownout ?? { since: clock.now(), failed: 1, probes: 1, reason: outcome.reason }));
        }
        return outcome;
      };
      const wasAway = await shared.wait({ ...options, probe });
      if (!wasAway && current === null) windows.clear();
      return wasAway;
    },
  };

  return {
    circuit,
    noteFreshness: (watermark) => {
      if (current !== null && watermark !== null) worst = Math.max(worst ?? 0, clock.now() - watermark);
    },
    committed: () => quietly(end),
    close: () =>
      quietly(async () => {
        if (current === null || lastFailure === null) return;
        await noteIncident(store, current, effects.randomId().slice(0, 8), { format: 1, lastFailure, ...effect() });
      }),
  };
}
