import type { ShapeJson } from '../schema/shape.ts';
import { findDuplicate, newFrom, relate } from './answers.ts';
import { type AskOutcome, askPage } from './ask.ts';
import { beginAnew, type ChainState, isNewestFirst, isPast, notePage, noteTimes, positionName, safePoint } from './chain-state.ts';
import { reportProgress, type WindowJob } from './effects.ts';
import type { Page } from './judge.ts';
import { type Landing, landDuplicate, landPage } from './land.ts';
import { attemptsFor, finishIsolation, giveUp, recordLoss } from './poison.ts';
import type { Position } from './request.ts';

type Answer = Extract<AskOutcome, { kind: 'page' }>;

/** How often a page that came short, or repeated its own cursor, is asked again. */
const ASK_AGAIN = 3;
/** After so many short pages that came again just the same, the source is taken to make short pages, and they are no longer asked twice. */
const SHORT_HABIT = 3;
/** So many known pages in a row, under ever new cursors, are a loop. */
const DUPLICATES_LIMIT = 10;
/** The width of a slot's number in its key. */
const SLOT_LIMIT = 999_999;

export type Intern = (shape: ShapeJson) => ShapeJson;

/** Asks page after page from the state's position on, and lands them, until the partner has no more for this window. */
export async function runChain(job: WindowJob, state: ChainState, intern: Intern): Promise<void> {
  while (state.position !== null) {
    job.effects.signal?.throwIfAborted();
    if (state.answered.has(positionName(state.position))) await leaveLoop(job, state, 'a cursor that was answered before came again');
    else await step(job, state, state.position, intern);
  }
}

async function step(job: WindowJob, state: ChainState, position: Position, intern: Intern): Promise<void> {
  const outcome = await askPage(job, position, state.size, attemptsFor(job, state));
  const settled = outcome.kind === 'page' ? await accept(job, state, position, outcome, intern) : outcome;
  if (settled.kind === 'page') return moveOn(job, state, position, settled.page);
  if (settled.kind === 'failed') return giveUp(job, state, position, settled.failure, true);
  job.effects.log.warn({ stream: job.stream.name, reason: settled.reason }, 'cursor expired; the chain begins again by time');
  if (!restart(job, state, position)) await giveUp(job, state, position, settled.failure, false);
}

/** @returns false where the chain cannot be entered by time, or was and brought nothing that was not known. */
function restart(job: WindowJob, state: ChainState, position: Position): boolean {
  const { stream, window } = job;
  if (isNewestFirst(stream.source) || state.freshSince === 0) return false;
  const since = Math.max(position.since, safePoint(state, window.start, stream.poll.outOfOrder));
  Object.assign(state, { position: { since, cursor: null }, size: stream.source.pageSize, isolation: null });
  beginAnew(state);
  return true;
}

/** The cursors lead in a circle: begin again by time; where that leads into the circle once more, stop and say what may be missing. */
async function leaveLoop(job: WindowJob, state: ChainState, reason: string): Promise<void> {
  const position = state.position;
  if (position === null) return;
  job.effects.log.warn({ stream: job.stream.name, slot: state.slot, reason }, 'loop: the chain stops');
  if (!restart(job, state, position)) await recordLoss(job, state, position, `loop: ${reason}`);
}

/** Lands an answer, and what comes when it has to be asked again. @returns what leads the chain on, or the failure to settle it. */
async function accept(job: WindowJob, state: ChainState, position: Position, answer: Answer, intern: Intern): Promise<AskOutcome> {
  const fresh = repeats(answer.page, position) ? await askPastRepeat(job, state, position, answer) : answer;
  if (fresh.kind !== 'page') return fresh;
  const landed = await land(job, state, position, fresh, intern);
  return landed && isShort(job, state, fresh.page) ? settleShort(job, state, position, fresh, intern) : fresh;
}

const repeats = (page: Page, position: Position): boolean => page.next !== null && page.next === position.cursor;

