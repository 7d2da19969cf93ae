import type { Micros } from '../clock.ts';
import type { HolderInfo } from './holder.ts';

/**
 * The request budget of one key, shared between processes. Time is a lattice of tickets: each allows a few requests (mostly one), at its
 * time or shortly after, to the one process that it belongs to. They are handed out a slot of time at once, so that what a process that
 * died still held lapses by itself. Times here are milliseconds of the wall clock.
 */

/** Milliseconds. What clocks may differ by, and what requests may be held up on their way, is taken off the steady rate. */
export const BUDGET = {
  slotMs: 5_000,
  skewMs: 1_000,
  transitMs: 1_000,
  /** A document that is so many slots ahead was written by a clock that is wrong, or is read by one. */
  slotsAhead: 12,
  /** No pause is longer. */
  pauseMs: 15 * 60_000,
} as const;

const MINUTE_MS = 60_000;
/** Above this rate a ticket stands for several requests. */
const TICKETS_PER_MINUTE = 1_200;
/** How long after its time a ticket may be used: so long that an idle process mostly has one, at low rates too. */
const LATE_MS = { least: 1_000, most: 6_000 } as const;

/** live: freshness waits for it; backfill: takes what is left. */
export type Priority = 'live' | 'backfill';
export const PRIORITIES: readonly Priority[] = ['live', 'backfill'];
/** Tickets, by priority. */
export type Wants = Readonly<Record<Priority, number>>;

export interface BudgetMember extends HolderInfo {
  /** As this process is configured; the least of all members holds. */
  readonly perMinute: number;
  /** For the next slot. */
  readonly wants: Wants;
  /** The last slot that it came in. */
  readonly slot: number;
}

/** `state/budget/<name>.json`. */
export interface BudgetDocument {
  readonly format: 1;
  /** Origin, and where the key is configured; no secrets. */
  readonly name: string;
  readonly perMinute: number;
  /** Slots since the Unix epoch: the one that `tickets` are of. */
  readonly slot: number;
  readonly members: readonly BudgetMember[];
  /** For each ticket of the slot, by time: the member that it belongs to, as a position in `members`; null where it is free. */
  readonly tickets: readonly (number | null)[];
  /** Nobody sends before. */
  readonly pausedUntil: Micros | null;
}

export interface Lattice {
  readonly paceMs: number;
  /** Requests. */
  readonly perTicket: number;
  readonly lateMs: number;
}

/**
 * Any minute [t, t + 60 s) sees only tickets of a stretch of 60 s and the slack, and such a stretch holds at most
 * floor(perMinute / perTicket) of them.
 */
export function latticeOf(perMinute: number): Lattice {
  const perTicket = Math.ceil(perMinute / TICKETS_PER_MINUTE);
  const lateMs = Math.min(LATE_MS.most, Math.max(LATE_MS.least, MINUTE_MS / perMinute));
  const paceMs = (MINUTE_MS + lateMs + BUDGET.skewMs + BUDGET.transitMs) / Math.floor(perMinute / perTicket);
  return { paceMs, perTicket, lateMs };
}

export const slotAt = (ms: number): number => Math.floor(ms / BUDGET.slotMs);
export const slotEnd = (slot: number): number => (slot + 1) * BUDGET.slotMs;

/** Times of the tickets of one slot, ascending. */
export function ticketTimes({ paceMs }: Lattice, slot: number): number[] {
  const first = Math.ceil((slot * BUDGET.slotMs) / paceMs);
  const next = Math.ceil(slotEnd(slot) / paceMs);
  return Array.from({ length: next - first }, (_, i) => (first + i) * paceMs);
}

export interface Claimant {
  readonly member: Omit<BudgetMember, 'slot'>;
  readonly nowMs: number;
  /** Tickets up to this time were used, or may have been. */
  readonly usedMs: number;
  /** Whether a process is known to be dead. */
  readonly isGone: (member: BudgetMember) => boolean;
}

/**
 * Takes part in the slot of now: with what this process asked for in the slot before, and with what is still free. A process that is alone
 * gets everything: a newcomer waits for the next slot.
 */
export function claimTickets(document: BudgetDocument | null, name: string, claimant: Claimant): BudgetDocument {
  const slot = slotAt(claimant.nowMs);
  const isCurrent = document !== null && document.slot >= slot && document.slot <= slot + BUDGET.slotsAhead;
  const joined = isCurrent ? join(document, claimant) : beginSlot(document, name, slot, claimant);
  return takeFree(joined, claimant);
}

