import { describe, expect, test } from 'vitest';
import { parseConfiguration } from '../../src/config.ts';
import { around, EXAMPLE, problemsOf } from './configurations.ts';

/** The example with one text replaced by another, once. */
function changed(from: string, to: string): string {
  expect(EXAMPLE).toContain(from);
  return EXAMPLE.replace(from, to);
}

describe('a wrong configuration', () => {
  test('a wrong value is told with line, column, path, what is allowed and what was found', () => {
    expect(problemsOf(changed('pageSize: 5000', 'pageSize: many'))).toEqual([
      'tidemark.yaml:11:17  streams.payments.source.pageSize: expected a whole number from 1 to 100000, got "many"',
    ]);
  });

  test('an unknown key is told at its own line, with the key that was meant and those that are allowed', () => {
    expect(problemsOf(changed('requestsPerMinute: 1000', 'requestPerMinute: 1000'))).toEqual([
      'tidemark.yaml:12:7  streams.payments.source.requestPerMinute: is not a known key; did you mean requestsPerMinute? ' +
        'allowed are list, lookup, auth, query, response, times, parameters, pageSize, requestsPerMinute, attempts, timeout, chains, circuit',
    ]);
    expect(problemsOf(changed('more: $.has_more', 'zzz: 1'))[0]).toMatch(
      /^tidemark\.yaml:10:\d+ {2}streams\.payments\.source\.response\.zzz: is not a known key; allowed are records/,
    );
  });

  test('every problem is told at once, in the order of the file, across both streams', () => {
    const text = changed('pageSize: 5000', 'pageSize: 0')
      .replace('every: 5m', 'every: soon')
      .replace('key: [vendor_txn_id]', 'kee: [vendor_txn_id]')
      .replace('[0.5, 2.0]', '[2, 0.5]')
      .replace('>= 0', '=> 0');
    expect(
      problemsOf(text).map((line) =>
        line
          .split(':')
          .slice(1, 2)
          .concat(line.split('  ')[1]?.split(': ')[0] ?? ''),
      ),
    ).toEqual([
      ['11', 'streams.payments.source.pageSize'],
      ['16', 'streams.payments.poll.every'],
      ['18', 'streams.settlements.key'],
      ['23', 'streams.settlements.kee'],
      ['27', 'streams.settlements.quality.rows.amount'],
      ['28', 'streams.settlements.quality.volume.band'],
    ]);
  });

  test('what is missing is told where it belongs', () => {
    expect(problemsOf(changed('      list: http://127.0.0.1:8081/transactions\n', ''))).toEqual([
      'tidemark.yaml:19:5  streams.settlements.source.list: is missing; expected an http(s) address without user, password or fragment',
    ]);
    expect(problemsOf('')[0]).toBe('tidemark.yaml:1:1  expected a mapping of store, warehouse, streams, workers, got nothing');
  });

  test('a key that stands twice, and text that is no YAML, are told at their place', () => {
    expect(problemsOf(changed('requestsPerMinute: 1000', 'pageSize: 1'))).toEqual([
      'tidemark.yaml:12:7  this key is there already; a key stands once in a mapping',
    ]);
    expect(problemsOf(changed('$.data,', '$["da ta"],'))[0]).toMatch(/^tidemark\.yaml:10:\d+ {2}\S/);
    expect(problemsOf('store: [')).toHaveLength(1);
  });

  test('an alias of nothing, and aliases that unfold without end, are no crash', () => {
    expect(problemsOf(changed('[vendor_txn_id]', '*columns'))).toEqual([
      'tidemark.yaml:23:10  this alias names no anchor that stands before it',
    ]);
    const bomb =
      'a: &a [x]\n' +
      ['b', 'c', 'd', 'e'].map((name, index) => `${name}: &${name} [${Array(20).fill(`*${'abcd'[index]}`).join(',')}]\n`).join('');
    expect(problemsOf(bomb)).toEqual(['tidemark.yaml:1:1  aliases unfold to too much']);
  });

  test('a contract names versions of the schema, and no field that every record has', () => {
    const contracted = (text: string) =>
      problemsOf(changed('key: [environment, event_id]', `contract: ${text}\n    key: [environment, event_id]`));
    expect(contracted('{ $: freeze at 7, payload.ext: evolve, payload.debug: discard at 0 }')).toEqual([]);
    expect(contracted('{ payload: freeze }')).toEqual([
      'tidemark.yaml:14:26  streams.payments.contract.payload: ' +
        'expected evolve, freeze at VERSION or discard at VERSION, a version of the schema, got "freeze"',
    ]);
    expect(contracted('{ payload..x: evolve, event_id: discard at 1 }')).toEqual([
      expect.stringContaining('expected $ or a path of field names, as payload.customer, got "payload..x"'),
      expect.stringContaining('contract.event_id: event_id is part of the key or the version, which every record has'),
    ]);
  });

  test('a transform’s expression reads the record alone, and its columns have types and plain names', () => {
    const columned = (column: string) =>
      problemsOf(
        changed('key: [environment, event_id]', `transform: { version: 1, columns: { ${column} } }\n    key: [environment, event_id]`),
      );
    expect(columned(`net: { type: "decimal(18, 2)", sql: "CAST({payload.amount} AS DECIMAL(18,4)) * 0.01 || '; now() {{x}}'" }`)).toEqual(
      [],
    );
    const sql = (text: string) => columned(`net: { type: text, sql: "${text}" }`)[0]?.split('.sql: ')[1];
    expect(sql('{a} || now()')).toMatch(/^says now: an expression depends on the record alone/);
    expect(sql('(SELECT 1)')).toMatch(/^says SELECT/);
    expect(sql('{a}; DROP TABLE x')).toMatch(/^is more than one expression/);
    expect(sql('{a} || {b')).toMatch(/^a brace is missing/);
    expect(sql('{a..b}')).toMatch(/^names no field/);
    expect(sql('')).toMatch(/^expected a SQL expression/);
    expect(columned('net: { type: decimal(39,2), sql: "1" }')[0]).toMatch(
      /type: expected boolean, integer, text or decimal\(PRECISION, SCALE\)/,
    );
    expect(columned('Net: { type: text, sql: "1" }')[0]).toMatch(
      /expected a column name of lower-case letters, digits and _, a letter first, got "Net"/,
    );
  });

  test('the union of forms is told by the form that was meant', () => {
    expect(problemsOf(around({ store: '{ url: "s3://lake/x", pathStyle: maybe }' }))).toEqual([
      'tidemark.yaml:1:41  store.pathStyle: expected true or false, got "maybe"',
    ]);
    expect(problemsOf(around({ store: 'gs://b/x' }))).toEqual([
      'tidemark.yaml:1:8  store: expected file:PATH or s3://BUCKET/PREFIX, got "gs://b/x"',
    ]);
    expect(problemsOf(around({ warehouse: '3' }))).toEqual([
      'tidemark.yaml:2:12  warehouse: expected duckdb:PATH, or a mapping with snowflake, got 3',
    ]);
    expect(problemsOf(around({ store: '{ url: "file:./x", region: eu }' }))).toEqual([
      'tidemark.yaml:1:27  store.region: has no meaning for a folder',
    ]);
  });
});

