import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Head, Holder, Window, WindowKind } from '../../src/manifest/documents.ts';
import {
  abandonWindow,
  assertHead,
  assertSuccessor,
  beginWindow,
  commitWindow,
  HEAD_LIMITS,
  newHead,
  noteBatches,
  release,
  renew,
  sequence,
  settle,
  type Transition,
  takeOver,
} from '../../src/manifest/head.ts';

const holder: Holder = { id: 'a', host: 'h', pid: 1, beat: 0 };
const poll = (start: number, end: number): Window => ({ start, end, kind: 'poll' });
const keyOf = (window: Window): string => `${window.kind}/${window.start}-${window.end}`;
const commit = (window: Window): Transition => commitWindow({ window, manifest: keyOf(window) });
const apply = (...transitions: Transition[]): Head => sequence(...transitions)(newHead('payments'));
const bug = expect.objectContaining({ code: 'INTERNAL' });

describe('the head', () => {
  it('goes from begun over committed and normalized to settled, and the watermark follows the commit', () => {
    const window = poll(0, 10);
    const begun = apply(beginWindow(window));
    expect(begun).toMatchObject({ open: [window], pending: [], watermark: null });
    const committed = commit(window)(begun);
    expect(committed).toMatchObject({ open: [], pending: [{ window, manifest: 'poll/0-10', batches: null }], watermark: 10 });
    const noted = noteBatches('poll/0-10', ['b1', 'b2'])(committed);
    expect(noted.pending[0]?.batches).toEqual(['b1', 'b2']);
    expect(settle('poll/0-10')(noted)).toMatchObject({ open: [], pending: [], watermark: 10 });
  });

  it('stays the very same when a change is made a second time', () => {
    const window = poll(0, 10);
    const steps = [beginWindow(window), commit(window), noteBatches('poll/0-10', ['b']), settle('poll/0-10'), release];
    let head = takeOver(holder)(newHead('payments'));
    for (const step of steps) {
      head = step(head);
      expect(step(head)).toBe(head);
    }
  });

  it('R18: refuses a poll that would leave a gap behind what is covered', () => {
    const covered = apply(beginWindow(poll(0, 10)), commit(poll(0, 10)));
    expect(() => beginWindow(poll(11, 20))(covered)).toThrow(bug);
    const begun = beginWindow(poll(8, 20))(covered);
    expect(beginWindow(poll(20, 30))(begun).open).toHaveLength(2);
    expect(() => beginWindow(poll(31, 40))(begun)).toThrow(bug);
  });

  it('holds the watermark back behind an earlier poll that is still open', () => {
    const both = apply(beginWindow(poll(0, 10)), commit(poll(0, 10)), beginWindow(poll(10, 20)), beginWindow(poll(20, 30)));
    const later = commit(poll(20, 30))(both);
    expect(later.watermark).toBe(10);
    expect(commit(poll(10, 20))(later).watermark, 'then it joins what was committed beyond').toBe(30);
  });

  it('R4: sweeps and backfills never move the watermark', () => {
    const head = apply(beginWindow(poll(0, 10)), commit(poll(0, 10)));
    for (const kind of ['sweep', 'backfill'] as const) {
      const window = { start: 5, end: 500, kind };
      expect(sequence(beginWindow(window), commit(window))(head).watermark).toBe(10);
    }
  });

  it('counts a sweep over the lateness bound as one over the out-of-order bound too', () => {
    const window: Window = { start: 0, end: 5, kind: 'sweep' };
    const swept = (bound: 'outOfOrder' | 'lateness', at: number): Head =>
      apply(beginWindow(window), commitWindow({ window, manifest: 'm', swept: { bound, at } }));
    expect(swept('outOfOrder', 7).sweptAt).toEqual({ outOfOrder: 7, lateness: null });
    expect(swept('lateness', 9).sweptAt).toEqual({ outOfOrder: 9, lateness: 9 });
  });

  it('R8: counts the first poll as a sweep, so that the first sweep looks back from there, however late it comes', () => {
    const begun = apply(beginWindow(poll(20, 30)), commit(poll(20, 30)));
    expect(begun.sweptAt).toEqual({ outOfOrder: 30, lateness: 30 });
    expect(sequence(beginWindow(poll(30, 40)), commit(poll(30, 40)))(begun).sweptAt).toEqual({ outOfOrder: 30, lateness: 30 });
  });

  it('refuses what can only be a bug', () => {
    const open = apply(beginWindow(poll(0, 10)));
    expect(() => beginWindow(poll(5, 5))(open)).toThrow(bug);
    expect(() => beginWindow({ start: 0, end: HEAD_LIMITS.windowLength + 1, kind: 'backfill' })(open)).toThrow(bug);
    expect(() => commit(poll(0, 11))(open)).toThrow(bug);
    expect(() => noteBatches('nothing', [])(open)).toThrow(bug);
    expect(() => settle('poll/0-10')(commit(poll(0, 10))(open))).toThrow(bug);
    expect(() => abandonWindow(poll(0, 10))(open)).toThrow(bug);
    expect(() => renew(open)).toThrow(bug);
  });

  it('raises the epoch with every takeover and never otherwise', () => {
    const taken = takeOver(holder)(newHead('payments'));
    expect(taken).toMatchObject({ epoch: 1, holder });
    expect(renew(taken)).toMatchObject({ epoch: 1, holder: { beat: 1 } });
    expect(release(taken)).toMatchObject({ epoch: 1, holder: null });
    expect(takeOver({ ...holder, id: 'b' })(release(taken)).epoch).toBe(2);
  });

  it('R18: whatever order windows are begun and committed in, everything before the watermark is committed', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const run = new Run();
        for (const each of steps) run.take(each);
        const polls = [...run.begun].filter((window) => window.kind === 'poll');
        const { watermark } = run.head;
        for (const window of polls) {
          const committed = !run.head.open.some((open) => keyOf(open) === keyOf(window));
          expect(committed || watermark === null || window.end > watermark).toBe(true);
        }
        for (const instant of Array.from({ length: watermark ?? 0 }, (_, i) => i)) {
          expect(polls.some((window) => window.start <= instant && instant < window.end)).toBe(true);
        }
      }),
    );
  });
});

