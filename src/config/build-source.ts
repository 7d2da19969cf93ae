import { assert } from '../errors.ts';
import type { Auth, Pagination, Secret, Source } from '../stream.ts';
import { parseDuration, SECOND } from '../time.ts';
import type { SourceInput } from './definition.ts';
import { parseResponsePath } from './response-path.ts';

/** Attempts of 30 s each, and the page sizes and rates that most APIs allow. */
const DEFAULTS = { pageSize: 1000, requestsPerMinute: 1000, attempts: 6, timeout: 30 * SECOND, chains: { most: 8, pages: 20 } } as const;

/** @param input checked, references included. */
export function buildSource(input: SourceInput, secretOf: (reference: string) => Secret): Source {
  const timeout = input.timeout === undefined ? DEFAULTS.timeout : (parseDuration(input.timeout) ?? DEFAULTS.timeout);
  return {
    list: input.list,
    lookup: input.lookup ?? null,
    auth: authOf(input.auth, secretOf),
    pagination: paginationOf(input),
    since: { parameter: input.query.since, form: timesOf(input).since },
    sizeParameter: input.query.size ?? null,
    parameters: Object.fromEntries(Object.entries(input.parameters ?? {}).map(([name, value]) => [name, String(value)])),
    records: pathOf(input.response.records),
    culprit: input.response.culprit === undefined ? null : pathOf(input.response.culprit),
    pageSize: input.pageSize ?? DEFAULTS.pageSize,
    requestsPerMinute: input.requestsPerMinute ?? DEFAULTS.requestsPerMinute,
    attempts: input.attempts ?? DEFAULTS.attempts,
    timeoutMs: Math.round(timeout / 1000),
    chains: { most: input.chains?.most ?? DEFAULTS.chains.most, pages: input.chains?.pages ?? DEFAULTS.chains.pages },
    ...(input.circuit && { circuit: circuitOf(input.circuit) }),
  };
}

/** What is left out keeps the defaults of fetch/circuit.ts, which are the same. */
function circuitOf({
  failures = 5,
  longest = '2m',
  patience = '15s',
}: NonNullable<SourceInput['circuit']>): NonNullable<Source['circuit']> {
  const milliseconds = (text: string): number => Math.round((parseDuration(text) ?? 0) / 1000);
  return { failures, longestMs: milliseconds(longest), patienceMs: milliseconds(patience) };
}

/** The forms of the records' times and of the `since` parameter; one form given alone is both. */
export function timesOf(input: SourceInput) {
  const { times = 'iso' } = input;
  if (typeof times === 'string') return { records: times, since: times };
  return { records: times.records ?? 'iso', since: times.since ?? times.records ?? 'iso' };
}

function authOf(input: SourceInput['auth'], secretOf: (reference: string) => Secret): Auth {
  if (input?.bearer) return { kind: 'bearer', token: secretOf(input.bearer) };
  if (input?.header) return { kind: 'header', name: input.header.name, value: secretOf(input.header.value) };
  if (input?.basic) return { kind: 'basic', user: input.basic.user, password: secretOf(input.basic.password) };
  if (input?.query) return { kind: 'query', name: input.query.name, value: secretOf(input.query.value) };
  return { kind: 'none' };
}

function paginationOf({ query, response }: SourceInput): Pagination {
  const more = response.more === undefined ? null : pathOf(response.more);
  if (query.cursor !== undefined) return { kind: 'cursor', parameter: query.cursor, next: pathOf(response.next), more };
  if (query.page !== undefined) return { kind: 'page', parameter: query.page, first: query.firstPage ?? 1, more };
  if (query.offset !== undefined) return { kind: 'offset', parameter: query.offset, more };
  if (response.nextUrl === 'link-header') return { kind: 'link-header' };
  if (response.nextUrl !== undefined) return { kind: 'next-url', next: pathOf(response.nextUrl), more };
  const { lastId } = query;
  const { id, order } = response;
  assert(lastId !== undefined && id !== undefined && order !== undefined, 'a source without pagination passed the checks');
  return { kind: 'last-id', parameter: lastId, field: id, order, more };
}

function pathOf(text: string | undefined): readonly string[] {
  const path = parseResponsePath(text ?? '');
  assert(path !== null, 'a path that is none passed the checks');
  return path;
}
