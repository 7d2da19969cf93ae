import type { Micros } from '../clock.ts';
import type { Gap, ManifestPage } from '../manifest/documents.ts';
import { type ShapeJson, shapeFromJson } from '../schema/shape.ts';
import type { Source } from '../stream.ts';
import { SECOND } from '../time.ts';
import type { PageFailure } from './ask.ts';
import type { Page } from './judge.ts';
import type { KnownAnswer } from './land.ts';
import type { Position } from './request.ts';

/** What a chain knows of itself: everything in it can be read again from the receipts that it landed. */
export interface ChainState {
  /** What to ask next; null once the chain has ended. */
  position: Position | null;
  /** Slot of the next page, one-based. */
  slot: number;
  /** Page size to ask for. */
  size: number;
  /** Positions that were answered, to tell a loop. */
  readonly answered: Set<string>;
  /** Keys of landed pages by what can be told of a page without its bytes, to tell duplicates. */
  readonly lookalikes: Map<string, string[]>;
  /** Everything landed for the window, by key: also what no cursor leads to. */
  readonly pages: Map<string, ManifestPage>;
  /** What earlier processes landed in slots that the chain has not reached. */
  readonly known: Map<number, KnownAnswer[]>;
  readonly gaps: Gap[];
  /** Greatest version time that landed. */
  maxTime: Micros | null;
  minTime: Micros | null;
  /** Whether a page reached back behind the one before it: then the order of the chain proves nothing. */
  disordered: boolean;
  duplicatesInARow: number;
  /** Slot at which the chain last began anew by time, and how many pages it has brought since that were not known before. */
  begunAt: number;
  freshSince: number;
  /** Short pages in a row that came again just the same: the source's pages are short by habit. */
  shortByHabit: number;
  isolation: Isolation | null;
  /** The page before, to tell records that are sent again from records that are out of order. */
  previous: Page | null;
}

/** A page that could not be had whole, while smaller pages are tried in its place. */
export interface Isolation {
  readonly failure: PageFailure;
  readonly slot: number;
  readonly position: Position;
  readonly size: number;
  /** Records of it that smaller pages have not brought yet. */
  remaining: number;
  /** Sizes are still being halved: none has gone through since the last failure. */
  descending: boolean;
}

export function newChainState(start: Micros, size: number): ChainState {
  return {
    position: { since: start, cursor: null },
    slot: 1,
    size,
    answered: new Set(),
    lookalikes: new Map(),
    pages: new Map(),
    known: new Map(),
    gaps: [],
    maxTime: null,
    minTime: null,
    disordered: false,
    duplicatesInARow: 0,
    begunAt: 1,
    freshSince: 0,
    shortByHabit: 0,
    isolation: null,
    previous: null,
  };
}

/** The chain is entered anew, by time: cursors from before prove no loop, and pages from before may come again. */
export function beginAnew(state: ChainState): void {
  state.answered.clear();
  state.begunAt = state.slot;
  state.freshSince = 0;
  state.duplicatesInARow = 0;
  state.previous = null;
}

export const positionName = ({ since, cursor }: Position): string => `${since}|${cursor ?? ''}`;

/** Two pages with the same records agree in this; the bytes decide. */
export const lookalikeOf = ({ records, span, minTime, maxTime }: Pick<ManifestPage, 'records' | 'span' | 'minTime' | 'maxTime'>): string =>
  `${records}:${span.end - span.start}:${minTime}:${maxTime}`;

/** Notes a page of the window, wherever it came from. */
export function notePage(state: ChainState, page: ManifestPage, intern: (shape: ShapeJson) => ShapeJson): void {
  state.pages.set(page.key, { ...page, shape: intern(page.shape) });
  if (page.records === 0) return;
  const lookalike = lookalikeOf(page);
  state.lookalikes.set(lookalike, [...(state.lookalikes.get(lookalike) ?? []), page.key]);
}

/**
 * Notes the version times of a page that the chain goes through.
 * @param newFrom least version time of the records that the page before it did not hold; null where that proves no order.
 */
export function noteTimes(
  state: ChainState,
  { minTime, maxTime }: Pick<ManifestPage, 'minTime' | 'maxTime'>,
  newFrom: Micros | null,
): void {
  if (minTime === null || maxTime === null) return;
  if (state.maxTime !== null && newFrom !== null && newFrom < state.maxTime) state.disordered = true;
  state.maxTime = Math.max(state.maxTime ?? maxTime, maxTime);
  state.minTime = Math.min(state.minTime ?? minTime, minTime);
}

/** Records at the restarting instant may be on both sides of it, and some APIs leave out the instant that `since` names. */
const RESTART_OVERLAP: Micros = SECOND;

/**
 * The instant before which the chain has everything: where it may begin again. In a chain whose pages came in order that is the last
 * landed version time; otherwise something may still be missing over the whole out-of-order bound.
 */
export function safePoint(state: ChainState, start: Micros, outOfOrder: Micros): Micros {
  if (state.maxTime === null) return start;
  return Math.max(start, state.maxTime - (state.disordered ? outOfOrder : 0) - RESTART_OVERLAP);
}

/** A chain that lists the newest first cannot be entered in the middle by time. */
export const isNewestFirst = ({ pagination }: Source): boolean => pagination.kind === 'last-id' && pagination.order === 'newest-first';

/** Whether smaller pages may be asked at the same position. Page numbers mean something else at another size. */
export const canShrink = (source: Source): boolean => source.sizeParameter !== null && source.pagination.kind !== 'page';

/** The chain is past everything that the window asks for. */
export function isPast(
  source: Source,
  page: Pick<ManifestPage, 'minTime' | 'maxTime'>,
  window: { start: Micros; end: Micros },
  outOfOrder: Micros,
): boolean {
  if (isNewestFirst(source)) return page.maxTime !== null && page.maxTime < window.start;
  return page.minTime !== null && page.minTime > window.end + outOfOrder;
}

/** Pages of one window nearly all have the same shape: one copy of each is kept. */
export function shapeInterner(): (shape: ShapeJson) => ShapeJson {
  const shapes = new Map<string, ShapeJson>();
  return (shape) => {
    const text = JSON.stringify(shape);
    const known = shapes.get(text);
    if (known) return known;
    shapes.set(text, shape);
    return shape;
  };
}

/** The union of shapes, of which few are distinct. */
export const distinctShapes = (pages: Iterable<ManifestPage>): ReturnType<typeof shapeFromJson>[] =>
  [...new Set([...pages].map((page) => page.shape))].map(shapeFromJson);
