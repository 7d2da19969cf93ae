import { hash } from 'node:crypto';
import { JsonError, LayoutError } from '../json/errors.ts';
import { pageOfReceipt } from '../landing/land.ts';
import type { Receipt } from '../manifest/documents.ts';
import { type LandedAnswer, type LandedSlot, landedSlots } from '../manifest/landed.ts';
import { readBody } from '../store/compress.ts';
import type { Source } from '../stream.ts';
import type { Intern } from './chain.ts';
import { beginAnew, type ChainState, isBehindEnd, newChainState, notePage, positionName } from './chain-state.ts';
import { ContinuationError } from './continuation.ts';
import { openGaps } from './dead-letter.ts';
import type { WindowJob } from './effects.ts';
import { measurePage } from './judge.ts';
import { writeRecoveredReceipt } from './land.ts';
import { isNewestFirst, noteOrder } from './order.ts';
import { type Position, positionUrl, sinceOf } from './request.ts';

/**
 * Where a window's chain stands, from what landed: the pages are the cursor log. Adopts the unbroken chain over all generations and goes
 * on from its last page's own cursor. A last page that may not have been settled is asked again.
 */
export async function resumeChain(job: WindowJob, intern: Intern): Promise<ChainState> {
  const state = newChainState(job.window.start, job.stream.source.pageSize, job.effects.clock.now());
  const slots = await slotsOf(job);
  for (const answer of [...slots.values()].flat()) await noteKnown(job, state, answer, intern);
  const last = await adopt(job, state, slots);
  if (last && mayBeUnsettled(job.stream.source, last.receipt)) askAgain(state, last.position);
  state.gaps.push(...(await openGaps(job)));
  return state;
}

/**
 * Whoever landed a page that was found without a receipt may not have come to ask again for what it lacks; nor whoever landed one that
 * leads nowhere although there is more, or that ends the chain for no other reason than its length.
 */
function mayBeUnsettled({ pagination }: Source, { verdict, records, pageSize, more, cursorOut }: Receipt): boolean {
  const isStated = !('more' in pagination) || pagination.more !== null || 'next' in pagination;
  if (cursorOut === null) return more || !isStated;
  return verdict === 'short' || (verdict === 'recovered' && records < pageSize);
}

async function slotsOf(job: WindowJob): Promise<Map<number, LandedAnswer[]>> {
  const scope = { stream: job.stream.name, environment: job.environment };
  const slots = await landedSlots(job.effects.store, scope, job.window);
  const mine = ({ slot, answers }: LandedSlot): [number, LandedAnswer[]] => [slot, answers.filter((answer) => answer.epoch > job.ask)];
  return new Map(slots.map(mine).filter(([, answers]) => answers.length > 0));
}

/** A slot's receipt may be that of a duplicate, although bytes landed in the slot later. */
export const ownReceipt = ({ receipt, object, key }: LandedAnswer): Receipt | null =>
  receipt && (object === null || receipt.page === key) ? receipt : null;

async function noteKnown(job: WindowJob, state: ChainState, answer: LandedAnswer, intern: Intern): Promise<void> {
  if (answer.object === null) return;
  const receipt = ownReceipt(answer);
  if (receipt) notePage(state, pageOfReceipt(receipt), intern);
  const sha256 = receipt?.sha256 ?? hash('sha256', (await readBody(job.effects.store, answer.key)) ?? Buffer.alloc(0));
  state.known.set(answer.slot, [...(state.known.get(answer.slot) ?? []), { key: answer.key, sha256 }]);
}

interface Adopted {
  readonly position: Position;
  readonly receipt: Receipt;
}

/** @returns the last page of the unbroken chain, or null where there is none. */
async function adopt(job: WindowJob, state: ChainState, slots: ReadonlyMap<number, readonly LandedAnswer[]>): Promise<Adopted | null> {
  let last: Adopted | null = null;
  for (let answers = slots.get(1); answers && state.position; answers = slots.get(state.slot)) {
    const receipt = choose(answers, state.position, slots.get(state.slot + 1)) ?? (await recover(job, answers, state.position));
    if (!receipt) break;
    const position = askedPosition(job, state.position, receipt);
    moveOn(job, state, position, receipt);
    last = { position, receipt };
  }
  return last;
}

