import { assert } from '../errors.ts';
import { formatInstant } from '../time.ts';
import type { Head, Holder, OpenPush, PendingWindow, PushWindows, Window } from './documents.ts';
import { HEAD_LIMITS, type Transition } from './head.ts';

/**
 * The windows of listeners, as changes of the head that need no lease: a listener works beside whoever holds the stream, and beside other
 * listeners. Each window of each listener has a generation of its own, so no two ever land in one place.
 *
 * What is acknowledged cannot be lost: a listener lands, then looks whether its window is still open and not closing, and only then says so;
 * whoever commits a window marks it as closing first and lists its pages after that. So every page that was acknowledged is on the list.
 */

const NONE: PushWindows = { epoch: 0, open: [] };

export const pushWindows = (head: Pick<Head, 'pushes'>): PushWindows => head.pushes ?? NONE;

/** The window that was begun under that id; null where it is open no more, or somebody has begun to commit it. */
export const openPush = (head: Head, id: string): OpenPush | null =>
  pushWindows(head).open.find((open) => open.id === id && !open.closing) ?? null;

/** Begins a window of pushes, with the next generation. @param id random: a window whose commit failed is never landed in again. */
export function beginPush(id: string, window: Window, holder: Omit<Holder, 'beat'>): Transition {
  return (head) => {
    if (openPush(head, id)) return head;
    const { epoch, open } = pushWindows(head);
    assert(window.kind === 'push' && window.start < window.end, `no window of pushes: ${window.kind} from ${formatInstant(window.start)}`);
    assert(open.length < HEAD_LIMITS.open, `${head.stream} has ${open.length} open windows of pushes`);
    const { start, end, kind } = window;
    const { host, pid } = holder;
    const begun: OpenPush = { id, window: { start, end, kind }, epoch: epoch + 1, holder: { id: holder.id, host, pid }, closing: false };
    return { ...head, pushes: { epoch: epoch + 1, open: [...open, begun] } };
  };
}

/** Ends the landing in a window, before its pages are listed. */
export function closePush(generation: number): Transition {
  return (head) => {
    const { epoch, open } = pushWindows(head);
    const entry = open.find((other) => other.epoch === generation);
    if (!entry || entry.closing) return head;
    return { ...head, pushes: { epoch, open: open.map((other) => (other === entry ? { ...other, closing: true } : other)) } };
  };
}

/**
 * Commits a window of pushes: what it landed is now due to be normalized and loaded. A window that is open no more was committed already.
 * @param manifest null where nothing landed in it.
 */
export function commitPush(generation: number, manifest: string | null): Transition {
  return (head) => {
    const { epoch, open } = pushWindows(head);
    const entry = open.find((other) => other.epoch === generation);
    if (!entry) return head;
    assert(head.pending.length < HEAD_LIMITS.pending, `${head.stream} has ${head.pending.length} windows that are not loaded`);
    const pending: PendingWindow[] = manifest === null ? [] : [{ window: entry.window, manifest, batches: null }];
    return { ...head, pushes: { epoch, open: open.filter((other) => other !== entry) }, pending: [...head.pending, ...pending] };
  };
}
