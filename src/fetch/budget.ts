import type { Clock } from '../clock.ts';
import { BUDGET, latticeOf, PRIORITIES, type Priority, slotAt, slotEnd, ticketTimes, type Wants } from '../manifest/budget.ts';

/**
 * Leave to send requests. Everything that talks to one source with one key takes from one budget, retries included, in all processes
 * (`sharedDesk`).
 */
export interface RequestBudget {
  /** Resolves when one more request may be sent; rejects with the signal's reason, and with STORE where a shared budget cannot be read. */
  take(signal?: AbortSignal): Promise<void>;
  /** Nobody sends before `ms` milliseconds have passed: what the partner asked for. */
  pause(ms: number): void;
}

/** The budget of a key as this process has it. */
export interface KeyBudget extends RequestBudget {
  /** The same budget for whoever asks with that priority: `live` comes first; `backfill` gets what is left. */
  lane(priority: Priority): RequestBudget;
  /** Gives back what was not used. */
  close(): Promise<void>;
}

/** Where the tickets of a budget come from. Times are milliseconds of the wall clock. */
export interface TicketDesk {
  /** @param usedMs the time of the last ticket that was used. */
  claim(usedMs: number, wants: Wants): Promise<Claim>;
  /** A pause that another process asked for, where it is time to look; else 0. */
  pausedUntil(): Promise<number>;
  pause(untilMs: number): void;
  close(usedMs: number): Promise<void>;
}

export interface Claim {
  readonly slot: number;
  /** Times, ascending. */
  readonly tickets: readonly number[];
  readonly perTicket: number;
  /** How long after its time a ticket may be used. */
  readonly lateMs: number;
  /** When to ask again, once these are used. */
  readonly againMs: number;
  readonly pausedUntilMs: number;
}

/** A budget that this process has for itself. @param wall milliseconds since the Unix epoch. */
export function aloneAtDesk(wall: () => number, perMinute: number): TicketDesk {
  const lattice = latticeOf(perMinute);
  return {
    claim: async (usedMs) => {
      const slot = slotAt(wall());
      const tickets = ticketTimes(lattice, slot).filter((time) => time > usedMs);
      return { slot, tickets, ...lattice, againMs: slotEnd(slot), pausedUntilMs: 0 };
    },
    pausedUntil: async () => 0,
    pause: () => undefined,
    close: async () => undefined,
  };
}

export interface BudgetOptions {
  readonly desk?: TicketDesk;
  /** Milliseconds since the Unix epoch, where `clock` states another time than everybody else's. */
  readonly wall?: (() => number) | undefined;
}

/** Milliseconds of the wall clock. */
export const wallOf = (clock: Clock) => (): number => clock.now() / 1000;

/** More than what was used in the slot before, as a factor: work grows. */
const GROWTH = 1.5;

const NEVER = Number.NEGATIVE_INFINITY;
const NO_CLAIM: Claim = { slot: NEVER, tickets: [], perTicket: 1, lateMs: 0, againMs: NEVER, pausedUntilMs: NEVER };

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

interface Lane {
  readonly waiting: Set<Waiter>;
  used: number;
  /** Of the slot before. */
  usedBefore: number;
  /** Somebody had to wait for a ticket. */
  hungry: boolean;
}