/** The first of all members to come in a slot divides it by what each asked for in the slot before. */
function beginSlot(before: BudgetDocument | null, name: string, slot: number, { member, isGone }: Claimant): BudgetDocument {
  const known = before?.slot === slot - 1 ? before.members.filter((other) => other.slot === before.slot) : [];
  const members = [...known.filter((other) => other.id !== member.id && !isGone(other)), { ...member, slot }];
  const perMinute = Math.min(...members.map((each) => each.perMinute));
  const count = ticketTimes(latticeOf(perMinute), slot).length;
  return {
    format: 1,
    name,
    perMinute,
    slot,
    members,
    tickets: spread(count, divide(count, members, slot)),
    pausedUntil: before?.pausedUntil ?? null,
  };
}

function join(document: BudgetDocument, { member, nowMs, isGone }: Claimant): BudgetDocument {
  const without = document.members
    .filter((other) => other.id !== member.id && isGone(other))
    .reduce((rest, gone) => leave(rest, gone.id, nowMs), document);
  const at = without.members.findIndex(({ id }) => id === member.id);
  const present = { ...member, slot: document.slot };
  return { ...without, members: at < 0 ? [...without.members, present] : without.members.with(at, present) };
}

/** What lies ahead becomes free; what lies behind may have been used. */
export function leave(document: BudgetDocument, id: string, nowMs: number): BudgetDocument {
  const position = document.members.findIndex((member) => member.id === id);
  if (position < 0) return document;
  const times = ticketTimes(latticeOf(document.perMinute), document.slot);
  const tickets = document.tickets.map((owner, i) => {
    if (owner === null || owner < position) return owner;
    if (owner > position) return owner - 1;
    return (times[i] ?? 0) > nowMs ? null : USED;
  });
  return { ...document, members: document.members.toSpliced(position, 1), tickets };
}

/** The owner of a ticket that nobody may use any more. */
const USED = -1;

function takeFree(document: BudgetDocument, { member, nowMs, usedMs }: Claimant): BudgetDocument {
  const lattice = latticeOf(document.perMinute);
  const times = ticketTimes(lattice, document.slot);
  const position = document.members.findIndex(({ id }) => id === member.id);
  const isUsable = (i: number): boolean => (times[i] ?? 0) > Math.max(usedMs, nowMs - lattice.lateMs);
  const held = document.tickets.filter((owner, i) => owner === position && isUsable(i)).length;
  let wanted = document.members.length === 1 ? Number.POSITIVE_INFINITY : member.wants.live + member.wants.backfill - held;
  return { ...document, tickets: document.tickets.map((owner, i) => (owner === null && isUsable(i) && wanted-- > 0 ? position : owner)) };
}

/** Times of the tickets that belong to one member, ascending. */
export function ticketsOf(document: BudgetDocument, id: string): number[] {
  const position = document.members.findIndex((member) => member.id === id);
  if (position < 0) return [];
  return ticketTimes(latticeOf(document.perMinute), document.slot).filter((_, i) => document.tickets[i] === position);
}

/** Live wants first, then the others: of each kind no member gets more than another that asked for more. */
function divide(count: number, members: readonly BudgetMember[], slot: number): number[] {
  const given = members.map(() => 0);
  let rest = count;
  for (const priority of PRIORITIES) {
    const shares = fairShares(
      rest,
      members.map(({ wants }) => wants[priority]),
      slot,
    );
    for (const [i, share] of shares.entries()) given[i] = (given[i] ?? 0) + share;
    rest -= shares.reduce((sum, share) => sum + share, 0);
  }
  return given;
}

/** @param turn where to begin with what cannot be divided evenly. */
function fairShares(count: number, wants: readonly number[], turn: number): number[] {
  const shares = wants.map(() => 0);
  let rest = count;
  for (;;) {
    const hungry = wants.flatMap((want, i) => (want > (shares[i] ?? 0) ? [i] : []));
    if (rest <= 0 || hungry.length === 0) return shares;
    const each = Math.max(1, Math.floor(rest / hungry.length));
    for (let n = 0; n < hungry.length && rest > 0; n++) {
      const i = hungry[(n + turn) % hungry.length] ?? 0;
      const more = Math.min(each, rest, (wants[i] ?? 0) - (shares[i] ?? 0));
      shares[i] = (shares[i] ?? 0) + more;
      rest -= more;
    }
  }
}

/** Each member's tickets, and the free ones, evenly over the slot. */
function spread(count: number, given: readonly number[]): (number | null)[] {
  const free = count - given.reduce((sum, share) => sum + share, 0);
  const lines = [
    ...given.map((share, owner) => ({ owner: owner as number | null, share, next: 0.5 / share })),
    { owner: null, share: free, next: 0.5 / free },
  ];
  return Array.from({ length: count }, () => {
    const line = lines.reduce((best, each) => (each.next < best.next ? each : best));
    line.next += 1 / line.share;
    return line.owner;
  });
}
