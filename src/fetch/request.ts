import type { Micros } from '../clock.ts';
import { TidemarkError } from '../errors.ts';
import type { Auth, Source } from '../stream.ts';
import { parseInstant, writeInstant } from '../time.ts';
import type { HttpRequest } from './client.ts';
import { ACCEPT_ENCODING } from './decode.ts';

/** What is asked for: the chain's `since`, and where in the chain. `cursor` is null for a chain's first page. */
export interface Position {
  readonly since: Micros;
  readonly cursor: string | null;
}

/** The secrets of a source, revealed: held in memory for as long as a window is fetched, never written. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

const USER_AGENT = 'tidemark';
const HIDDEN = '***';

/** @throws CONFIG where a secret cannot be read. */
export function revealCredentials(auth: Auth): Credentials {
  switch (auth.kind) {
    case 'none':
      return { headers: {}, query: {} };
    case 'bearer':
      return { headers: { authorization: `Bearer ${auth.token.reveal()}` }, query: {} };
    case 'header':
      return { headers: { [auth.name.toLowerCase()]: auth.value.reveal() }, query: {} };
    case 'basic':
      return { headers: { authorization: `Basic ${base64(`${auth.user}:${auth.password.reveal()}`)}` }, query: {} };
    case 'query':
      return { headers: {}, query: { [auth.name]: auth.value.reveal() } };
  }
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

/** Where the secret is configured, for messages. */
export function secretReference(auth: Auth): string {
  if (auth.kind === 'none') return 'none is configured';
  return auth.kind === 'bearer' ? auth.token.reference : auth.kind === 'basic' ? auth.password.reference : auth.value.reference;
}

/** The request for one page of at most `size` records. */
export function pageRequest(source: Source, credentials: Credentials, position: Position, size: number): HttpRequest {
  const url = pageUrl(source, position, size);
  for (const [name, value] of Object.entries(credentials.query)) url.searchParams.set(name, value);
  return { url: url.href, headers: requestHeaders(credentials) };
}

export const requestHeaders = ({ headers }: Credentials): Readonly<Record<string, string>> => ({
  accept: 'application/json',
  'accept-encoding': ACCEPT_ENCODING,
  'user-agent': USER_AGENT,
  ...headers,
});

/** The URL of a page, without any secret. */
export const positionUrl = (source: Source, position: Position, size: number): string => pageUrl(source, position, size).href;

function pageUrl(source: Source, { since, cursor }: Position, size: number): URL {
  const { pagination } = source;
  if (cursor !== null && (pagination.kind === 'next-url' || pagination.kind === 'link-header')) return resizedUrl(source, cursor, size);
  const url = new URL(source.list);
  for (const [name, value] of Object.entries(source.parameters)) url.searchParams.set(name, value);
  url.searchParams.set(source.since.parameter, writeInstant(since, source.since.form));
  if (source.sizeParameter !== null) url.searchParams.set(source.sizeParameter, String(size));
  if (pagination.kind === 'page') url.searchParams.set(pagination.parameter, cursor ?? String(pagination.first));
  else if (pagination.kind === 'offset') url.searchParams.set(pagination.parameter, cursor ?? '0');
  else if (cursor !== null && 'parameter' in pagination) url.searchParams.set(pagination.parameter, cursor);
  return url;
}

/** A URL that the partner made is left as it is, unless it states a page size that is not the one wanted. */
function resizedUrl(source: Source, next: string, size: number): URL {
  const url = new URL(next);
  const stated = source.sizeParameter === null ? null : url.searchParams.get(source.sizeParameter);
  if (source.sizeParameter !== null && stated !== null && stated !== String(size)) url.searchParams.set(source.sizeParameter, String(size));
  return url;
}

/**
 * The next page's URL as a position: absolute, without the secret.
 * @throws SOURCE_REFUSED where it leaves the origin of `source.list`: following it would hand the credentials to somebody else.
 */
export function nextUrl(source: Source, next: string, current: string): string {
  const list = new URL(source.list);
  const url = URL.canParse(next, current) ? new URL(next, current) : null;
  if (url?.origin !== list.origin) throw leavesOrigin(url?.origin ?? next.slice(0, 100), list.origin);
  if (source.auth.kind === 'query') url.searchParams.delete(source.auth.name);
  url.hash = '';
  return url.href;
}

const leavesOrigin = (to: string, from: string): TidemarkError =>
  new TidemarkError({
    code: 'SOURCE_REFUSED',
    message: `the partner's next page is at ${to}, not at ${from}`,
    hint: 'It was not followed: the credentials would leak. What has landed is kept; make `source.list` start with that address if it is the partner’s.',
  });

/** The URL as it may be stored and logged. */
export function withoutSecret(source: Source, url: string): string {
  if (source.auth.kind !== 'query') return url;
  const hidden = new URL(url);
  if (hidden.searchParams.has(source.auth.name)) hidden.searchParams.set(source.auth.name, HIDDEN);
  return hidden.href;
}

/** The `since` that a landed page was asked with; null where its URL does not say. */
export function sinceOf(source: Source, url: string): Micros | null {
  const text = URL.canParse(url) ? new URL(url).searchParams.get(source.since.parameter) : null;
  return text === null ? null : parseInstant(text, source.since.form);
}
