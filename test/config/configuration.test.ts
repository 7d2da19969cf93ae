import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { colorWanted, hostName, isCI, loadConfiguration, parseConfiguration } from '../../src/config.ts';
import { isTidemarkError } from '../../src/errors.ts';
import { DAY, HOUR, MINUTE } from '../../src/time.ts';
import { caught } from '../support/caught.ts';
import { around, EXAMPLE, sourceOf, streamOf } from './configurations.ts';

const PATH = '/etc/tidemark/tidemark.yaml';

describe('a configuration', () => {
  test('both streams of the example are read as they stand', () => {
    const { streams, store, warehouse } = parseConfiguration(EXAMPLE, PATH, {});
    expect(store).toEqual({ kind: 'file', path: '/etc/tidemark/data/store' });
    expect(warehouse).toEqual({ kind: 'duckdb', path: '/etc/tidemark/data/warehouse.duckdb' });
    const [payments, settlements] = streams;
    expect(payments).toMatchObject({
      name: 'payments',
      environment: { constant: 'prod' },
      key: [
        { name: 'environment', constant: 'prod' },
        { name: 'event_id', constant: null },
      ],
      version: [{ name: 'updated_at', form: 'iso' }, { name: 'event_version' }],
      poll: {
        every: 5 * MINUTE,
        outOfOrder: 2 * HOUR,
        clocks: 5 * MINUTE,
        lateness: 48 * HOUR,
        overlap: { least: 5 * MINUTE, most: 2 * HOUR + 5 * MINUTE },
        deadline: 15 * MINUTE,
        start: 48 * HOUR,
      },
      personal: ['payload.customer.email', 'payload.customer.name', 'payload.customer.ip'],
      quality: { rows: [], volume: null },
    });
    expect(payments?.source).toMatchObject({
      lookup: 'http://127.0.0.1:8080/events/{event_id}',
      auth: { kind: 'bearer', token: { reference: 'env:PARTNER_KEY' } },
      pagination: { kind: 'cursor', parameter: 'cursor', next: ['next_cursor'], more: ['has_more'] },
      since: { parameter: 'updated_since', form: 'iso' },
      sizeParameter: 'page_size',
      records: ['data'],
      pageSize: 5000,
    });
    expect(settlements).toMatchObject({
      environment: null,
      key: [{ name: 'vendor_txn_id', constant: null }],
      quality: {
        rows: [
          { field: 'amount', text: 'present and >= 0' },
          { field: 'currency', text: 'in USD, CAD, MXN' },
        ],
        volume: { trailing: 7, band: [0.5, 2] },
      },
    });
  });

  test('what is left out takes a default', () => {
    const { streams, workers } = parseConfiguration(around({}), PATH, {});
    expect(streams[0]?.poll).toEqual({
      every: 5 * MINUTE,
      outOfOrder: 2 * HOUR,
      clocks: 5 * MINUTE,
      lateness: 48 * HOUR,
      overlap: { least: 5 * MINUTE, most: 2 * HOUR + 5 * MINUTE },
      deadline: 15 * MINUTE,
      start: 48 * HOUR,
    });
    expect(streams[0]).toMatchObject({ environment: null, latestBy: [], personal: [], quality: { rows: [], volume: null } });
    expect(streams[0]?.source).toMatchObject({
      lookup: null,
      auth: { kind: 'none' },
      sizeParameter: null,
      parameters: {},
      pageSize: 1000,
      requestsPerMinute: 1000,
      attempts: 6,
      chains: { most: 8, pages: 40 },
      timeoutMs: 30_000,
    });
    expect(workers).toMatchObject({ memoryBytes: 400_000_000, batchRecords: 1_000_000 });
    expect(workers.threads).toBeGreaterThanOrEqual(1);
    expect(workers.threads).toBeLessThanOrEqual(4);
  });

  test('the defaults of a poll fit the part that is given', () => {
    const poll = (text: string) => streamOf(around({ stream: `key: [id]\nversion: [at]\npoll: ${text}` })).poll;
    expect(poll('{ every: 1h }').deadline).toBe(2 * HOUR);
    expect(poll('{ lateness: 1h }')).toMatchObject({ outOfOrder: HOUR, lateness: HOUR, start: HOUR });
    expect(poll('{ start: 30d }').start).toBe(30 * DAY);
    expect(poll('{ every: 1h }').overlap, 'all of the bound, which is less than three intervals').toEqual({
      least: 2 * HOUR + 5 * MINUTE,
      most: 2 * HOUR + 5 * MINUTE,
    });
    expect(poll('{ every: 5m }').overlap, 'one interval').toEqual({ least: 5 * MINUTE, most: 2 * HOUR + 5 * MINUTE });
    expect(poll('{ clocks: 0s, every: 1h }').overlap).toEqual({ least: 2 * HOUR, most: 2 * HOUR });
    expect(poll('{ overlap: { least: 3h } }').overlap).toEqual({ least: 3 * HOUR, most: 3 * HOUR });
    expect(poll('{ overlap: { most: 10m } }').overlap).toEqual({ least: 10 * MINUTE, most: 10 * MINUTE });
  });

  test('optional keys are taken', () => {
    const stream = streamOf(
      around({
        source:
          'query: { since: from, cursor: c }\nresponse: { records: $, next: $.n }\nattempts: 3\ntimeout: 1.5s\nparameters: { expand: all, limit: 5, deep: true }',
        stream: 'key: [id]\nversion: [at]\nlatestBy: [account, type]',
      }),
    );
    expect(stream.latestBy).toEqual(['account', 'type']);
    expect(stream.source).toMatchObject({
      attempts: 3,
      chains: { most: 8, pages: 40 },
      timeoutMs: 1500,
      parameters: { expand: 'all', limit: '5', deep: 'true' },
      records: [],
    });
    const { workers } = parseConfiguration(
      around({ workers: '{ threads: 2, memory: 1.5GiB, batchRecords: 500, scratch: ./tmp }' }),
      PATH,
      {},
    );
    expect(workers).toEqual({ threads: 2, memoryBytes: 1.5 * 2 ** 30, batchRecords: 500, scratch: '/etc/tidemark/tmp' });
  });

  test('nothing of it can be changed', () => {
    const configuration = parseConfiguration(EXAMPLE, PATH, {});
    const everything = (value: unknown): readonly unknown[] =>
      typeof value === 'object' && value !== null ? [value, ...Object.values(value).flatMap(everything)] : [];
    expect(everything(configuration).filter((value) => !Object.isFrozen(value))).toEqual([]);
  });

  test('aliases of YAML work, and problems behind them are placed', () => {
    const text = around({ stream: 'key: &columns [id]\nversion: [at]\nlatestBy: *columns' });
    expect(streamOf(text).latestBy).toEqual(['id']);
  });
});

