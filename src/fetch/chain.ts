import type { ShapeJson } from '../schema/shape.ts';
import { findDuplicate, nearestNew } from './answers.ts';
import { type AskOutcome, askPage, type PageFailure } from './ask.ts';
import { beginAnew, type ChainState, floorOf, isBehindEnd, notePage, positionName } from './chain-state.ts';
import { reportProgress, type WindowJob } from './effects.ts';
import type { Page } from './judge.ts';
import { type Landing, landDuplicate, landPage } from './land.ts';
import { goesBack, isNewestFirst, noteOrder, type PageTimes, safePoint } from './order.ts';
import { attemptsFor, finishIsolation, giveUp, recordLoss } from './poison.ts';
import type { Position } from './request.ts';
import { type Answer, ASK_AGAIN, isShort, repeats, settle } from './settle.ts';

/** So many known pages in a row, under ever new cursors, are a loop. */
const DUPLICATES_LIMIT = 10;
/** And so many empty ones. */
const EMPTY_LIMIT = 1_000;
/** So often the chain begins anew by time without getting further. */
const STALLED_LIMIT = 3;
/** The width of a slot's number in its key. */
const SLOT_LIMIT = 999_999;

export type Intern = (shape: ShapeJson) => ShapeJson;

/** Asks page after page from the state's position on, and lands them, until the partner has no more for this window. */
export async function runChain(job: WindowJob, state: ChainState, intern: Intern): Promise<void> {
  while (state.position !== null) {
    job.effects.signal?.throwIfAborted();
    const { position } = state;
    if (state.slot > SLOT_LIMIT) await recordLoss(job, state, position, `the window has more than ${SLOT_LIMIT} pages`);
    else if (state.answered.has(positionName(position)))
      await leaveLoop(job, state, position, 'a cursor that was answered before came again');
    else await step(job, state, position, intern);
  }
}

async function step(job: WindowJob, state: ChainState, position: Position, intern: Intern): Promise<void> {
  const outcome = await askPage(job, position, state.size, attemptsFor(job, state));
  const settled = outcome.kind === 'page' ? await accept(job, state, position, outcome, intern) : outcome;
  if (settled.kind === 'page') return moveOn(job, state, position, settled.page);
  if (settled.kind === 'expired') {
    job.effects.log.warn({ stream: job.stream.name, reason: settled.reason }, 'cursor expired; the chain begins again by time');
    if (!restart(job, state)) await giveUp(job, state, position, settled.failure, false);
  } else if (settled.failure.dangling) await leaveDangling(job, state, position, settled.failure, settled.failure.dangling, intern);
  else await giveUp(job, state, position, settled.failure, true);
}

/** @returns false where the chain cannot be entered by time, or was and brought nothing that was not known. */
function restart(job: WindowJob, state: ChainState): boolean {
  const { stream, window } = job;
  if (isNewestFirst(stream.source) || state.freshSince === 0) return false;
  const since = Math.max(floorOf(state, window), safePoint(state.order, stream, window));
  state.restarts.stalled = since > state.restarts.since ? 0 : state.restarts.stalled + 1;
  if (state.restarts.stalled > STALLED_LIMIT) return false;
  state.restarts.since = since;
  Object.assign(state, { position: { since, cursor: null }, size: stream.source.pageSize, isolation: null });
  beginAnew(state);
  return true;
}

/** The cursors lead in a circle: begin again by time; where that leads into the circle once more, stop and say what may be missing. */
async function leaveLoop(job: WindowJob, state: ChainState, position: Position, reason: string): Promise<void> {
  job.effects.log.warn({ stream: job.stream.name, slot: state.slot, reason }, 'loop: the chain stops');
  if (!restart(job, state)) await recordLoss(job, state, position, `loop: ${reason}`);
}

/** A page says that there is more, but not where. What it holds lands, and the chain goes on by time, as from a cursor that expired. */
async function leaveDangling(
  job: WindowJob,
  state: ChainState,
  position: Position,
  failure: PageFailure,
  { page, origin }: Omit<Answer, 'kind'>,
  intern: Intern,
): Promise<void> {
  job.effects.log.warn({ stream: job.stream.name, slot: state.slot }, 'no cursor, though there is more; the chain goes on by time');
  await land(job, state, position, { kind: 'page', page, origin }, intern);
  noteAnswered(job, state, position, page);
  if (restart(job, state)) return;
  state.answered.delete(positionName(position));
  await giveUp(job, state, position, failure, true);
}

