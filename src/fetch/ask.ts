import type { Micros } from '../clock.ts';
import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import { type Attempted, type RetryPolicy, retrying } from '../retry.ts';
import { behindCircuit, type SourceSays } from './behind-circuit.ts';
import type { HttpAnswer } from './client.ts';
import { reportProgress, type WindowJob } from './effects.ts';
import { type Judgement, judgeAnswer, type Page } from './judge.ts';
import { type Position, pageRequest, withoutSecret } from './request.ts';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** No attempt at one page begins later than this after the first. */
const PAGE_DEADLINE_MS = 15 * 60_000;
/** Of every question; how many attempts is configured. */
export const PAGE_POLICY = { baseMs: FIRST_WAIT_MS, capMs: LONGEST_WAIT_MS, deadlineMs: PAGE_DEADLINE_MS } as const;

/** How an answer came to be; for its receipt. */
export interface AnswerOrigin {
  /** Without secrets. */
  readonly url: string;
  readonly status: number;
  readonly requestId: string | null;
  readonly attempts: number;
  readonly requestedAt: Micros;
}

/** Why a page could not be had, after all attempts. */
export interface PageFailure {
  readonly url: string;
  readonly reason: string;
  readonly hint: string;
  readonly status: number | null;
  /** What the last attempt brought, where it brought anything. */
  readonly body: Buffer | null;
  readonly attempts: number;
  /** Whether the source may answer later without anybody changing anything. */
  readonly transient: boolean;
  /** A page that says that there is more, but not where: what it holds is good. */
  readonly dangling: { readonly page: Page; readonly origin: AnswerOrigin } | null;
}

export type AskOutcome =
  | { readonly kind: 'page'; readonly page: Page; readonly origin: AnswerOrigin }
  | { readonly kind: 'expired'; readonly reason: string; readonly failure: PageFailure }
  | { readonly kind: 'failed'; readonly failure: PageFailure };

/**
 * Asks for one page, again where that may help.
 * @throws SOURCE_REFUSED where the partner will never answer; the signal's reason.
 */
export async function askPage(job: WindowJob, position: Position, size: number, attempts: number): Promise<AskOutcome> {
  const policy: RetryPolicy = { ...PAGE_POLICY, attempts };
  const asked = await retrying(policy, job.effects, (attempt) =>
    behindCircuit(job, pageSays, () => attemptPage(job, position, size, attempt)),
  );
  if (asked.value.kind === 'page') return { ...asked.value, origin: { ...asked.value.origin, attempts: asked.attempts } };
  return { ...asked.value, failure: { ...asked.value.failure, attempts: asked.attempts } };
}

function pageSays(value: AskOutcome): SourceSays {
  if (value.kind !== 'failed') return { answered: true };
  return value.failure.transient ? { answered: false, reason: value.failure.reason } : null;
}

async function attemptPage(job: WindowJob, position: Position, size: number, attempt: number): Promise<Attempted<AskOutcome>> {
  const { effects, stream, totals } = job;
  const { source } = stream;
  await effects.budget.take(effects.signal);
  totals.asked += 1;
  if (attempt > 1) totals.retried += 1;
  const request = pageRequest(source, job.credentials, position, size);
  const url = withoutSecret(source, request.url);
  const requestedAt = effects.clock.now();
  try {
    const answer = await effects.exchange(request, { timeoutMs: source.timeoutMs, signal: effects.signal });
    const judgement = judgeAnswer(stream, { url: request.url, cursor: position.cursor, size }, answer, effects.clock.now());
    const origin = { url, status: answer.status, requestId: answer.requestId, attempts: attempt, requestedAt };
    return noted(job, conclude(job, judgement, answer, origin));
  } catch (error) {
    return noted(job, concludeBroken(job, error, url));
  }
}

