import type { Micros } from '../clock.ts';
import { turns } from '../concurrency.ts';
import { probeSource } from '../fetch/behind-circuit.ts';
import type { ProbeOutcome } from '../fetch/circuit.ts';
import { revealCredentials } from '../fetch/request.ts';
import { commitAbandoned } from '../serve/commit-pushes.ts';
import type { Stream } from '../stream.ts';
import type { Context } from './context.ts';
import { work } from './pass.ts';
import { conclude, guarded, newReport, type RunOptions, type StreamReport } from './report.ts';

/** Runs the stages of every given stream, side by side. One stream's trouble is not another's. */
export function runStreams(context: Context, streams: readonly Stream[], options: RunOptions): Promise<StreamReport[]> {
  return Promise.all(streams.map((stream) => runStream(context, stream, options)));
}

async function runStream(context: Context, stream: Stream, options: RunOptions): Promise<StreamReport> {
  const report = newReport(stream.name);
  for (let sweep = options.sweep; ; sweep = false) {
    // What failed in the pass before was logged, and is tried again by this one.
    report.failures.length = 0;
    const began = context.clock.monotonicMs();
    const done = await guarded(context, report, 'run', () => pass(context, stream, { ...options, sweep }, report));
    // Whoever asked for everything that is due must not take a run that was stopped in the middle for one that is caught up.
    if (!done && options.once && context.signal?.aborted) report.failures.push({ error: context.signal.reason, at: 'run' });
    const rest = (options.until ?? Number.POSITIVE_INFINITY) - context.clock.now();
    if (options.once || rest <= 0 || context.signal?.aborted) break;
    // A pass takes its time, and the interval is that between the beginnings of two.
    const pauseMs = Math.max(0, pauseOf(stream) / 1000 - (context.clock.monotonicMs() - began));
    await between(context, stream, Math.min(pauseMs, rest / 1000));
  }
  await conclude(context, stream, report);
  return report;
}

/** Until the next pass; where the source does not answer, until it does, which may be earlier. Nobody holds the stream meanwhile. */
async function between(context: Context, stream: Stream, ms: number): Promise<void> {
  const { signal } = context;
  const { circuit } = context.incidents(stream);
  const until = context.clock.monotonicMs() + ms;
  if (circuit.state() !== 'closed') {
    const probe = (): Promise<ProbeOutcome> => probeSource(context.fetchEffects(stream), stream, revealCredentials(stream.source.auth));
    const isBack = await circuit.wait({ probe, patienceMs: ms, signal }).then(
      () => true,
      () => false,
    );
    if (isBack) return;
  }
  await context.clock.sleep(Math.max(0, until - context.clock.monotonicMs()), signal).catch(() => undefined);
}

/** Between polls, what was pushed is taken on as its windows are committed. */
const pauseOf = ({ poll, listen }: Stream): Micros => Math.min(poll.every, listen?.window ?? poll.every);

/** One pass. The stream is held no longer than that: between polls whoever releases a batch or retries a dead letter gets through. */
async function pass(context: Context, stream: Stream, options: RunOptions, report: StreamReport): Promise<void> {
  await commitAbandoned(context.serveEffects(), stream);
  const lease = await context.lease(stream);
  try {
    await work({
      context,
      stream,
      lease,
      options,
      report,
      began: context.clock.now(),
      ahead: new Set(),
      inTurn: turns(),
      settling: { live: turns(), history: turns() },
    });
    // Where the stream was taken over, whatever failed on the way failed for that.
    lease.lost.throwIfAborted();
  } finally {
    await lease.release();
  }
}
