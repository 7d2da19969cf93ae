import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import {
  BUDGET,
  type BudgetDocument,
  type BudgetMember,
  claimTickets,
  latticeOf,
  leave,
  slotAt,
  slotEnd,
  ticketsOf,
  type Wants,
} from '../manifest/budget.ts';
import { type BudgetEffects, changeBudget, readBudget, type StoredBudget } from '../manifest/budget-state.ts';
import { type HolderInfo, isDead } from '../manifest/holder.ts';
import { budgetKey } from '../store/keys.ts';
import type { Claim, TicketDesk } from './budget.ts';

export interface SharedDeskOptions extends BudgetEffects {
  readonly log: Log;
  /** Of the source and its key (`budgetName`). */
  readonly name: string;
  readonly perMinute: number;
  /** This process; an id of its own for each desk. */
  readonly holder: HolderInfo;
  /** Milliseconds since the Unix epoch. */
  readonly wall: () => number;
}

/** Who is not alone asks so often for what has become free, and whether another process was told to wait. */
const LOOK_MS = { again: 1_000, pause: 2_000 } as const;

/**
 * The budget that processes with one key share through the store. A process that is alone makes one conditional write a slot in which it
 * sends anything, and reads nothing.
 */
export function sharedDesk(options: SharedDeskOptions): TicketDesk {
  const { store, log, name, perMinute, holder, wall } = options;
  const key = budgetKey(name);
  let known: StoredBudget | null = null;
  let lookedMs = Number.NEGATIVE_INFINITY;
  let queue: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(work);
    queue = result.catch(() => undefined);
    return result;
  };
  const isAlone = (): boolean => known === null || known.value.members.every(({ id }) => id === holder.id);
  const isGone = (member: BudgetMember): boolean => isDead({ ...member, beat: 0 }, holder);
  const change = async (
    base: StoredBudget | null,
    transition: (document: BudgetDocument | null) => BudgetDocument,
  ): Promise<BudgetDocument> => {
    known = await changeBudget(options, key, base, transition);
    lookedMs = wall();
    return known.value;
  };
  const taking = (usedMs: number, wants: Wants) => (document: BudgetDocument | null) =>
    claimTickets(document, name, { member: { ...holder, perMinute, wants }, nowMs: wall(), usedMs, isGone });

  const claim = async (usedMs: number, wants: Wants): Promise<Claim> => {
    const now = wall();
    // Whoever is alone knows what stands there; a write over what somebody else wrote meanwhile is refused.
    const base = isAlone() && known !== null && known.value.slot < slotAt(now) ? known : null;
    const document = await change(base, taking(usedMs, wants));
    warnOfClocks(log, document, slotAt(now));
    return {
      slot: document.slot,
      tickets: ticketsOf(document, holder.id),
      ...latticeOf(document.perMinute),
      againMs: isAlone() ? slotEnd(document.slot) : Math.min(slotEnd(document.slot), now + LOOK_MS.again),
      pausedUntilMs: (document.pausedUntil ?? 0) / 1000,
    };
  };

  const pausedUntil = async (): Promise<number> => {
    if (isAlone() || wall() - lookedMs < LOOK_MS.pause) return 0;
    lookedMs = wall();
    const seen = await readBudget(store, key);
    return (seen?.value.pausedUntil ?? 0) / 1000;
  };

  const pause = async (untilMs: number): Promise<void> => {
    const until = Math.round(untilMs * 1000);
    await change(null, (document) => {
      const base = document ?? taking(Number.NEGATIVE_INFINITY, { live: 0, backfill: 0 })(null);
      return { ...base, pausedUntil: Math.max(until, base.pausedUntil ?? 0) };
    });
  };

  const close = async (usedMs: number): Promise<void> => {
    if (known === null || known.value.slot < slotAt(wall())) return;
    await change(null, (document) => leave(document ?? taking(usedMs, { live: 0, backfill: 0 })(null), holder.id, usedMs));
  };

  const quietly = async (work: () => Promise<void>): Promise<void> => {
    await inTurn(work).catch((error: unknown) => log.warn({ budget: name, error: messageOf(error) }, 'request budget not changed'));
  };
  return {
    claim: (usedMs, wants) => inTurn(() => claim(usedMs, wants)),
    pausedUntil: () => inTurn(pausedUntil),
    pause: (untilMs) => void quietly(() => pause(untilMs)),
    close: (usedMs) => quietly(() => close(usedMs)),
  };
}

function warnOfClocks(log: Log, { name, slot }: BudgetDocument, own: number): void {
  if (slot <= own + 1) return;
  const aheadMs = (slot - own) * BUDGET.slotMs;
  log.warn({ budget: name, aheadMs }, 'the clock of this machine is behind that of another process: set it right');
}
