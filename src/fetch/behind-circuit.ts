import { isTidemarkError, messageOf } from '../errors.ts';
import type { Attempted } from '../retry.ts';
import type { Stream } from '../stream.ts';
import { CIRCUIT, type ProbeOutcome } from './circuit.ts';
import type { FetchEffects, WindowJob } from './effects.ts';
import { judgeAnswer } from './judge.ts';
import { type Credentials, pageRequest } from './request.ts';

/** What an attempt tells of the source itself: that it answers, that it failed for a moment, or (null) neither. */
export type SourceSays = { readonly answered: true } | { readonly answered: false; readonly reason: string } | null;

/** While the source answers nobody, no attempts at a page or a record are used up: one probe at a time finds out when it is back. */
export async function behindCircuit<T>(
  job: WindowJob,
  says: (value: T) => SourceSays,
  attempt: () => Promise<Attempted<T>>,
): Promise<Attempted<T>> {
  const { circuit, signal } = job.effects;
  if (!circuit) return attempt();
  const probe = (): Promise<ProbeOutcome> => {
    job.totals.asked += 1;
    job.totals.retried += 1;
    return probeSource(job.effects, job.stream, job.credentials);
  };
  const { patienceMs } = job.stream.source.circuit ?? CIRCUIT;
  const wait = (): Promise<boolean> => circuit.wait({ probe, patienceMs, signal, about: job.window });
  await wait();
  const attempted = await attempt();
  const said = says(attempted.value);
  if (said?.answered) circuit.answered();
  if (attempted.done || said === null || said.answered) return attempted;
  circuit.failed(said.reason, attempted.retryAfterMs);
  return (await wait()) ? { ...attempted, forgiven: true } : attempted;
}

/** The cheapest question there is, to a source that did not answer: one record from now on. No page can be what it fails of. */
export async function probeSource(effects: FetchEffects, stream: Stream, credentials: Credentials): Promise<ProbeOutcome> {
  const { budget, signal, clock } = effects;
  await budget.take(signal);
  const request = pageRequest(stream.source, credentials, { since: clock.now(), cursor: null }, 1);
  try {
    const answer = await effects.exchange(request, { timeoutMs: stream.source.timeoutMs, signal });
    const judgement = judgeAnswer(stream, { url: request.url, cursor: null, size: 1 }, answer, clock.now());
    if (judgement.kind !== 'transient' && judgement.kind !== 'refused') return { answered: true };
    const retryAfterMs = judgement.kind === 'transient' ? judgement.retryAfterMs : null;
    return { answered: false, reason: judgement.reason, retryAfterMs };
  } catch (error) {
    if (!isTidemarkError(error, 'SOURCE_UNAVAILABLE')) throw error;
    return { answered: false, reason: messageOf(error), retryAfterMs: null };
  }
}
