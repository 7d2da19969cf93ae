import type { Micros } from '../clock.ts';
import type { Gap } from '../manifest/documents.ts';
import { SECOND } from '../time.ts';
import { type AskOutcome, askPage, type PageFailure, sourceFailure } from './ask.ts';
import { beginAnew, type ChainState, canShrink, floorOf, type Isolation } from './chain-state.ts';
import { type Lost, writeDeadLetter } from './dead-letter.ts';
import type { WindowJob } from './effects.ts';
import { isNewestFirst, isOrdered, safePoint, safeUntil } from './order.ts';
import type { Position } from './request.ts';

/** While sizes are still being halved, each is tried so often: a failure by chance only makes the next page smaller. */
const DESCENT_ATTEMPTS = 2;
/** How often the end of a gap is looked for more closely. */
const REFINEMENTS = 6;

/** How often a page is tried: as configured, but for the way down to a size that goes through. */
export function attemptsFor({ stream }: WindowJob, { isolation, size }: ChainState): number {
  const { attempts } = stream.source;
  return isolation?.descending && size > 1 ? Math.min(attempts, DESCENT_ATTEMPTS) : attempts;
}

/**
 * All attempts at one page failed. A source that answers nothing at all ends the run (nothing is lost: the window stays open); otherwise
 * it is this page that is poisoned: smaller ones are tried at the same cursor, down to a single record, and then time is bridged.
 * @throws SOURCE_UNAVAILABLE, SOURCE_SHAPE where the source as a whole does not answer.
 */
export async function giveUp(
  job: WindowJob,
  state: ChainState,
  position: Position,
  failure: PageFailure,
  mayShrink: boolean,
): Promise<void> {
  const { circuit } = job.effects;
  const outages = circuit?.outages();
  await assertAlive(job, failure);
  // It was the source that was away, not this page that cannot be had: it is asked again.
  if (circuit?.outages() !== outages) return;
  state.isolation ??= { failure, slot: state.slot, position, size: state.size, remaining: state.size, descending: true };
  if (mayShrink && canShrink(job.stream.source) && state.size > 1) {
    state.size = Math.floor(state.size / 2);
    state.isolation.descending = true;
    job.effects.log.warn({ stream: job.stream.name, slot: state.slot, size: state.size }, 'page failed; trying a smaller one');
  } else await bridge(job, state, position, state.isolation);
}

/**
 * The cheapest question there is: one record from the window's end on, where no page of this chain lies. That very record may be one that
 * cannot be had either: then what is newest is asked for, once.
 */
async function assertAlive(job: WindowJob, failure: PageFailure): Promise<void> {
  const { window, effects, stream } = job;
  const probe = await askPage(job, { since: window.end, cursor: null }, 1, stream.source.attempts);
  if (answers(probe)) return;
  const now = effects.clock.now();
  if (now > window.end && answers(await askPage(job, { since: now, cursor: null }, 1, 1))) return;
  throw sourceFailure(probe.failure.transient === failure.transient ? failure : probe.failure);
}

/** A page that does not say where it goes on is an answer as well. */
const answers = (outcome: AskOutcome): outcome is Exclude<AskOutcome, { failure: unknown }> =>
  outcome.kind === 'page' || outcome.failure.dangling !== null;

/** Smaller pages brought `records` of the page that failed. Once they have brought all of it, nothing is missing. */
export async function finishIsolation(job: WindowJob, state: ChainState, records: number): Promise<void> {
  const { isolation } = state;
  if (!isolation) return;
  isolation.remaining -= records;
  isolation.descending = false;
  if (isolation.remaining > 0 && state.position !== null) return;
  await writeDeadLetter(job, lostOf(isolation, null));
  leaveIsolation(job, state);
}

function leaveIsolation(job: WindowJob, state: ChainState): void {
  state.isolation = null;
  state.size = job.stream.source.pageSize;
}

const lostOf = ({ failure, slot, position, size }: Isolation, gap: Lost['gap']): Lost => ({ failure, slot, position, size, gap });

/** Steps over what cannot be had, in growing steps of version time, and records the gap before anything behind it lands. */
async function bridge(job: WindowJob, state: ChainState, position: Position, isolation: Isolation): Promise<void> {
  const gap = await findGap(job, state, position);
  await noteLoss(job, state, lostOf(isolation, gap));
  state.position =
    gap === null || gap.to >= job.window.end || isNewestFirst(job.stream.source) ? null : { since: gap.to - 1, cursor: null };
  beginAnew(state);
  leaveIsolation(job, state);
}

type Stretch = NonNullable<Lost['gap']>;

/**
 * The gap ends behind the instant from which the chain goes on: some APIs leave out what bears the very instant that `since` names.
 * @returns null where the chain was already past everything that the window asks for.
 */
async function findGap(job: WindowJob, state: ChainState, position: Position): Promise<Stretch | null> {
  const { stream, window } = job;
  const rest = restOfWindow(job, state);
  if (rest === null || isNewestFirst(stream.source)) return rest;
  let failing = Math.max(position.since, state.order.latest ?? position.since);
  for (let step: Micros = SECOND; failing < window.end; step *= 2) {
    const since = failing + step;
    if (since >= window.end) break;
    if (await answersFrom(job, since)) return { from: rest.from, to: (await narrow(job, failing, since)) + 1 };
    failing = since;
  }
  return rest;
}

/** Halves the stretch between an instant that fails and a later one that answers. @returns an instant that answers. */
async function narrow(job: WindowJob, failing: Micros, answering: Micros): Promise<Micros> {
  let [low, high] = [failing, answering];
  for (let count = 0; count < REFINEMENTS && high - low > SECOND; count++) {
    const middle = low + Math.ceil((high - low) / 2 / SECOND) * SECOND;
    if (await answersFrom(job, middle)) high = middle;
    else low = middle;
  }
  return high;
}

async function answersFrom(job: WindowJob, since: Micros): Promise<boolean> {
  const size = canShrink(job.stream.source) ? 1 : job.stream.source.pageSize;
  const outcome = await askPage(job, { since, cursor: null }, size, job.stream.source.attempts);
  if (answers(outcome)) return true;
  await assertAlive(job, outcome.failure);
  return false;
}

/** What of the window has not been seen yet. */
function restOfWindow({ stream, window }: WindowJob, state: ChainState): Stretch | null {
  if (isNewestFirst(stream.source)) return { from: window.start, to: safeUntil(state.order, stream, window) };
  if (state.order.passed && isOrdered(state.order, stream.source)) return null;
  return { from: Math.max(floorOf(state, window), safePoint(state.order, stream, window)), to: window.end };
}

/** Ends the chain where it is: the rest of the window becomes a gap. */
export async function recordLoss(job: WindowJob, state: ChainState, position: Position, reason: string): Promise<void> {
  const failure: PageFailure = {
    url: job.stream.source.list,
    reason,
    hint: '',
    status: null,
    body: null,
    attempts: 1,
    transient: false,
    dangling: null,
  };
  await noteLoss(job, state, { failure, slot: state.slot, position, size: state.size, gap: restOfWindow(job, state) });
  state.position = null;
  leaveIsolation(job, state);
}

async function noteLoss(job: WindowJob, state: ChainState, lost: Lost): Promise<void> {
  const deadLetter = await writeDeadLetter(job, lost);
  if (lost.gap === null) return;
  const gap: Gap = { from: lost.gap.from, to: lost.gap.to, deadLetter };
  if (!state.gaps.some((other) => other.deadLetter === deadLetter)) state.gaps.push(gap);
}