describe('a Snowflake warehouse', () => {
  const problems = (login: string, store = 's3://lake/x') =>
    problemsOf(around({ store, warehouse: `{ snowflake: { account: a, role: r, warehouse: w, database: d, schema: s, ${login} } }` })).map(
      withoutPlace,
    );
  const KEY = 'user: u, privateKey: env:K';

  test.each([
    ['url: "https://x.example"', 'warehouse.snowflake: names no login: write privateKey, or workloadIdentity'],
    ['privateKey: env:K', 'warehouse.snowflake: names no user: a key pair is that of a user'],
    [`${KEY}, workloadIdentity: aws`, 'warehouse.snowflake.workloadIdentity: stands beside privateKey: one of them logs in'],
    ['workloadIdentity: aws, passphrase: env:P', 'warehouse.snowflake.passphrase: has no meaning without privateKey'],
    ['workloadIdentity: aws, token: env:T', 'warehouse.snowflake.token: has no meaning without workloadIdentity: oidc'],
    ['workloadIdentity: oidc', 'warehouse.snowflake.workloadIdentity: needs a token beside it'],
    ['workloadIdentity: ibm', 'warehouse.snowflake.workloadIdentity: expected one of aws, azure, gcp, oidc, got "ibm"'],
    [`${KEY}, lockTimeout: 0s`, 'warehouse.snowflake.lockTimeout: expected a duration from 1s to 1d, as 90s, 5m, 48h or 7d, got "0s"'],
  ])('%s: %s', (login, problem) => {
    expect(problems(login)).toEqual([problem]);
  });

  test('keeps some names of streams for its own tables', () => {
    const warehouse = `{ snowflake: { account: a, role: r, warehouse: w, database: d, schema: s, ${KEY} } }`;
    const named = (name: string) =>
      problemsOf(around({ store: 's3://lake/x', warehouse }).replace(/^ {2}s:$/m, `  ${name}:`)).map(withoutPlace);
    for (const name of ['tidemark_ledger', 'payments__rows']) expect(named(name)[0]).toMatch(/is kept for tables of Tidemark in Snowflake/);
    expect(named('tidemarks')).toEqual([]);
  });

  test('reads a bucket, not a folder', () => {
    expect(problems(KEY)).toEqual([]);
    expect(problems(KEY, 'file:./data')).toEqual(['store: is a folder, which Snowflake cannot read: its stage needs s3://BUCKET/PREFIX']);
  });
});

