import { randomUUID } from 'node:crypto';
import { lastCertifiedHour, readBreaches } from '../certify/chain.ts';
import { firstHour } from '../certify/judge.ts';
import type { Micros } from '../clock.ts';
import { isTidemarkError, messageOf } from '../errors.ts';
import { listDeadLetters } from '../fetch/dead-letter.ts';
import { planWindows } from '../fetch/plan.ts';
import { listHeld } from '../gate/held.ts';
import { listQuarantine, type QuarantineEntry } from '../gate/quarantine.ts';
import type { LedgerEntry, TableSummary } from '../load/warehouse.ts';
import { unfinishedBackfills } from '../manifest/backfills.ts';
import type { Head, Window } from '../manifest/documents.ts';
import { newHead } from '../manifest/head.ts';
import { type HolderInfo, isDead, thisProcess } from '../manifest/holder.ts';
import { type IncidentEntry, listIncidents } from '../manifest/incidents.ts';
import { latenessWithin, type MeasuredLateness, shareLaterThan } from '../manifest/lateness.ts';
import { readHead } from '../manifest/state.ts';
import { readSchema } from '../normalize/schema-store.ts';
import { safeWatermark } from '../pipeline/watermark.ts';
import { latenessReach } from '../reach.ts';
import type { Stream } from '../stream.ts';
import { formatInstant, HOUR } from '../time.ts';
import type { Inspection } from './inspection.ts';
import type { StatusHolder, StatusIncident, StatusReport, StatusWindow, StreamStatus } from './status-report.ts';
import { judgeStream } from './status-verdict.ts';
import { backfillCommand, instantOrNull, seconds } from './text.ts';

/** Of those that ended. */
const LAST_INCIDENTS = 3;

export interface StatusOptions {
  /** Who asks: tells whether the holder of a stream is alive on this machine. */
  readonly observer?: HolderInfo;
}

/**
 * Where each stream stands. Answers also where a stream never ran and where the warehouse is open in another process: give it an
 * inspection that does not wait long (`openInspection`). @throws STORE where the store cannot be read; CORRUPT.
 */
export async function status(inspection: Inspection, streams: readonly Stream[], options: StatusOptions = {}): Promise<StatusReport> {
  const observer = options.observer ?? thisProcess(randomUUID);
  const warehouse = await askWarehouse(inspection, streams);
  const statuses: StreamStatus[] = [];
  for (const stream of streams) statuses.push(await statusOf(inspection, stream, warehouse.answers.get(stream.name) ?? null, observer));
  return {
    at: formatInstant(inspection.clock.now()),
    store: inspection.store.url,
    warehouse: { url: inspection.warehouse.url, state: warehouse.state, problem: warehouse.problem },
    streams: statuses,
    exitCode: exitCodeOf(warehouse.state, statuses),
  };
}

/** What the warehouse says of one stream. */
interface WarehouseAnswer {
  readonly watermark: Micros | null;
  readonly summary: TableSummary;
  readonly lastLoad: LedgerEntry | null;
}

interface WarehouseAnswers {
  readonly state: StatusReport['warehouse']['state'];
  readonly problem: string | null;
  readonly answers: ReadonlyMap<string, WarehouseAnswer>;
}

/** The first question that fails ends the asking: each of them would wait as long. */
async function askWarehouse({ warehouse }: Inspection, streams: readonly Stream[]): Promise<WarehouseAnswers> {
  const answers = new Map<string, WarehouseAnswer>();
  try {
    for (const stream of streams) {
      const watermark = await warehouse.watermark(stream.name);
      const lastLoad = (await warehouse.ledger(stream.name)).at(-1) ?? null;
      answers.set(stream.name, { watermark, lastLoad, summary: await warehouse.summary(stream) });
    }
    return { state: 'ok', problem: null, answers };
  } catch (error) {
    return { state: isTidemarkError(error, 'WAREHOUSE_BUSY') ? 'busy' : 'failed', problem: messageOf(error), answers };
  }
}