describe('stores and warehouses', () => {
  const store = (text: string) => parseConfiguration(around({ store: text }), PATH, {}).store;

  test('a store is a folder or a bucket, with what an S3 needs', () => {
    expect(store('file:///data/store')).toEqual({ kind: 'file', path: '/data/store' });
    const plain = { kind: 's3', bucket: 'lake', region: undefined, endpoint: undefined, pathStyle: false, kmsKey: undefined, tags: true };
    expect(store('s3://lake/payments/raw/')).toEqual({ ...plain, prefix: 'payments/raw' });
    expect(store('s3://lake')).toEqual({ ...plain, prefix: '' });
    expect(
      store('{ url: "s3://lake/x", region: eu-west-1, endpoint: "http://localhost:9000", pathStyle: true, kmsKey: alias/lake }'),
    ).toEqual({
      kind: 's3',
      bucket: 'lake',
      prefix: 'x',
      region: 'eu-west-1',
      endpoint: 'http://localhost:9000',
      pathStyle: true,
      kmsKey: 'alias/lake',
      tags: true,
    });
    expect(store('{ url: "s3://lake", tags: false }')).toEqual({ ...plain, prefix: '', tags: false });
  });

  test('R17: a warehouse is a DuckDB file or Snowflake, which a key pair or a workload identity logs in to', () => {
    const warehouse = (login: string) =>
      parseConfiguration(
        around({
          store: 's3://lake/x',
          warehouse: `{ snowflake: { account: a-b, role: R, warehouse: W, database: D, schema: S, ${login} } }`,
        }),
        PATH,
        {},
      ).warehouse;
    expect(warehouse('user: u, privateKey: "file:./key.p8", passphrase: "env:PASSPHRASE"')).toMatchObject({
      kind: 'snowflake',
      account: 'a-b',
      schema: 'S',
      user: 'u',
      privateKey: { reference: 'file:./key.p8' },
      passphrase: { reference: 'env:PASSPHRASE' },
      workloadIdentity: undefined,
      url: undefined,
      statementTimeout: 10 * MINUTE,
      lockTimeout: MINUTE,
    });
    const identity = 'workloadIdentity: oidc, token: "file:/run/token", url: "https://p.example/", statementTimeout: 1h, lockTimeout: 30s';
    expect(warehouse(identity)).toMatchObject({
      user: undefined,
      privateKey: undefined,
      workloadIdentity: 'oidc',
      token: { reference: 'file:/run/token' },
      url: 'https://p.example',
      statementTimeout: 60 * MINUTE,
      lockTimeout: MINUTE / 2,
    });
  });
});