describe('R16: a literal secret', () => {
  const SECRET = 'sk_live_4242424242';
  test.each([
    ['bearer', around({ source: `query: { since: s, page: p }\nresponse: { records: $ }\nauth: { bearer: ${SECRET} }` })],
    ['the whole auth', around({ source: `query: { since: s, page: p }\nresponse: { records: $ }\nauth: ${SECRET}` })],
    ['a list of them', around({ source: `query: { since: s, page: p }\nresponse: { records: $ }\nauth: { bearer: [${SECRET}] }` })],
    [
      'basic',
      around({ source: `query: { since: s, page: p }\nresponse: { records: $ }\nauth: { basic: { user: u, password: ${SECRET} } }` }),
    ],
    ['a key that is one', around({ source: `query: { since: s, page: p }\nresponse: { records: $ }\nauth: { ${SECRET} }` })],
    [
      'a URL with a password',
      around({ source: `list: "https://u:${SECRET}@h/x"\nquery: { since: s, page: p }\nresponse: { records: $ }` }),
    ],
    [
      'a wrong URL with a key',
      around({ source: `list: "ftp://h/x?key=${SECRET}"\nquery: { since: s, page: p }\nresponse: { records: $ }` }),
    ],
    [
      'a private key',
      around({ warehouse: `{ snowflake: { account: a, role: r, warehouse: w, database: d, schema: s, privateKey: ${SECRET} } }` }),
    ],
    [
      'a passphrase',
      around({ warehouse: `{ snowflake: { account: a, role: r, warehouse: w, database: d, schema: s, passphrase: ${SECRET} } }` }),
    ],
    ['bad YAML behind it', around({ source: `query: { since: s, page: p }\nresponse: { records: $ }\nauth: { bearer: "x" ${SECRET} }` })],
  ])('%s is refused without being printed', (_, text) => {
    const problems = problemsOf(text);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join('\n')).not.toContain('4242');
    expect(problems.join('\n')).not.toContain('sk_live');
  });

  test('the message says where secrets go', () => {
    const text = around({ source: `query: { since: s, page: p }\nresponse: { records: $ }\nauth: { bearer: ${SECRET} }` });
    expect(problemsOf(text)[0]).toContain('streams.s.source.auth.bearer: expected env:NAME or file:PATH');
  });
});

