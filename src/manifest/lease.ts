import type { Clock } from '../clock.ts';
import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Head, Holder } from './documents.ts';
import { release, renew, sequence, type Transition, takeOver } from './head.ts';
import { type HolderInfo, isDead } from './holder.ts';
import { readHead, updateHead } from './state.ts';

/** Milliseconds. A holder that is not seen to renew for `lengthMs`, on the observer's own clock, is taken over. */
export const LEASE = { lengthMs: 60_000, renewMs: 15_000, lookMs: 5_000 } as const;

export interface LeaseOptions {
  readonly store: ObjectStore;
  readonly stream: string;
  readonly clock: Clock;
  readonly log: Log;
  /** This process: `thisProcess(randomId)`. */
  readonly holder: HolderInfo;
  readonly randomId: () => string;
  /** Whether to wait while another process holds the stream, or to throw CONFLICT. */
  readonly wait: boolean;
  /** Ends waiting with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The right to change a stream's head. It saves work; what makes two processes on one stream correct is the epoch alone. */
export interface Lease {
  readonly stream: string;
  readonly epoch: number;
  /** The head as this holder last wrote or read it. */
  readonly head: () => Head;
  /** Changes the head. One change at a time. @throws FENCED where another process has taken over; otherwise as `updateHead`. */
  update(transition: Transition): Promise<Head>;
  /** Ends renewing and lets the next process begin at once. Never throws FENCED: what is lost need not be released. */
  release(): Promise<void>;
  /** Aborts, with a TidemarkError as its reason, once another process has taken over or the lease could not be renewed in time. */
  readonly lost: AbortSignal;
}

/**
 * Takes a stream: raises its epoch before anything that was read is trusted.
 * @throws CONFLICT where it is held and `wait` is false.
 */
export async function acquireLease(options: LeaseOptions): Promise<Lease> {
  const head = await take(options);
  options.log.info({ stream: options.stream, epoch: head.epoch }, 'lease taken');
  return hold(options, head);
}

async function take(options: LeaseOptions): Promise<Head> {
  let seen: Holder | null = null;
  let seenAt = options.clock.monotonicMs();
  for (;;) {
    options.signal?.throwIfAborted();
    const current = (await readHead(options.store, options.stream))?.head ?? null;
    if (!sameBeat(current?.holder ?? null, seen)) {
      seen = current?.holder ?? null;
      seenAt = options.clock.monotonicMs();
    }
    const silentMs = options.clock.monotonicMs() - seenAt;
    if (!seen || isDead(seen, options.holder) || silentMs >= LEASE.lengthMs) {
      const taken = await tryTake(options, current);
      if (taken) return taken;
      continue;
    }
    if (!options.wait) throw held(options.stream, seen);
    await options.clock.sleep(Math.min(LEASE.lookMs, LEASE.lengthMs - silentMs), options.signal);
  }
}

/** Raises the epoch, unless the head's holder is no longer the one that was judged. @returns null where it is not. */
async function tryTake(options: LeaseOptions, judged: Head | null): Promise<Head | null> {
  const holder: Holder = { ...options.holder, beat: 0 };
  const unlessChanged: Transition = (head) =>
    head.epoch === (judged?.epoch ?? 0) && sameBeat(head.holder, judged?.holder ?? null) ? takeOver(holder)(head) : head;
  const head = await updateHead(options.store, options.stream, unlessChanged, null, options);
  return head.holder?.id === holder.id && head.epoch === (judged?.epoch ?? 0) + 1 ? head : null;
}

function sameBeat(a: Holder | null, b: Holder | null): boolean {
  return a === b || (a !== null && b !== null && a.id === b.id && a.beat === b.beat);
}

function hold(options: LeaseOptions, taken: Head): Lease {
  const { store, stream, clock, log } = options;
  const { epoch } = taken;
  const lost = new AbortController();
  const ended = new AbortController();
  let head = taken;
  let renewedAt = clock.monotonicMs();
  let queue: Promise<unknown> = Promise.resolve();

  /** One at a time: two changes of one holder need not race each other. */
  const change = (transition: Transition): Promise<Head> => {
    const result = queue.then(async () => {
      lost.signal.throwIfAborted();
      const askedAt = clock.monotonicMs();
      head = await updateHead(store, stream, transition, epoch, options);
      renewedAt = askedAt;
      return head;
    });
    queue = result.catch((error: unknown) => {
      if (isTidemarkError(error, 'FENCED')) lost.abort(error);
    });
    return result;
  };

  const renewing = (async () => {
    while (await paused(clock, ended.signal)) {
      try {
        await change(renew);
      } catch (error) {
        log.warn({ stream, epoch, error: messageOf(error) }, 'lease not renewed');
      }
      if (clock.monotonicMs() - renewedAt >= LEASE.lengthMs) lost.abort(expired(stream));
      if (lost.signal.aborted) return;
    }
  })();

  return {
    stream,
    epoch,
    head: () => head,
    lost: lost.signal,
    update: (transition) => change(sequence(transition, renew)),
    release: async () => {
      ended.abort();
      await renewing;
      if (lost.signal.aborted) return;
      await change(release).catch((error: unknown) => {
        if (!isTidemarkError(error, 'FENCED')) throw error;
      });
    },
  };
}

/** @returns false once the lease has ended. */
async function paused(clock: Clock, ended: AbortSignal): Promise<boolean> {
  await clock.sleep(LEASE.renewMs, ended).catch(() => undefined);
  return !ended.aborted;
}

function held(stream: string, holder: Holder): TidemarkError {
  return new TidemarkError({
    code: 'CONFLICT',
    message: `stream ${stream} is held by ${holder.host} (process ${holder.pid})`,
    hint: `Nothing was changed. Wait for that process or end it; one that died elsewhere is taken over ${LEASE.lengthMs / 1000} s after its last sign of life by a process that waits for it.`,
    transient: true,
    data: { stream, holder },
  });
}

function expired(stream: string): TidemarkError {
  return new TidemarkError({
    code: 'STORE',
    message: `the lease on ${stream} could not be renewed for ${LEASE.lengthMs / 1000} s`,
    hint: 'Everything that was landed is kept. Check that the store answers, then start again: the run goes on where it stopped.',
    transient: true,
    data: { stream },
  });
}