interface Step {
  readonly does: 'begin' | 'commit' | 'note' | 'settle' | 'take' | 'abandon';
  readonly kind: WindowKind;
  readonly length: number;
  readonly overlap: number;
  readonly pick: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  does: fc.constantFrom('begin', 'begin', 'commit', 'commit', 'note', 'settle', 'take', 'abandon'),
  kind: fc.constantFrom('poll', 'poll', 'sweep', 'backfill'),
  length: fc.integer({ min: 1, max: 9 }),
  overlap: fc.integer({ min: 0, max: 12 }),
  pick: fc.nat(),
});

/** Takes every step that the head allows, and checks each. */
class Run {
  head = newHead('payments');
  readonly begun = new Set<Window>();

  take(each: Step): void {
    const transition = this.transition(each);
    if (!transition) return;
    const after = transition(this.head);
    assertHead(after);
    assertSuccessor(this.head, after);
    this.head = after;
  }

  private transition({ does, kind, length, overlap, pick }: Step): Transition | null {
    const open = this.head.open[pick % (this.head.open.length || 1)];
    const pending = this.head.pending[pick % (this.head.pending.length || 1)];
    if (does === 'begin') return this.begin(kind, length, overlap);
    if (does === 'take') return takeOver({ ...holder, id: String(pick) });
    if (does === 'commit') return open ? commit(open) : null;
    if (does === 'abandon') return open && open.kind !== 'poll' ? abandonWindow(open) : null;
    if (does === 'note') return pending ? noteBatches(pending.manifest, [`b${pick}`]) : null;
    return pending?.batches ? settle(pending.manifest) : null;
  }

  /** Polls begin where planWindows begins them: at or before the end of what this head says is covered. */
  private begin(kind: WindowKind, length: number, overlap: number): Transition {
    const polls = this.head.open.filter((window) => window.kind === 'poll');
    const covered = Math.max(0, this.head.watermark ?? 0, ...polls.map((window) => window.end));
    const start = Math.max(0, covered - overlap);
    const window = { start, end: Math.max(start, kind === 'poll' ? covered : 0) + length, kind };
    this.begun.add(window);
    return beginWindow(window);
  }
}
