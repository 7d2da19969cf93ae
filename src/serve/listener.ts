import { messageOf, TidemarkError } from '../errors.ts';
import type { Listen, Stream } from '../stream.ts';
import { commitAbandoned } from './commit-pushes.ts';
import type { ServeEffects } from './effects.ts';
import { createPushWindows } from './push-window.ts';
import type { Push } from './pushed-body.ts';

/** Takes the pushes of one stream. */
export interface Listener {
  /** Resolves once the push is durable in the store. @throws STORE, CONFLICT: it is not, and is to be sent again. */
  submit(push: Push): Promise<void>;
  readonly counts: Readonly<ListenerCounts>;
  /** Lands what waits, commits, and ends. */
  close(): Promise<void>;
}

export interface ListenerCounts {
  deliveries: number;
  records: number;
  pages: number;
  /** Pushes that wait to be landed, and their bytes. */
  waiting: number;
  waitingBytes: number;
  /** What went wrong with the last page; null where it landed. */
  failure: string | null;
}

/** One page of pushes; more of them wait for the next one. */
const GROUP = { pushes: 1000, bytes: 8_000_000 } as const;
/** Beyond this pushes are refused: a store that is slower than the partner must not take the process down. */
const WAITING_BYTES = 64_000_000;
/** Milliseconds between looks at windows whose time is over, and at abandoned ones. */
const LOOK_MS = 500;
const ABANDONED_LOOK_MS = 30_000;

interface Waiting {
  readonly push: Push;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit: while one page is being landed, pushes that come in wait and make the next page together. Nobody waits for company, so a
 * lone push lands at once; and a store that takes 100 ms a page has ten pages a second to write, not thousands.
 */
export function createListener(effects: ServeEffects, stream: Stream, listen: Listen): Listener {
  const windows = createPushWindows(effects, stream, listen);
  const counts: ListenerCounts = { deliveries: 0, records: 0, pages: 0, waiting: 0, waitingBytes: 0, failure: null };
  const ended = new AbortController();
  let waiting: Waiting[] = [];
  let queue: Promise<unknown> = Promise.resolve();
  let isDraining = false;

  /** One at a time: landing and committing never meet. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(work);
    queue = result.catch(() => undefined);
    return result;
  };

  const drain = async (): Promise<void> => {
    while (waiting.length > 0) {
      const group = groupOf(waiting);
      waiting = waiting.slice(group.length);
      await landGroup(group);
    }
    isDraining = false;
  };

  const landGroup = async (group: readonly Waiting[]): Promise<void> => {
    const pushes = group.map(({ push }) => push);
    try {
      await windows.land(pushes);
      counts.failure = null;
      counts.pages += 1;
      counts.deliveries += group.length;
      counts.records += pushes.reduce((sum, push) => sum + push.delivery.records, 0);
      effects.log.info({ stream: stream.name, deliveries: group.length, pages: counts.pages, records: counts.records }, 'page landed');
      for (const { resolve } of group) resolve();
    } catch (error) {
      counts.failure = messageOf(error);
      effects.log.error({ stream: stream.name, pushes: group.length, error: messageOf(error) }, 'pushes not landed');
      for (const { reject } of group) reject(error);
    } finally {
      counts.waiting -= group.length;
      counts.waitingBytes -= pushes.reduce((sum, push) => sum + push.delivery.bytes, 0);
    }
  };

  const looking = keepLooking(effects, stream, ended.signal, () => inTurn(() => windows.commit('over')));

  return {
    counts,
    submit: (push) =>
      new Promise((resolve, reject) => {
        if (counts.waitingBytes + push.delivery.bytes > WAITING_BYTES) return reject(tooMuch(stream.name));
        counts.waiting += 1;
        counts.waitingBytes += push.delivery.bytes;
        waiting.push({ push, resolve, reject });
        if (isDraining) return;
        isDraining = true;
        void inTurn(drain);
      }),
    close: async () => {
      ended.abort();
      await looking;
      await inTurn(() => windows.commit('now'));
    },
  };
}

function groupOf(waiting: readonly Waiting[]): readonly Waiting[] {
  let bytes = 0;
  const end = waiting.findIndex(({ push }, index) => index > 0 && ((bytes += push.delivery.bytes) > GROUP.bytes || index >= GROUP.pushes));
  return end < 0 ? waiting : waiting.slice(0, end);
}

/** Commits windows whose time is over, also while nothing comes, and those that a listener left which is gone. */
async function keepLooking(effects: ServeEffects, stream: Stream, ended: AbortSignal, commitOver: () => Promise<void>): Promise<void> {
  const { clock, log } = effects;
  let lookedAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    try {
      await commitOver();
      if (clock.monotonicMs() - lookedAt >= ABANDONED_LOOK_MS) {
        lookedAt = clock.monotonicMs();
        await commitAbandoned(effects, stream);
      }
    } catch (error) {
      log.warn({ stream: stream.name, error: messageOf(error) }, 'window not committed yet');
    }
    await clock.sleep(LOOK_MS, ended).catch(() => undefined);
    if (ended.aborted) return;
  }
}

const tooMuch = (stream: string): TidemarkError =>
  new TidemarkError({
    code: 'STORE',
    message: `${stream}: pushes come faster than the store takes them`,
    hint: 'Nothing of this push was kept; the partner sends it again.',
    transient: true,
  });