async function statusOf(
  { store, clock }: Inspection,
  stream: Stream,
  answer: WarehouseAnswer | null,
  observer: HolderInfo,
): Promise<StreamStatus> {
  const now = clock.now();
  const document = await readHead(store, stream.name);
  const head = document?.head ?? newHead(stream.name);
  const letters = await listDeadLetters(store, stream.name, 'open');
  const held = (await listHeld(store, stream.name)).filter((entry) => entry.state === 'open').map((entry) => entry.held);
  const loaded = answer ? answer.watermark : estimated(head, letters);
  const { due, next, overlap } = planWindows(now, head, stream);
  const facts: Omit<StreamStatus, 'verdict'> = {
    stream: stream.name,
    fetchedWatermark: instantOrNull(head.watermark),
    since: instantOrNull(head.since),
    loadedWatermark: instantOrNull(loaded),
    loadedWatermarkIsEstimate: answer === null,
    freshnessSeconds: loaded === null ? null : seconds(now - loaded),
    deadlineSeconds: seconds(stream.poll.deadline),
    holder: holderOf(head, observer),
    open: head.open.map(windowOf),
    pending: head.pending.map(({ window, manifest, batches }) => ({ ...windowOf(window), manifest, state: pendingState(batches, held) })),
    due: due.map(({ window, reason, why }) => ({ ...windowOf(window), reason, why })),
    next: next.map(({ at, reason, why }) => ({ at: formatInstant(at), reason, why })),
    nextPollAt:
      due.length > 0 ? null : (next.map(({ at, reason }) => (reason === 'poll' ? formatInstant(at) : null)).find(Boolean) ?? null),
    lateness: {
      measured: head.lateness ? measuredOf(head.lateness) : null,
      overlapSeconds: seconds(overlap.length),
      why: overlap.why,
    },
    deadLetters: letters.map(({ letter: { id, reason, gap, at }, lookups }) => ({
      id,
      reason,
      gap: gap && { from: formatInstant(gap.from), to: formatInstant(gap.to) },
      lookedUp: lookups.flatMap(({ lookedUp }) => lookedUp).filter(({ outcome }) => outcome === 'found').length,
      at: formatInstant(at),
    })),
    incidents: (await listIncidents(store, stream.name, LAST_INCIDENTS)).map(incidentOf),
    backfills: (await unfinishedBackfills(store, stream.name)).map((range) => ({
      from: formatInstant(range.start),
      to: formatInstant(range.end),
      goOn: backfillCommand(stream.name, range),
    })),
    held: held.map(({ batch, reason, rows, at }) => ({ batch, reason, rows, at: formatInstant(at) })),
    quarantine: byRule(await listQuarantine(store, stream.name)),
    table: answer && { rows: answer.summary.rows, latest: instantOrNull(answer.summary.latest) },
    certified: await certifiedOf(store, stream, head, now),
    schemaVersion: (await readSchema(store, stream.name))?.schema.version ?? null,
    lastLoad: answer?.lastLoad
      ? { batch: answer.lastLoad.batch, rows: answer.lastLoad.rows, at: formatInstant(answer.lastLoad.loadedAt) }
      : null,
  };
  return { ...facts, verdict: judgeStream(facts) };
}

async function certifiedOf(store: Inspection['store'], stream: Stream, head: Head, now: Micros): Promise<StreamStatus['certified']> {
  const reach = latenessReach(stream.poll);
  const last = head.since === null ? null : await lastCertifiedHour(store, stream.name, head.since, now - reach);
  const upTo = last === null ? null : last + HOUR;
  const next = upTo ?? firstHour(head);
  const breached = new Set((await readBreaches(store, stream.name, null)).map(({ hour }) => hour));
  const behindSeconds = next === null ? null : Math.max(0, seconds(now - reach - next));
  return { upTo: instantOrNull(upTo), behindSeconds, breachedHours: breached.size };
}

const windowOf = ({ kind, start, end }: Window): StatusWindow => ({ kind, start: formatInstant(start), end: formatInstant(end) });

/** Shares are rounded to four digits. */
function measuredOf(measured: MeasuredLateness): NonNullable<StreamStatus['lateness']['measured']> {
  const within = (share: number): number | null => {
    const bound = latenessWithin(measured, share);
    return Number.isFinite(bound) ? seconds(bound) : null;
  };
  const lateShare = Math.round(10_000 * shareLaterThan(measured, 0)) / 10_000;
  return { records: Math.round(measured.fresh), lateShare, p99Seconds: within(0.01), p999Seconds: within(0.001) };
}

/** What the warehouse's watermark is once everything that is said to be settled is in it. */
const estimated = (head: Head, letters: Awaited<ReturnType<typeof listDeadLetters>>): Micros | null =>
  safeWatermark(
    head,
    null,
    letters.flatMap(({ letter }) => (letter.gap ? [letter.gap] : [])),
  );

function incidentOf({ incident: { id, reason, begin }, end }: IncidentEntry): StatusIncident {
  const effect = end && {
    failedRequests: end.failedRequests,
    windows: end.windows.length,
    worstFreshnessSeconds: end.worstFreshness === null ? null : seconds(end.worstFreshness),
  };
  return { id, reason, begin: formatInstant(begin), end: end && formatInstant(end.end), effect };
}

function pendingState(batches: readonly string[] | null, held: readonly { readonly batch: string }[]): 'landed' | 'normalized' | 'held' {
  if (batches === null) return 'landed';
  return held.some(({ batch }) => batches.includes(batch)) ? 'held' : 'normalized';
}

function holderOf({ holder, epoch }: Head, observer: HolderInfo): StatusHolder | null {
  if (!holder) return null;
  const machine = ({ host, id }: HolderInfo): string => [host, ...id.split(':').slice(0, 2)].join(' ');
  const state = isDead(holder, observer) ? 'gone' : machine(holder) === machine(observer) ? 'running' : 'unknown';
  return { host: holder.host, pid: holder.pid, epoch, state };
}

function byRule(entries: readonly QuarantineEntry[]): { rule: string; records: number }[] {
  const counts = new Map<string, number>();
  for (const { state, rules } of entries) {
    if (state === 'open') for (const rule of rules) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  }
  return [...counts].map(([rule, records]) => ({ rule, records })).sort((a, b) => b.records - a.records || (a.rule < b.rule ? -1 : 1));
}

/** What has a cause that somebody must remove comes before what it causes. */
function exitCodeOf(warehouse: StatusReport['warehouse']['state'], streams: readonly StreamStatus[]): StatusReport['exitCode'] {
  const any = (holds: (stream: StreamStatus) => boolean): boolean => streams.some(holds);
  if (warehouse === 'failed') return 1;
  if (any((stream) => stream.held.length > 0)) return 4;
  if (any((stream) => stream.deadLetters.length > 0)) return 5;
  return any(({ verdict: { state } }) => state === 'late' || state === 'never run') ? 6 : 0;
}