function conclude(job: WindowJob, judgement: Judgement, answer: HttpAnswer, origin: AnswerOrigin): Attempted<AskOutcome> {
  if (judgement.kind === 'page') return { done: true, value: { kind: 'page', page: judgement.page, origin } };
  const { url, attempts } = origin;
  const failure = { url, status: answer.status, body: answer.body, attempts, reason: judgement.reason, dangling: null };
  switch (judgement.kind) {
    case 'denied':
      throw refusedForGood(origin.url, judgement.reason, judgement.hint, answer.status);
    case 'expired':
      return { done: true, value: { kind: 'expired', reason: judgement.reason, failure: { ...failure, hint: '', transient: false } } };
    case 'refused':
      job.totals.refused += 1;
      return {
        done: false,
        value: {
          kind: 'failed',
          failure: { ...failure, hint: judgement.hint, transient: false, dangling: dangling(judgement.page, origin) },
        },
        retryAfterMs: null,
      };
    case 'transient': {
      const { retryAfterMs } = judgement;
      job.totals[answer.status === 429 ? 'limited' : 'failed'] += 1;
      if (retryAfterMs !== null) job.effects.budget.pause(Math.min(retryAfterMs, PAGE_DEADLINE_MS));
      return { done: false, value: { kind: 'failed', failure: { ...failure, hint: '', transient: true } }, retryAfterMs };
    }
  }
}

const dangling = (page: Page | null, origin: AnswerOrigin): PageFailure['dangling'] => page && { page, origin };

/** The exchange itself failed: transiently, with a body that is none, or for good. */
function concludeBroken(job: WindowJob, error: unknown, url: string): Attempted<AskOutcome> {
  if (!isTidemarkError(error, 'SOURCE_UNAVAILABLE', 'SOURCE_SHAPE')) throw error;
  const cut = error.code === 'SOURCE_SHAPE' || error.data['failure'] === 'truncated';
  if (cut) job.totals.refused += 1;
  if (error.code === 'SOURCE_UNAVAILABLE') countBroken(job.totals, error.data['failure']);
  const failure = {
    url,
    status: null,
    body: null,
    attempts: 1,
    reason: messageOf(error),
    hint: error.hint ?? '',
    transient: error.transient,
    dangling: null,
  };
  return { done: false, value: { kind: 'failed', failure }, retryAfterMs: null };
}

function countBroken(totals: WindowJob['totals'], failure: unknown): void {
  totals[failure === 'stall' ? 'stalled' : 'reset'] += 1;
  if (failure === 'truncated') totals.cut += 1;
}

/** Failures are visible as they happen, not only once the attempts are used up. */
function noted(job: WindowJob, attempted: Attempted<AskOutcome>): Attempted<AskOutcome> {
  if (attempted.value.kind === 'page') return attempted;
  const { url, reason, status } = attempted.value.failure;
  job.effects.log.warn({ stream: job.stream.name, url, status, reason }, 'page not had');
  reportProgress(job);
  return attempted;
}

function refusedForGood(url: string, reason: string, hint: string, status: number): TidemarkError {
  return new TidemarkError({
    code: 'SOURCE_REFUSED',
    message: `the partner refuses ${withoutQuery(url)}: ${reason}`,
    hint: `What has landed is kept. ${hint}`,
    data: { url, status },
  });
}

/** The failure of a source that answers nothing at all, as the error that ends the run. */
export function sourceFailure({ url, reason, hint, status, attempts, transient }: PageFailure): TidemarkError {
  const kept = 'What has landed is kept and the window stays open: the next run goes on from there.';
  return new TidemarkError({
    code: transient ? 'SOURCE_UNAVAILABLE' : 'SOURCE_SHAPE',
    message: `${withoutQuery(url)} failed ${attempts} times: ${reason}`,
    hint: hint ? `${kept} ${hint}` : kept,
    transient,
    data: { url, status, attempts },
  });
}

const withoutQuery = (url: string): string => url.split('?')[0] ?? url;