/** Lands an answer, and what comes when it has to be asked again. @returns what leads the chain on, or the failure to settle it. */
async function accept(job: WindowJob, state: ChainState, position: Position, answer: Answer, intern: Intern): Promise<AskOutcome> {
  const fresh = await askPastRepeat(job, state, position, answer);
  if (fresh.kind !== 'page') return fresh;
  const landed = await land(job, state, position, fresh, intern);
  if (landed === 'duplicate') return fresh;
  return settle(job, state, position, fresh, async (larger) => {
    if (await findDuplicate(job, state, larger.page)) return false;
    await landFresh(job, state, landingOf(job, state, position, larger), intern);
    return true;
  });
}

async function askPastRepeat(job: WindowJob, state: ChainState, position: Position, first: Answer): Promise<AskOutcome> {
  let answer: AskOutcome = first;
  for (let count = 0; count < ASK_AGAIN && answer.kind === 'page' && (await isRepeat(job, state, position, answer.page)); count++) {
    job.totals.duplicated += 1;
    answer = await askPage(job, position, state.size, attemptsFor(job, state));
  }
  return answer;
}

/**
 * Whether an answer may be that to another question. Where the next position is counted, nothing in a page that came before leads back to
 * where the chain is.
 */
async function isRepeat(job: WindowJob, state: ChainState, position: Position, page: Page): Promise<boolean> {
  const { kind } = job.stream.source.pagination;
  if (kind !== 'page' && kind !== 'offset') return repeats(page, position);
  const earlier = await findDuplicate(job, state, page);
  return earlier !== null && !(state.known.get(state.slot) ?? []).some((own) => own.key === earlier);
}

/** fresh: records that were not known; again: what landed in this slot before; duplicate: the records of another page once more. */
type Landed = 'fresh' | 'again' | 'duplicate';

async function land(job: WindowJob, state: ChainState, position: Position, answer: Answer, intern: Intern): Promise<Landed> {
  const known = state.known.get(state.slot) ?? [];
  const landing = landingOf(job, state, position, answer);
  const isKnown = known.some((other) => other.sha256 === answer.page.sha256);
  const earlier = isKnown ? null : await findDuplicate(job, state, answer.page);
  const landed = earlier === null ? 'fresh' : known.some((other) => other.key === earlier) ? 'again' : 'duplicate';
  if (landed === 'fresh') await landFresh(job, state, landing, intern);
  if (landed === 'duplicate') await landDuplicate(job, landing, earlier ?? '');
  if (landed === 'duplicate') job.totals.duplicated += 1;
  state.duplicatesInARow = landed === 'duplicate' ? state.duplicatesInARow + 1 : 0;
  state.emptyInARow = answer.page.measure.records === 0 ? state.emptyInARow + 1 : 0;
  if (landed === 'fresh') state.freshSince += 1;
  reportProgress(job);
  return landed;
}

function landingOf(job: WindowJob, state: ChainState, position: Position, { page, origin }: Answer): Landing {
  const verdict = isShort(job, state, page) ? 'short' : 'full';
  return { slot: state.slot, page, origin, cursorIn: position.cursor, size: state.size, verdict };
}

async function landFresh(job: WindowJob, state: ChainState, landing: Landing, intern: Intern): Promise<void> {
  const page = await landPage(job, landing, state.known.get(landing.slot) ?? []);
  if (!state.pages.has(page.key)) {
    job.totals.pages += 1;
    job.totals.records += page.records;
  }
  if (landing.verdict === 'short') job.totals.short += 1;
  notePage(state, page, intern);
}

/** The page has landed: only now the cursor moves. */
async function moveOn(job: WindowJob, state: ChainState, position: Position, page: Page): Promise<void> {
  const { stream, window } = job;
  noteAnswered(job, state, position, page);
  const isOver = isBehindEnd(state, stream, timesOf(page), window);
  state.position = page.next === null || isOver ? null : { since: position.since, cursor: page.next };
  if (state.isolation) await finishIsolation(job, state, page.measure.records);
  if (state.position === null) return;
  // Beginning anew by time goes over known pages again, each at most once.
  const known = state.begunAt - 1;
  if (state.duplicatesInARow >= DUPLICATES_LIMIT + known)
    await leaveLoop(job, state, state.position, 'the same pages come again and again');
  else if (state.emptyInARow >= EMPTY_LIMIT) await leaveLoop(job, state, state.position, 'one empty page after the other comes');
}

const timesOf = ({ minTime, maxTime, disorder, measure: { records } }: Page): PageTimes => ({ minTime, maxTime, disorder, records });

function noteAnswered({ stream, window }: WindowJob, state: ChainState, position: Position, page: Page): void {
  state.answered.add(positionName(position));
  const isSuspect = state.duplicatesInARow === 0 && state.previous !== null && goesBack(state.order, stream.source, page);
  noteOrder(state.order, stream, timesOf(page), window, isSuspect && state.previous ? nearestNew(stream, state.previous, page) : null);
  state.previous = page;
  state.slot += 1;
}