/** Fewer records than asked, though more is to come. */
const isShort = ({ stream }: WindowJob, state: ChainState, page: Page): boolean =>
  stream.source.sizeParameter !== null && page.next !== null && page.measure.records < state.size;

/** An answer that leads to the very position that was asked is the answer before it, sent twice: asked again. */
async function askPastRepeat(job: WindowJob, state: ChainState, position: Position, first: Answer): Promise<AskOutcome> {
  let answer: AskOutcome = first;
  for (let count = 0; count < ASK_AGAIN && answer.kind === 'page' && repeats(answer.page, position); count++) {
    job.totals.duplicated += 1;
    answer = await askPage(job, position, state.size, attemptsFor(job, state));
  }
  return answer;
}

/** @returns false where the page was a duplicate. */
async function land(job: WindowJob, state: ChainState, position: Position, answer: Answer, intern: Intern): Promise<boolean> {
  const { page, origin } = answer;
  const known = state.known.get(state.slot) ?? [];
  const landing = { slot: state.slot, page, origin, cursorIn: position.cursor, size: state.size };
  const earlier = known.some((other) => other.sha256 === page.sha256) ? null : await findDuplicate(job, state, page);
  if (earlier === null) {
    await landFresh(job, state, { ...landing, verdict: isShort(job, state, page) ? 'short' : 'full' }, intern);
    state.duplicatesInARow = 0;
    state.freshSince += 1;
  } else {
    await landDuplicate(job, landing, earlier);
    job.totals.duplicated += 1;
    state.duplicatesInARow += 1;
  }
  reportProgress(job);
  return earlier === null;
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

/**
 * Asks a short page again. What it holds has landed; a larger answer lands beside it and leads the chain on. Only where every further
 * answer was the same are short pages taken for the source's habit: twice the same may be the same fault twice.
 */
async function settleShort(job: WindowJob, state: ChainState, position: Position, first: Answer, intern: Intern): Promise<AskOutcome> {
  if (state.shortByHabit >= SHORT_HABIT) return first;
  let best = first;
  let allSame = true;
  for (let count = 0; count < ASK_AGAIN && isShort(job, state, best.page); count++) {
    job.totals.retried += 1;
    const again = await askPage(job, position, state.size, attemptsFor(job, state));
    // The missing records may be the very ones that the partner cannot serve: the page is not settled without an answer.
    if (again.kind !== 'page') return again;
    const relation = relate(best.page, again.page);
    if (relation !== 'same') allSame = false;
    if (relation === 'same' || relation === 'subset' || repeats(again.page, position)) continue;
    const verdict = isShort(job, state, again.page) ? 'short' : 'full';
    await landFresh(job, state, { slot: state.slot, ...again, cursorIn: position.cursor, size: state.size, verdict }, intern);
    if (relation === 'superset' || again.page.measure.records > best.page.measure.records) best = again;
  }
  state.shortByHabit = allSame ? state.shortByHabit + 1 : 0;
  return best;
}

/** The page has landed: only now the cursor moves. */
async function moveOn(job: WindowJob, state: ChainState, position: Position, page: Page): Promise<void> {
  const { stream, window } = job;
  state.answered.add(positionName(position));
  const suspicious = page.minTime !== null && state.maxTime !== null && page.minTime < state.maxTime;
  noteTimes(state, page, suspicious && state.previous ? newFrom(stream, state.previous, page) : null);
  state.previous = page;
  state.slot += 1;
  const ended = page.next === null || isPast(stream.source, page, window, stream.poll.outOfOrder) || state.slot > SLOT_LIMIT;
  state.position = ended ? null : { since: position.since, cursor: page.next };
  if (state.isolation) await finishIsolation(job, state, page.measure.records);
  // Beginning anew by time goes over known pages again, each at most once.
  const known = state.begunAt - 1;
  if (state.position !== null && state.duplicatesInARow >= DUPLICATES_LIMIT + known)
    await leaveLoop(job, state, 'the same pages come again and again');
}
