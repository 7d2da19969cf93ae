import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextUrl, pageRequest, revealCredentials, secretReference, sinceOf, withoutSecret } from '../../src/fetch/request.ts';
import type { Auth, Secret } from '../../src/stream.ts';
import { START, streamOf } from './fixture.ts';

const secret: Secret = { reference: 'env:PARTNER_KEY', reveal: () => 's3cret&=' };
const { source } = streamOf('https://api.example.com/v1/events?fixed=1');

describe('authorization', () => {
  const kinds: [Auth, Record<string, string>][] = [
    [{ kind: 'none' }, {}],
    [{ kind: 'bearer', token: secret }, { authorization: 'Bearer s3cret&=' }],
    [{ kind: 'header', name: 'X-Api-Key', value: secret }, { 'x-api-key': 's3cret&=' }],
    [{ kind: 'basic', user: 'me', password: secret }, { authorization: `Basic ${Buffer.from('me:s3cret&=').toString('base64')}` }],
    [{ kind: 'query', name: 'key', value: secret }, {}],
  ];
  test.each(kinds)('%j', (auth, headers) => {
    const request = pageRequest({ ...source, auth }, revealCredentials(auth), { since: START, cursor: null }, 10);
    expect(request.headers).toMatchObject(headers);
    expect(new URL(request.url).searchParams.get('key')).toBe(auth.kind === 'query' ? 's3cret&=' : null);
    expect(secretReference(auth)).toBe(auth.kind === 'none' ? 'none is configured' : 'env:PARTNER_KEY');
  });

  test('in the query is hidden wherever the URL is stored or shown', () => {
    const auth: Auth = { kind: 'query', name: 'key', value: secret };
    const { url } = pageRequest({ ...source, auth }, revealCredentials(auth), { since: START, cursor: 'c' }, 10);
    const shown = withoutSecret({ ...source, auth }, url);
    expect(shown).not.toContain('s3cret');
    expect(new URL(shown).searchParams.get('cursor')).toBe('c');
    expect(nextUrl({ ...source, auth }, `${url}&page=2`, url)).not.toContain('s3cret');
  });
});

test('any cursor arrives at the partner exactly as it was given', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (cursor) => {
      const { url } = pageRequest(source, { headers: {}, query: {} }, { since: START, cursor }, 10);
      expect(new URL(url).searchParams.get('cursor')).toBe(cursor);
    }),
  );
});

test('the parameters of the configured URL and the fixed ones are kept', () => {
  const { url } = pageRequest(
    { ...source, parameters: { type: 'payment' } },
    { headers: {}, query: {} },
    { since: START, cursor: null },
    25,
  );
  expect(url).toBe('https://api.example.com/v1/events?fixed=1&type=payment&updated_since=2026-11-20T10%3A00%3A00Z&page_size=25');
});

test.each([
  ['iso', '2026-11-20T10:00:00Z'],
  ['epoch-s', '1795168800'],
  ['epoch-ms', '1795168800000'],
  ['epoch-us', '1795168800000000'],
] as const)('since is written as %s, and read back from a landed page’s URL', (form, text) => {
  const timed = { ...source, since: { parameter: 'from', form } };
  const { url } = pageRequest(timed, { headers: {}, query: {} }, { since: START, cursor: null }, 25);
  expect(new URL(url).searchParams.get('from')).toBe(text);
  expect(sinceOf(timed, url)).toBe(START);
});

describe('a next URL', () => {
  const current = 'https://api.example.com/v1/events?page=1';
  test.each([
    ['https://api.example.com/v1/events?page=2', 'https://api.example.com/v1/events?page=2'],
    ['/v1/events?page=2', 'https://api.example.com/v1/events?page=2'],
    ['?page=2', 'https://api.example.com/v1/events?page=2'],
    ['more/events?page=2#top', 'https://api.example.com/v1/more/events?page=2'],
  ])('%s is resolved against the page that named it', (next, resolved) => {
    expect(nextUrl(source, next, current)).toBe(resolved);
  });

  test.each([
    'https://evil.example/v1/events',
    '//evil.example/x',
    'http://api.example.com/v1/events',
    'https://api.example.com:444/',
    'http://[',
  ])('%s is refused: it leaves the origin', (next) => {
    expect(() => nextUrl(source, next, current)).toThrow(expect.objectContaining({ code: 'SOURCE_REFUSED' }) as Error);
  });
});
