import type { Clock } from '../clock.ts';
import type { Exchange, HttpAnswer } from '../fetch/client.ts';
import { type Judgement, judgeAnswer, type Page } from '../fetch/judge.ts';
import { CLOCK_HINT, clockProblem, differenceOf, statedTime } from '../fetch/partner-clock.ts';
import { pageRequest, revealCredentials, withoutSecret } from '../fetch/request.ts';
import type { Stream } from '../stream.ts';
import { formatDuration, parseInstant } from '../time.ts';
import type { Check } from './doctor.ts';
import { plural } from './text.ts';

/** One request for one record, as the first poll would ask: does the source answer, let us in, and say what the configuration expects. */
export async function checkSource(stream: Stream, clock: Clock, exchange: Exchange): Promise<Check> {
  const { source, poll } = stream;
  const size = source.sizeParameter === null ? source.pageSize : 1;
  const request = pageRequest(source, revealCredentials(source.auth), { since: clock.now() - poll.start, cursor: null }, size);
  const sentAt = clock.now();
  const answer = await exchange(request, { timeoutMs: source.timeoutMs });
  const judgement = judgeAnswer(stream, { url: request.url, cursor: null, size }, answer, clock.now());
  const asked = `${withoutSecret(source, request.url)} answered ${answer.status}`;
  const stated = statedTime(answer);
  const problem = stated === null ? null : clockProblem(differenceOf(stated, sentAt, clock.now()), stream.poll);
  return { name: `source ${stream.name}`, ...withClock(conclude(stream, judgement, answer, asked), problem) };
}

/** A clock that is wrong keeps no run from working; what else is wrong is told first. */
function withClock(conclusion: Conclusion, problem: string | null): Conclusion {
  if (problem === null) return conclusion;
  const { state, found, hint } = conclusion;
  return { state: state === 'ok' ? 'warning' : state, found: `${found}; ${problem}`, hint: hint ?? CLOCK_HINT };
}

type Conclusion = Omit<Check, 'name'>;

function conclude(stream: Stream, judgement: Judgement, answer: HttpAnswer, asked: string): Conclusion {
  switch (judgement.kind) {
    case 'page':
      return concludePage(stream, judgement.page, `${asked}, ${plural(judgement.page.measure.records, 'record')}`);
    case 'transient':
      return { state: 'warning', found: asked, hint: 'It asks to be left alone for now; runs retry by themselves. Ask again in a minute.' };
    case 'expired':
      return { state: 'failed', found: asked, hint: 'Check `source.list` and the names of its query parameters.' };
    case 'denied':
    case 'refused':
      return { state: 'failed', found: answer.status < 300 ? `${asked}: ${judgement.reason}` : asked, hint: judgement.hint };
  }
}

function concludePage(stream: Stream, page: Page, found: string): Conclusion {
  const [start, end] = page.measure.spans;
  if (start === undefined || end === undefined) {
    const since = `No record since the first poll's start (${formatDuration(stream.poll.start)} ago)`;
    return {
      state: 'warning',
      found,
      hint: `${since}, so key and version could not be looked at. Is that right? Otherwise set poll.start further back.`,
    };
  }
  const problems = recordProblems(stream, JSON.parse(page.body.toString('utf8', start, end)));
  if (problems.length > 0)
    return {
      state: 'failed',
      found: `${found}; in the first: ${problems.join('; ')}`,
      hint: 'Check key, version, environment and response of this stream: such records would all be quarantined.',
    };
  const names = [...stream.key.map((column) => column.name), ...stream.version.map((column) => column.name)].join(', ');
  return { state: 'ok', found: `${found}; the first has ${names}`, hint: null };
}

/** What keeps a record from having a key and a version. Values are not told: they may be personal. */
function recordProblems(stream: Stream, record: unknown): string[] {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return ['it is not an object'];
  const value = (name: string): unknown => (record as Record<string, unknown>)[name];
  const [time, ...integers] = stream.version;
  const missing = stream.key
    .filter(({ name, constant }) => constant === null && !isScalar(value(name)))
    .map(({ name }) => `${name} (key) is ${kindOf(value(name))}`);
  const instant = isScalar(value(time.name)) ? parseInstant(String(value(time.name)), time.form) : null;
  const untimed = instant === null ? [`${time.name} is ${kindOf(value(time.name))} that is no time of the form ${time.form}`] : [];
  const uncounted = integers
    .filter(({ name }) => !/^-?\d{1,18}$/.test(isScalar(value(name)) ? String(value(name)) : ''))
    .map(({ name }) => `${name} is ${kindOf(value(name))}, not an integer`);
  return [...missing, ...untimed, ...uncounted];
}

const isScalar = (value: unknown): value is string | number => (typeof value === 'string' && value !== '') || typeof value === 'number';

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null || value === '') return value === null ? 'null' : 'an empty text';
  return typeof value === 'string' ? 'a text' : typeof value === 'number' ? 'a number' : 'no text or number';
}
