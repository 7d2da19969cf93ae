import type { Micros } from '../clock.ts';
import { createJson, getJson } from '../store/json.ts';
import { incidentKey, incidentPrefix } from '../store/keys.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { compactInstant } from '../time.ts';
import { checkFormat } from './format.ts';

/** A source that was away for a while, as one thing with a beginning, an end and an effect. `incidents/<stream>/<id>.json` */
export interface Incident {
  readonly format: 1;
  /** The beginning, to the microsecond. */
  readonly id: string;
  readonly stream: string;
  readonly begin: Micros;
  /** What the first failures said. */
  readonly reason: string;
}

/** What it did, as far as one process saw. */
export interface IncidentEffect {
  /** Requests without an answer, probes included. */
  readonly failedRequests: number;
  readonly probes: number;
  /** Windows that waited, as `<start>_<end>`. */
  readonly windows: readonly string[];
  /** How far behind the stream was at worst, in microseconds; null where nothing was complete before. */
  readonly worstFreshness: Micros | null;
}

/** `<id>.seen-<process>.json`: left by a process that ended while the incident was open. */
export interface IncidentNote extends IncidentEffect {
  readonly format: 1;
  readonly lastFailure: Micros;
}

/** `<id>.resolved.json` */
export interface IncidentEnd extends IncidentEffect {
  readonly format: 1;
  readonly id: string;
  readonly stream: string;
  /** When the source answered again. */
  readonly end: Micros;
}

export interface IncidentEntry {
  readonly incident: Incident;
  /** Null while it is open. */
  readonly end: IncidentEnd | null;
}

/** Two processes that see the same beginning write one incident. @returns the incident that now stands under the id. */
export async function openIncident(store: ObjectStore, begun: Omit<Incident, 'format' | 'id'>): Promise<Incident> {
  const incident: Incident = { format: 1, id: compactInstant(begun.begin), ...begun };
  const key = incidentKey(begun.stream, incident.id);
  const created = await createJson(store, key, incident);
  return created.outcome === 'created' ? incident : ((await getJson<Incident>(store, key))?.value ?? incident);
}

/** The first to say so ends it; @returns false where another process did. */
export async function endIncident(store: ObjectStore, end: IncidentEnd): Promise<boolean> {
  return (await createJson(store, incidentKey(end.stream, `${end.id}.resolved`), end)).outcome === 'created';
}

export async function noteIncident(store: ObjectStore, { stream, id }: Incident, process: string, note: IncidentNote): Promise<void> {
  await createJson(store, incidentKey(stream, `${id}.seen-${process}`), note);
}

/** What processes left that ended while it was open. */
export async function incidentNotes(store: ObjectStore, { stream, id }: Incident): Promise<IncidentNote[]> {
  const notes: IncidentNote[] = [];
  for await (const { key } of store.list(`${incidentPrefix(stream)}${id}.seen-`)) {
    const note = await getJson<IncidentNote>(store, key);
    if (note) notes.push(note.value);
  }
  return notes;
}

export function sumEffects(effects: readonly IncidentEffect[]): IncidentEffect {
  const worst = effects.flatMap(({ worstFreshness }) => worstFreshness ?? []);
  return {
    failedRequests: effects.reduce((sum, { failedRequests }) => sum + failedRequests, 0),
    probes: effects.reduce((sum, { probes }) => sum + probes, 0),
    windows: [...new Set(effects.flatMap(({ windows }) => windows))].sort(),
    worstFreshness: worst.length === 0 ? null : Math.max(...worst),
  };
}

/** The newest incidents of a stream, and all that are open, the newest first. @param last how many of those that ended. */
export async function listIncidents(store: ObjectStore, stream: string, last: number): Promise<IncidentEntry[]> {
  const ids = new Map<string, boolean>();
  const folder = incidentPrefix(stream);
  for await (const { key } of store.list(folder)) {
    const [, id, ending] = /^([^.]+(?:\.\d+)?Z)(\.resolved|\.seen-[^.]+)?\.json$/.exec(key.slice(folder.length)) ?? [];
    if (id !== undefined) ids.set(id, ids.get(id) === true || ending === '.resolved');
  }
  const newest = [...ids].toReversed();
  const ended = new Set(
    newest
      .filter(([, resolved]) => resolved)
      .slice(0, last)
      .map(([id]) => id),
  );
  const entries: IncidentEntry[] = [];
  for (const [id, resolved] of newest) if (!resolved || ended.has(id)) entries.push(...(await readIncident(store, stream, id)));
  return entries;
}

async function readIncident(store: ObjectStore, stream: string, id: string): Promise<IncidentEntry[]> {
  const key = incidentKey(stream, id);
  const incident = await getJson<Incident>(store, key);
  if (!incident) return [];
  checkFormat(key, incident.value);
  const end = await getJson<IncidentEnd>(store, incidentKey(stream, `${id}.resolved`));
  return [{ incident: incident.value, end: end?.value ?? null }];
}