describe('fields that do not fit together', () => {
  const stream = (lines: string) => problemsOf(around({ stream: lines })).map(withoutPlace);
  const source = (lines: string) => problemsOf(around({ source: lines })).map(withoutPlace);
  const PAGED = 'query: { since: s, page: p }\nresponse: { records: $ }';

  test.each([
    ['key: []\nversion: [at]', 'streams.s.key: expected at least one column, got an empty list'],
    ['key: [id]\nversion: []', 'streams.s.version: expected at least the time column, got an empty list'],
    ['key: [id]\nversion: [at]\nclusterBy: at', 'streams.s.clusterBy: "at" changes with every version of a key'],
    ['key: [id]\nversion: [at]\nclusterBy: _page', 'streams.s.clusterBy: "_page" is a column of Tidemark\'s own'],
    ['key: [id, ID]\nversion: [at]', 'streams.s.key[1]: "ID" is named already, in key'],
    ['key: [id]\nversion: [at, id]', 'streams.s.version[1]: "id" is named already, in key'],
    ['key: [_page]\nversion: [at]', 'streams.s.key[0]: "_page" is a column of Tidemark\'s own'],
    ['key: [id]\nversion: [at]\nlatestBy: [a, a]', 'streams.s.latestBy[1]: "a" is named already'],
    [
      'key: [environment]\nversion: [at]\nenvironment: { field: env }',
      'streams.s.key[0]: the records carry their environment in "env"; write that name here',
    ],
    ['key: [id]\nversion: [at]\npersonal: [a.b, a]', 'streams.s.personal[0]: "a.b" is covered already, by "a"'],
    [
      'key: [id]\nversion: [at]\npersonal: [a..b]',
      'streams.s.personal[0]: expected a path of field names, as payload.customer.email, got "a..b"',
    ],
    [
      'key: [id]\nversion: [at]\npoll: { outOfOrder: 3h, lateness: 2h }',
      'streams.s.poll.outOfOrder: is longer than lateness (2h), which bounds it',
    ],
    [
      'key: [id]\nversion: [at]\npoll: { every: 2h, deadline: 1h }',
      'streams.s.poll.deadline: is shorter than every (2h): no record could keep it',
    ],
    [
      'key: [id]\nversion: [at]\nquality: { volume: { trailing: 7, band: [2, 1] } }',
      'streams.s.quality.volume.band: is upside down: 2 is greater than 1',
    ],
    [
      'key: [id]\nversion: [at]\nquality: { rows: { "": present } }',
      'streams.s.quality.rows[""]: expected the name of a top-level field, got ""',
    ],
  ])('%s', (lines, problem) => {
    expect(stream(lines)).toEqual([problem]);
  });

  test.each([
    [`${PAGED}\nlookup: http://h/x`, "streams.s.source.lookup: has no placeholder; write the key's fields in braces, as {id}"],
    [`${PAGED}\nlookup: "http://h/{event}"`, 'streams.s.source.lookup: {event} is no column of the key (id)'],
    [
      `${PAGED}\nauth: { bearer: env:A, query: { name: k, value: env:B } }`,
      'streams.s.source.auth: takes one of bearer, header, basic, query; there are bearer and query',
    ],
    [`${PAGED}\nauth: {}`, 'streams.s.source.auth: takes one of bearer, header, basic, query; there is none'],
    [
      'query: { since: s, page: s }\nresponse: { records: $ }',
      'streams.s.source.query.page: the parameter "s" is used already, by source.query.since',
    ],
    [`${PAGED}\nparameters: { p: 1 }`, 'streams.s.source.parameters.p: the parameter "p" is used already, by source.query.page'],
    ['query: { since: s, cursor: c }\nresponse: { records: $ }', 'streams.s.source.response.next: is missing; query.cursor needs it'],
    ['query: { since: s, page: p }\nresponse: { records: $, next: $.n }', 'streams.s.source.response.next: has no meaning with query.page'],
    [
      'query: { since: s }\nresponse: { records: $, nextUrl: link-header, more: $.m }',
      'streams.s.source.response.more: has no meaning with response.nextUrl: link-header',
    ],
    [
      'query: { since: s, lastId: a }\nresponse: { records: $, id: id }',
      'streams.s.source.response.order: is missing; query.lastId needs it',
    ],
    [
      'query: { since: s, lastId: a }\nresponse: { records: $, id: id, order: up }',
      'streams.s.source.response.order: expected one of oldest-first, newest-first, got "up"',
    ],
  ])('%s', (lines, problem) => {
    expect(source(lines)).toEqual([problem]);
  });

  test('a source needs one way to the next page', () => {
    expect(source('query: { since: s }\nresponse: { records: $ }')[0]).toContain('says no way to the next page; give one of query.cursor');
    expect(source('query: { since: s, page: p, offset: o }\nresponse: { records: $ }')[0]).toContain(
      'several ways to the next page, query.page and query.offset',
    );
  });

  test('names of streams are names of tables, and none is the view of another', () => {
    const named = (name: string) => problemsOf(changed('  settlements:', `  ${name}:`));
    expect(named('Settle-ments')[0]).toMatch(/^tidemark\.yaml:18:3 {2}streams\.Settle-ments: expected a stream name/);
    expect(named('payments_latest')[0]).toContain('is the name of the view of payments');
    expect(problemsOf(`${EXAMPLE.split('streams:')[0]}streams: {}`)[0]).toContain('expected at least one stream');
  });

  test('pushes of each stream have a place of their own, and one secret or two', () => {
    const listening = (listen: string): string => around({ stream: `key: [id]\nversion: [updated_at]\nlisten: ${listen}` });
    expect(problemsOf(listening('{ secrets: env:A }'))).toEqual([]);
    expect(
      problemsOf(listening('{ secrets: [env:A, env:B], body: $.data, window: 30s, signature: { signed: "v0:{timestamp}:{body}" } }')),
    ).toEqual([]);
    for (const [listen, problem] of [
      ['{ secrets: whsec }', /streams\.s\.listen\.secrets: expected env:NAME or file:PATH/],
      ['{ secrets: [env:A, env:B, env:C] }', /expected env:NAME or file:PATH, or a list of one or two of them, got a list/],
      ['{ secrets: env:A, path: /healthz }', /streams\.s\.listen\.path: \/healthz tells whether the listener lives/],
      ['{ secrets: env:A, body: xml }', /expected record, ndjson, or the path of the array of records/],
      ['{ secrets: env:A, signature: { signed: "{body}" } }', /expected a text with \{timestamp\} that ends in \{body\}/],
      ['{ secrets: env:A, maxBody: 2GB }', /expected a size of at most 100MB/],
    ] as const)
      expect(problemsOf(listening(listen)), listen).toEqual([expect.stringMatching(problem)]);
  });

  test('what is wrong elsewhere does not hide it', () => {
    const problems = stream('key: [id, id]\nversion: [at]\npoll: { every: never }').join('\n');
    expect(problems).toContain('"id" is named already');
    expect(problems).toContain('poll.every');
  });
});

test('the error keeps every line apart for programs', () => {
  const text = changed('pageSize: 5000', 'pageSize: many').replace('every: 5m', 'every: soon');
  expect(() => parseConfiguration(text, 'tidemark.yaml', {})).toThrow(
    expect.objectContaining({ code: 'CONFIG', data: { problems: problemsOf(text) } }),
  );
});

const withoutPlace = (line: string): string => line.replace(/^\S+ {2}/, '');