describe('the environment of records', () => {
  const key = (environment: string, columns: string) =>
    streamOf(around({ stream: `environment: ${environment}\nkey: ${columns}\nversion: [at]` })).key;

  test('R6: a configured environment is part of the key, as a constant', () => {
    expect(key('sandbox', '[environment, id]')[0]).toEqual({ name: 'environment', constant: 'sandbox' });
  });

  test('R6: an environment that records carry is a field like any other', () => {
    expect(key('{ field: environment }', '[environment, id]')[0]).toEqual({ name: 'environment', constant: null });
    expect(key('{ field: env }', '[env, id]')[0]).toEqual({ name: 'env', constant: null });
  });
});

describe('sources', () => {
  test.each([
    [
      'query: { since: s, cursor: c }\nresponse: { records: $, next: $.n, more: $.m }',
      { kind: 'cursor', parameter: 'c', next: ['n'], more: ['m'] },
    ],
    ['query: { since: s }\nresponse: { records: $, nextUrl: $.links.next }', { kind: 'next-url', next: ['links', 'next'], more: null }],
    ['query: { since: s }\nresponse: { records: $, nextUrl: link-header }', { kind: 'link-header' }],
    ['query: { since: s, page: p }\nresponse: { records: $ }', { kind: 'page', parameter: 'p', first: 1, more: null }],
    [
      'query: { since: s, page: p, firstPage: 0 }\nresponse: { records: $, more: $.m }',
      { kind: 'page', parameter: 'p', first: 0, more: ['m'] },
    ],
    ['query: { since: s, offset: skip }\nresponse: { records: $ }', { kind: 'offset', parameter: 'skip', more: null }],
    [
      'query: { since: s, lastId: after }\nresponse: { records: $, id: id, order: newest-first }',
      { kind: 'last-id', parameter: 'after', field: 'id', order: 'newest-first', more: null },
    ],
  ])('pagination is configuration: %s', (lines, pagination) => {
    expect(sourceOf(lines).pagination).toEqual(pagination);
  });

  test.each([
    ['{ bearer: env:K }', { kind: 'bearer', token: { reference: 'env:K' } }],
    ['{ header: { name: X-Api-Key, value: env:K } }', { kind: 'header', name: 'X-Api-Key', value: { reference: 'env:K' } }],
    ['{ basic: { user: me, password: "file:/run/p" } }', { kind: 'basic', user: 'me', password: { reference: 'file:/run/p' } }],
    ['{ query: { name: api_key, value: env:K } }', { kind: 'query', name: 'api_key', value: { reference: 'env:K' } }],
  ])('authorization is configuration: %s', (auth, expected) => {
    expect(sourceOf(`query: { since: s, page: p }\nresponse: { records: $ }\nauth: ${auth}`).auth).toMatchObject(expected);
  });

  test.each([
    ['epoch-ms', 'epoch-ms', 'epoch-ms'],
    ['{ records: epoch-us }', 'epoch-us', 'epoch-us'],
    ['{ records: iso, since: epoch-s }', 'iso', 'epoch-s'],
    ['{ since: epoch-s }', 'iso', 'epoch-s'],
  ])('the form of times is configuration: %s', (times, records, since) => {
    const stream = streamOf(around({ source: `query: { since: s, page: p }\nresponse: { records: $ }\ntimes: ${times}` }));
    expect([stream.version[0].form, stream.source.since.form]).toEqual([records, since]);
  });

  test.each([
    ['$', []],
    ['$.data', ['data']],
    ['$.a.b-c._d', ['a', 'b-c', '_d']],
    [String.raw`'$["odd name"].x["a\"b"]["é.ü"]'`, ['odd name', 'x', 'a"b', 'é.ü']],
  ])('records are found at %s', (path, records) => {
    expect(sourceOf(`query: { since: s, page: p }\nresponse:\n  records: ${path}`).records).toEqual(records);
  });
});