/** The position that a page was asked at: where it begins anew, its URL says from when, as exactly as times are written there. */
function askedPosition({ stream: { source } }: WindowJob, expected: Position, { cursorIn, url }: Receipt): Position {
  if (cursorIn !== null) return { since: expected.since, cursor: cursorIn };
  const stated = sinceOf(source, url);
  const asExpected = stated === null || stated === sinceOf(source, positionUrl(source, { ...expected, cursor: null }, 1));
  return { since: asExpected ? expected.since : stated, cursor: null };
}

function moveOn({ stream, window }: WindowJob, state: ChainState, position: Position, receipt: Receipt): void {
  if (position.cursor === null && state.slot > 1) beginAnew(state);
  state.answered.add(positionName(position));
  if (receipt.verdict !== 'duplicate') state.freshSince += 1;
  // A page that begins with the end of the one before it is not told from one out of order here: the careful answer is the right one.
  const nearest = isNewestFirst(stream.source) ? receipt.maxTime : receipt.minTime;
  noteOrder(state.order, stream, receipt, window, state.slot === state.begunAt || receipt.verdict === 'duplicate' ? null : nearest);
  // When a page that was recovered was asked for, nobody knows.
  state.askedSince = Math.min(state.askedSince, receipt.verdict === 'recovered' ? 0 : receipt.requestedAt);
  state.slot += 1;
  const ended = !receipt.more || isBehindEnd(state, stream, receipt, window);
  state.position = ended ? null : { since: position.since, cursor: receipt.cursorOut };
}

/** Of the answers in a slot, the one that the chain went on from; of the last slot's, the one that it would go on from. */
function choose(answers: readonly LandedAnswer[], expected: Position, next: readonly LandedAnswer[] = []): Receipt | null {
  const followed = new Set(next.map((answer) => ownReceipt(answer)?.cursorIn).filter((cursor) => typeof cursor === 'string'));
  const candidates = answers
    .map(ownReceipt)
    .filter((receipt) => receipt !== null)
    .filter(({ cursorIn }) => cursorIn === null || cursorIn === expected.cursor);
  const rank = ({ cursorOut, verdict, records }: Receipt): number[] => [
    cursorOut !== null && followed.has(cursorOut) ? 1 : 0,
    verdict === 'short' ? 0 : 1,
    records,
  ];
  return candidates.sort((a, b) => compareRanks(rank(b), rank(a)))[0] ?? null;
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  const difference = a.findIndex((value, i) => value !== b[i]);
  return difference < 0 ? 0 : (a[difference] ?? 0) - (b[difference] ?? 0);
}

/**
 * A page whose process died before it could write the receipt is measured again from its bytes. The chain goes on from it only where its
 * position stands in the bytes; otherwise it is asked again, and the same bytes will not land twice.
 */
async function recover(job: WindowJob, answers: readonly LandedAnswer[], expected: Position): Promise<Receipt | null> {
  const { source } = job.stream;
  if (!['cursor', 'next-url', 'last-id'].includes(source.pagination.kind)) return null;
  const orphan = answers.find((answer) => answer.object !== null && answer.receipt === null);
  return orphan ? recoverOrphan(job, orphan, expected) : null;
}

/** @returns null where the bytes are no page. @throws CORRUPT where they are not the bytes that landed. */
export async function recoverOrphan(job: WindowJob, { key, slot }: LandedAnswer, expected: Position): Promise<Receipt | null> {
  const { source } = job.stream;
  const object = await job.effects.store.head(key);
  const body = await readBody(job.effects.store, key);
  if (!object || !body) return null;
  const asked = { url: positionUrl(source, expected, source.pageSize), cursor: expected.cursor, size: source.pageSize };
  try {
    const page = measurePage(job.stream, asked, { headers: {}, body });
    const orphan = { key, slot, page, storedBytes: object.size, cursorIn: expected.cursor, url: asked.url };
    return await writeRecoveredReceipt(job, orphan, source.pageSize);
  } catch (error) {
    if (error instanceof JsonError || error instanceof LayoutError || error instanceof ContinuationError) return null;
    throw error;
  }
}

/** Whether a larger answer to the last page was still looked for when its process died is not known: look again. */
function askAgain(state: ChainState, position: Position): void {
  state.position = position;
  state.slot -= 1;
  state.answered.delete(positionName(position));
}
