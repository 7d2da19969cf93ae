import type { Micros } from '../clock.ts';
import type { Gap, ManifestPage, Window } from '../manifest/documents.ts';
import { type ShapeJson, shapeFromJson } from '../schema/shape.ts';
import type { Source, Stream } from '../stream.ts';
import type { PageFailure } from './ask.ts';
import type { Page } from './judge.ts';
import type { KnownAnswer } from './land.ts';
import { type ChainOrder, isPast, newOrder, type PageTimes } from './order.ts';
import type { Position } from './request.ts';
import { maySplit } from './split.ts';

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
  readonly order: ChainOrder;
  /** It ended by the order of what it was given. */
  cutShort: boolean;
  /** When the first question was asked: what was recorded as missing after that is not answered by this chain. */
  askedSince: Micros;
  duplicatesInARow: number;
  emptyInARow: number;
  /** Slot at which the chain last began anew by time, and how many pages it has brought since that were not known before. */
  begunAt: number;
  freshSince: number;
  /** Where the chain last began anew by time, and how often it did so without getting further. */
  readonly restarts: { since: Micros; stalled: number };
  readonly habit: ShortHabit;
  isolation: Isolation | null;
  /** The page before, to tell records that are sent again from records that are out of order. */
  previous: Page | null;
}

/** Short pages in a row that came again just the same: whether the source makes short pages, and of what size. A full page ends it. */
export interface ShortHabit {
  pages: number;
  records: number;
  /** How many of them, the last ones, had that many records. */
  alike: number;
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

export function newChainState(start: Micros, size: number, askedSince: Micros): ChainState {
  return {
    position: { since: start, cursor: null },
    slot: 1,
    size,
    answered: new Set(),
    lookalikes: new Map(),
    pages: new Map(),
    known: new Map(),
    gaps: [],
    order: newOrder(),
    cutShort: false,
    askedSince,
    duplicatesInARow: 0,
    emptyInARow: 0,
    begunAt: 1,
    freshSince: 0,
    restarts: { since: start, stalled: 0 },
    habit: { pages: 0, records: 0, alike: 0 },
    isolation: null,
    previous: null,
  };
}

/** Whether the chain is past everything that the window asks for; notes whether the order told so, which is less than a sweep must know. */
export function isBehindEnd(state: ChainState, stream: Stream, page: Omit<PageTimes, 'disorder'>, window: Window): boolean {
  const isOver = isPast(state.order, stream, page, window);
  if (isOver && maySplit(window, stream)) state.cutShort = true;
  return isOver;
}

/** The chain is entered anew, by time: cursors from before prove no loop, and pages from before may come again. */
export function beginAnew(state: ChainState): void {
  state.answered.clear();
  state.begunAt = state.slot;
  state.freshSince = 0;
  state.duplicatesInARow = 0;
  state.emptyInARow = 0;
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

/** Where the chain may be entered by time without going back into a stretch that was bridged. */
export const floorOf = ({ gaps }: ChainState, { start }: Window): Micros => gaps.reduce((floor, gap) => Math.max(floor, gap.to - 1), start);

/** Whether smaller pages may be asked at the same position. Page numbers mean something else at another size. */
export const canShrink = (source: Source): boolean => source.sizeParameter !== null && source.pagination.kind !== 'page';

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
