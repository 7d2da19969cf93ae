import { relate } from './answers.ts';
import { type AskOutcome, askPage } from './ask.ts';
import type { ChainState, ShortHabit } from './chain-state.ts';
import type { WindowJob } from './effects.ts';
import type { Page } from './judge.ts';
import { attemptsFor } from './poison.ts';
import type { Position } from './request.ts';

export type Answer = Extract<AskOutcome, { kind: 'page' }>;

/** How often a page that came short, or repeated its own cursor, is asked again. */
export const ASK_AGAIN = 3;
/** After so many short pages that came again just the same, the source is taken to make short pages, and each is asked again only once. */
const SHORT_HABIT = 3;
/** A chain that ends with a page shorter than asked, for no other reason, ends once that page came again so often just the same. */
const END_AGAIN = 2;

/** Fewer records than asked, though more is to come. */
export const isShort = ({ stream }: WindowJob, state: ChainState, page: Page): boolean =>
  stream.source.sizeParameter !== null && page.next !== null && page.measure.records < state.size;

/** Whether another answer may hold more: the page is short, or it ends the chain only because it is. */
export const isUnsettled = (job: WindowJob, state: ChainState, page: Page): boolean =>
  page.end === 'inferred' || (isShort(job, state, page) && !isHabitual(state, page));

/** A source that always brings so many records, and no more, has a smaller page than was asked for. */
const isHabitual = ({ habit }: ChainState, { measure }: Page): boolean => habit.alike >= SHORT_HABIT && habit.records === measure.records;

/** An answer that leads to the very position that was asked is the answer before it, sent twice. */
export const repeats = (page: Page, position: Position): boolean => page.next !== null && page.next === position.cursor;

/**
 * Asks a page again that may lack records. What it holds has landed; `land` lands each further answer that holds more or others, unless
 * it is an earlier page once more, and the largest leads the chain on. Only where every further answer was the same are short pages taken for the source's habit: twice the same
 * may be the same fault twice.
 * @returns what leads the chain on, or the failure to settle it.
 */
export async function settle(
  job: WindowJob,
  state: ChainState,
  position: Position,
  first: Answer,
  land: (answer: Answer) => Promise<boolean>,
): Promise<AskOutcome> {
  let best = first;
  let same = 0;
  let other = 0;
  const limit = state.habit.pages >= SHORT_HABIT && first.page.end === null ? 1 : ASK_AGAIN;
  for (let count = 0; count < limit && isUnsettled(job, state, best.page); count++) {
    job.totals.retried += 1;
    const again = await askPage(job, position, state.size, attemptsFor(job, state));
    // The missing records may be the very ones that the partner cannot serve: the page is not settled without an answer.
    if (again.kind !== 'page') return again;
    const relation = relate(best.page, again.page);
    if (relation === 'same') same += 1;
    else other += 1;
    if (best.page.end === 'inferred' && other === 0 && same >= END_AGAIN) break;
    if (relation === 'same' || relation === 'subset' || repeats(again.page, position)) continue;
    if (!(await land(again))) continue;
    if (relation === 'superset' || again.page.measure.records > best.page.measure.records) best = again;
  }
  noteLength(job, state, best.page, other === 0);
  return best;
}

/** A page as large as asked for, or one that grew, shows that the source can make larger ones. */
function noteLength(job: WindowJob, state: ChainState, page: Page, allSame: boolean): void {
  const { habit } = state;
  if (page.next === null) return;
  const counts = isShort(job, state, page) && allSame;
  const { records } = page.measure;
  Object.assign(habit, counts ? { pages: habit.pages + 1, records, alike: habit.records === records ? habit.alike + 1 : 1 } : NO_HABIT);
}

const NO_HABIT: ShortHabit = { pages: 0, records: 0, alike: 0 };
