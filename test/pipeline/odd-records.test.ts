import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { showQuarantined } from '../../src/gate/quarantine.ts';
import { openStore } from '../../src/store/open.ts';
import { type MisbehavingServer, startMisbehavingServer } from '../support/misbehaving-server.ts';
import { type Ended, said, tidemark } from '../support/tidemark.ts';

/** One page, written by hand: what no partner should send, and every partner does in the end. */

const LONG = 'x'.repeat(6 * 1024 * 1024);
const at = (minute: number): string => `"2026-11-20T11:${String(minute).padStart(2, '0')}:00Z"`;
const good = (id: string, minute: number, more: string): string => `{"id":"${id}","updated_at":${at(minute)},"amount":1,${more}}`;

const GOOD: readonly string[] = [
  good(
    'wide',
    1,
    '"n":9007199254740993,"decimal":12345678901234567.891,"twenty":1234567890.1234567891,"forty":12345678901234567890.12345678901234567890,"exp":1e400',
  ),
  good('names', 2, '"a.b":1,"q\\"uote":2,"Case":3,"case":4,"":5,"nested":{"x.y":{"Z":6,"z":7}}'),
  good('text', 3, '"nul":"a\\u0000b","pair":"\\ud83d\\ude00","umlaut":"ü","escaped":"\\/\\b\\t"'),
  good('long', 4, `"blob":"${LONG}"`),
  good('plain', 5, '"n":1'),
];
const BAD: readonly (readonly [record: string, rule: string])[] = [
  [`{"updated_at":${at(6)},"amount":1}`, 'key'],
  [`{"id":null,"updated_at":${at(7)},"amount":1}`, 'key'],
  ['{"id":"when","updated_at":"yesterday","amount":1}', 'version'],
  ['{"id":"never","amount":1}', 'version'],
  ['"not an object"', 'record'],
  ['[1,2]', 'record'],
  ['null', 'record'],
  [`{"id":"surrogate","updated_at":${at(8)},"amount":1,"text":"\\ud800"}`, 'text'],
  [`{"id":"words","updated_at":${at(9)},"amount":"a lot"}`, 'amount: present and >= 0'],
  [`{"id":"minus","updated_at":${at(10)},"amount":-0.01}`, 'amount: present and >= 0'],
  [`{"id":"none","updated_at":${at(11)}}`, 'amount: present and >= 0'],
];

const PAGE = `{"data":[${[...GOOD, ...BAD.map(([record]) => record)].join(',')}]}`;

let folder: string;
let server: MisbehavingServer;
let run: Ended;

const ask = (...given: string[]): Promise<Ended> =>
  tidemark([...given, '--config', join(folder, 'tidemark.yaml'), '--now', '2026-11-20T12:00:00Z', '--log-level', 'warn']);

async function rows(sql: string): Promise<Record<string, unknown>[]> {
  const ended = await ask('query', sql, '--json');
  expect(ended.code, said(ended)).toBe(0);
  return JSON.parse(ended.stdout) as Record<string, unknown>[];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-odd-'));
  server = await startMisbehavingServer(() => ({ body: PAGE }));
  await writeFile(
    join(folder, 'tidemark.yaml'),
    `store: file:./store
warehouse: duckdb:./warehouse.duckdb
workers: { threads: 1, scratch: ./scratch }
streams:
  odd:
    source:
      list: ${server.url}/odd
      query: { since: since, cursor: cursor }
      response: { records: $.data, next: $.next }
    key: [id]
    version: [updated_at]
    quality: { rows: { amount: "present and >= 0" } }
`,
  );
  run = await ask('run', '--once', '--json');
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

describe('R10, R23: records that no schema expects', () => {
  test('do not stop the run: what can enter enters, and the rest is in quarantine', async () => {
    expect(run.code, said(run)).toBe(0);
    const found = await rows('SELECT id FROM odd ORDER BY id');
    expect(found.map((row) => row['id'])).toEqual(['long', 'names', 'plain', 'text', 'wide']);
  });

  test('numbers beyond a double arrive digit for digit', async () => {
    const [row] = await rows(
      `SELECT n::VARCHAR AS n, "decimal"::VARCHAR AS d, twenty::VARCHAR AS t, forty::VARCHAR AS f, exp::VARCHAR AS e FROM odd WHERE id = 'wide'`,
    );
    expect(row?.['n']).toBe('9007199254740993');
    expect(row?.['d']).toBe('12345678901234567.891');
    expect(row?.['t']).toBe('1234567890.1234567891');
    // What no decimal holds is text: the same digits, in one way of writing them.
    expect(row?.['f']).toBe('1.23456789012345678901234567890123456789e+19');
    expect(row?.['e']).toBe('1e+400');
  });

  test('names with dots, quotes, other case, or none at all, keep their values apart', async () => {
    const [row] = await rows(`SELECT to_json(odd)::VARCHAR AS all_of_it FROM odd WHERE id = 'names'`);
    const values = JSON.parse(String(row?.['all_of_it'])) as Record<string, unknown>;
    expect(values['a.b']).toBe(1);
    expect(values['q"uote']).toBe(2);
    const overflow = values['_overflow'] as Record<string, string>;
    expect([overflow['Case'], overflow['case'], overflow['']]).toEqual(['3', '4', '5']);
    expect(JSON.stringify(values['nested']).replaceAll('\\', '')).toMatch(/"x\.y":.*"Z":6,"z":7/);
  });

  test('NUL, surrogate pairs and a record of six megabytes arrive whole', async () => {
    const [row] = await rows(`SELECT length(nul) AS nul, ord(nul[2]) AS code, pair, umlaut FROM odd WHERE id = 'text'`);
    expect(row).toEqual({ nul: 3, code: 0, pair: '😀', umlaut: 'ü' });
    const [long] = await rows(
      `SELECT length(blob) AS size, md5(blob) = md5(repeat('x', ${LONG.length})) AS same FROM odd WHERE id = 'long'`,
    );
    expect(long).toEqual({ size: LONG.length, same: true });
  });

  test('each refused one is in quarantine with its rule and with its bytes', async () => {
    const listed = await ask('quarantine', 'list', '--json');
    const entries = JSON.parse(listed.stdout) as { id: string; rules: string[]; position: number }[];
    const store = await openStore({ kind: 'file', path: join(folder, 'store') });
    const byPosition = new Map(entries.map((entry) => [entry.position, entry]));
    for (const [index, [record, rule]] of BAD.entries()) {
      const entry = byPosition.get(GOOD.length + index);
      expect(entry?.rules, record).toContain(rule);
      const { records } = await showQuarantined(store, 'odd', entry?.id ?? '');
      expect(Buffer.from(records[0]?.body ?? '', 'base64').toString()).toBe(record);
    }
    expect(entries.length).toBe(BAD.length);
  });

  test('one that has no key cannot be released, and says why', async () => {
    const listed = await ask('quarantine', 'list', '--json');
    const entry = (JSON.parse(listed.stdout) as { id: string; rules: string[] }[]).find(({ rules }) => rules.includes('key'));
    const released = await ask('quarantine', 'release', entry?.id ?? '');
    expect(released.code, said(released)).toBe(1);
    expect(released.notes).toMatch(/cannot be released: .*\n.*The bytes stay in quarantine/);
  });
});