/** @param perMinute where no desk is given: this process has the budget for itself. */
export function createRequestBudget(clock: Clock, perMinute: number, options: BudgetOptions = {}): KeyBudget {
  const wall = options.wall ?? wallOf(clock);
  const desk = options.desk ?? aloneAtDesk(wall, perMinute);
  const lanes: Record<Priority, Lane> = { live: newLane(), backfill: newLane() };
  let held: { readonly at: number; left: number }[] = [];
  let claim = NO_CLAIM;
  let usedMs = NEVER;
  let notBefore = NEVER;
  let lookedMs = NEVER;
  let pumping: AbortController | null = null;
  let done: Promise<void> = Promise.resolve();

  const firstWaiting = (): [Lane, Waiter] | null => {
    for (const priority of PRIORITIES) for (const waiter of lanes[priority].waiting) return [lanes[priority], waiter];
    return null;
  };

  /** @returns milliseconds to wait; 0 where one waiter was served, or there is something new to look at. */
  const step = async (): Promise<number> => {
    notBefore = Math.max(notBefore, Math.min(await desk.pausedUntil(), wall() + BUDGET.pauseMs));
    const now = wall();
    // The clock was set back: what it said before is no measure any more.
    if (now < lookedMs - BUDGET.slotMs) [usedMs, notBefore, claim, held] = [NEVER, NEVER, NO_CLAIM, []];
    lookedMs = now;
    if (now < notBefore) return notBefore - now;
    held = held.filter(({ at, left }) => left > 0 && at + claim.lateMs > now);
    const [ticket] = held;
    if (ticket) return serve(ticket, now);
    if (now < claim.againMs) return claim.againMs - now;
    await ask(now);
    return 0;
  };

  const ask = async (now: number): Promise<void> => {
    const before = claim.slot;
    claim = await desk.claim(usedMs, { live: wanted(lanes.live), backfill: wanted(lanes.backfill) });
    if (claim.slot !== before) for (const lane of Object.values(lanes)) turn(lane);
    held = claim.tickets.filter((at) => at > usedMs).map((at) => ({ at, left: claim.perTicket }));
    notBefore = Math.max(notBefore, Math.min(claim.pausedUntilMs, now + BUDGET.pauseMs));
  };

  const wanted = (lane: Lane): number => wantedTickets(lane, claim.perTicket);

  const serve = (ticket: { readonly at: number; left: number }, now: number): number => {
    if (ticket.at > now) {
      for (const lane of Object.values(lanes)) if (lane.waiting.size > 0) lane.hungry = true;
      return ticket.at - now;
    }
    const found = firstWaiting();
    if (!found) return 0;
    const [lane, waiter] = found;
    ticket.left -= 1;
    usedMs = ticket.at;
    lane.used += 1;
    lane.waiting.delete(waiter);
    waiter.resolve();
    return 0;
  };

  const pump = async (signal: AbortSignal): Promise<void> => {
    try {
      while (firstWaiting() && !signal.aborted) {
        const wait = await step();
        if (wait > 0) await clock.sleep(Math.ceil(wait), signal).catch(() => undefined);
      }
    } catch (error) {
      for (const { waiting } of Object.values(lanes)) for (const waiter of drain(waiting)) waiter.reject(error);
    } finally {
      pumping = null;
    }
  };

  /** One at a time; it ends, and holds up no process, once nobody waits. */
  const wake = (): void => {
    if (pumping) return;
    const controller = new AbortController();
    pumping = controller;
    done = done
      .then(() => pump(controller.signal))
      .finally(() => {
        if (firstWaiting()) wake();
      });
  };

  const take = (priority: Priority, signal?: AbortSignal): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const { waiting } = lanes[priority];
      const leave = (): void => {
        waiting.delete(waiter);
        reject(signal?.reason as Error);
        if (!firstWaiting()) pumping?.abort();
      };
      const settle = (): void => signal?.removeEventListener('abort', leave);
      const waiter: Waiter = {
        resolve: () => (settle(), resolve()),
        reject: (reason) => (settle(), reject(reason)),
      };
      signal?.addEventListener('abort', leave, { once: true });
      waiting.add(waiter);
      wake();
    });

  const pause = (ms: number): void => {
    notBefore = Math.max(notBefore, wall() + Math.min(ms, BUDGET.pauseMs));
    desk.pause(notBefore);
  };
  const lane = (priority: Priority): RequestBudget => ({ take: (signal) => take(priority, signal), pause });
  return { ...lane('live'), lane, close: () => desk.close(usedMs) };
}

const newLane = (): Lane => ({ waiting: new Set(), used: 0, usedBefore: 0, hungry: false });

function turn(lane: Lane): void {
  lane.usedBefore = lane.used;
  lane.used = 0;
  lane.hungry = false;
}

/** Who had to wait, or has only come, may want everything: a chain asks one page after the other, and never shows how fast it could be. */
function wantedTickets(lane: Lane, perTicket: number): number {
  const used = Math.max(lane.used, lane.usedBefore);
  if (lane.hungry || (lane.waiting.size > 0 && used === 0)) return ALL;
  return Math.ceil((used * GROWTH) / perTicket);
}

/** More tickets than a slot has. */
const ALL = 1_000;

function drain<T>(set: Set<T>): T[] {
  const all = [...set];
  set.clear();
  return all;
}