describe('secrets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'config-test-'));
  const bearer = (reference: string, environment: Record<string, string> = {}) => {
    const text = around({ source: `query: { since: s, page: p }\nresponse: { records: $ }\nauth: { bearer: "${reference}" }` });
    const auth = parseConfiguration(text, join(folder, 'tidemark.yaml'), environment).streams[0]?.source.auth;
    if (auth?.kind !== 'bearer') throw new Error('not a bearer');
    return auth.token;
  };

  test('R16: a secret is read where it is, when it is needed', () => {
    expect(bearer('env:KEY', { KEY: 'k1' }).reveal()).toBe('k1');
    const late = bearer('file:key.txt');
    writeFileSync(join(folder, 'key.txt'), 'k2\n');
    expect(late.reveal()).toBe('k2');
    rmSync(folder, { recursive: true });
  });

  test('a secret that is missing or empty is told by its place', () => {
    for (const secret of [bearer('env:KEY'), bearer('env:KEY', { KEY: '' }), bearer('file:/nowhere/key')]) {
      expect(() => secret.reveal()).toThrow(`the secret ${secret.reference}`);
    }
  });
});

describe('the file', () => {
  test('a missing file is told with what to do', () => {
    const error = caught(() => loadConfiguration('/nowhere/tidemark.yaml', {}));
    expect(isTidemarkError(error, 'CONFIG') && [error.message, error.hint]).toEqual([
      'there is no configuration at /nowhere/tidemark.yaml',
      expect.stringContaining('--config'),
    ]);
  });

  test('a folder in its place is told', () => {
    expect(() => loadConfiguration(tmpdir(), {})).toThrow('cannot be read');
  });

  test('an existing one is read', () => {
    expect(loadConfiguration(new URL('example.yaml', import.meta.url).pathname, {}).streams).toHaveLength(2);
  });
});

describe('the environment of the process', () => {
  test('colour follows NO_COLOR, FORCE_COLOR and the terminal', () => {
    expect(colorWanted(true, {})).toBe(true);
    expect(colorWanted(false, {})).toBe(false);
    expect(colorWanted(true, { NO_COLOR: '1', FORCE_COLOR: '1' })).toBe(false);
    expect(colorWanted(false, { FORCE_COLOR: '1' })).toBe(true);
    expect(colorWanted(true, { TERM: 'dumb' })).toBe(false);
  });

  test('continuous integration and the host are known', () => {
    expect([isCI({ CI: 'true' }), isCI({ CI: 'false' }), isCI({})]).toEqual([true, false, false]);
    expect(hostName({ HOSTNAME: 'task-1' })).toBe('task-1');
    expect(hostName({})).not.toBe('');
  });
});
