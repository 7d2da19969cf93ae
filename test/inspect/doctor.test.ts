import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { parseConfiguration } from '../../src/config.ts';
import { type Check, type DoctorEffects, doctor, doctorExitCode } from '../../src/inspect/doctor.ts';
import { formatDoctor } from '../../src/inspect/doctor-text.ts';
import { type Partner, startPartner } from '../../src/partner/server.ts';
import { HOUR, MINUTE } from '../../src/time.ts';
import { startMisbehavingServer } from '../support/misbehaving-server.ts';
import { START } from './world.ts';

const NOW = START + 3 * HOUR;
const EFFECTS: DoctorEffects = { clock: { ...systemClock, now: () => NOW }, nodeVersion: 'v24.21.0', threadPoolSize: '12' };
let partner: Partner;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-doctor-'));
  partner = await startPartner({ start: START, end: NOW, payments: { recordsPerSecond: 0.05 }, faults: 'none' });
});
afterAll(async () => {
  await partner.close();
  rmSync(folder, { recursive: true });
});

interface Change {
  readonly list?: string;
  readonly key?: string;
  readonly version?: string;
  readonly auth?: string;
  readonly warehouse?: string;
  readonly scratch?: string;
}

async function examine(change: Change = {}, effects: Partial<DoctorEffects> = {}, environment: Record<string, string> = {}) {
  const { list = `${partner.url}/events`, key = '[environment, event_id]', version = '[updated_at, event_version]' } = change;
  const text = `
store: file:./store
warehouse: duckdb:${change.warehouse ?? './warehouse.duckdb'}
workers: { threads: 2, scratch: ${change.scratch ?? './scratch'} }
streams:
  payments:
    source:
      list: ${list}
      auth: ${change.auth ?? '{ bearer: env:PARTNER_KEY }'}
      query: { since: updated_since, size: page_size, cursor: cursor }
      response: { records: $.data, next: $.next_cursor, more: $.has_more }
    environment: { field: environment }
    key: ${key}
    version: ${version}
`;
  const configuration = parseConfiguration(text, join(folder, 'tidemark.yaml'), { PARTNER_KEY: 'partner-key', ...environment });
  const checks = await doctor(configuration, { ...EFFECTS, ...effects });
  return { checks, of: (name: string) => checks.find((check) => check.name === name) as Check };
}

test('everything is well: each check says what it found', async () => {
  const { checks, of } = await examine();
  expect(checks.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'configuration ok',
    'node ok',
    'threads ok',
    'scratch ok',
    'store ok',
    'warehouse ok',
    'source payments ok',
  ]);
  expect(of('source payments').found).toContain('answered 200, 1 record; the first has environment, event_id, updated_at, event_version');
  expect(doctorExitCode(checks)).toBe(0);
  expect(formatDoctor(checks)).toContain('Everything is reachable and allowed.');
});

test('a wrong credential is told by where it is configured, and never by its value', async () => {
  const { checks, of } = await examine({}, {}, { PARTNER_KEY: 'a-secret-that-is-wrong' });
  expect(of('source payments')).toMatchObject({ state: 'failed', found: expect.stringContaining('401') });
  expect(of('source payments').hint).toContain('env:PARTNER_KEY');
  expect(doctorExitCode(checks)).toBe(1);
  expect(JSON.stringify(checks) + formatDoctor(checks)).not.toContain('a-secret-that-is-wrong');
});

test('a secret in the query string is not shown', async () => {
  const { checks, of } = await examine({ auth: '{ query: { name: api_key, value: env:PARTNER_KEY } }' });
  expect(of('source payments').found).toContain('api_key=***');
  expect(JSON.stringify(checks)).not.toContain('partner-key');
});

test('a source that is not there, or asks to wait, is told; the other checks are made all the same', async () => {
  const dead = await startMisbehavingServer(() => ({ status: 503, body: '' }));
  const waiting = await examine({ list: `${dead.url}/events` });
  expect(waiting.of('source payments')).toMatchObject({ state: 'warning', found: expect.stringContaining('503') });
  await dead.close();
  const { of, checks } = await examine({ list: `${dead.url}/events` });
  expect(of('source payments')).toMatchObject({ state: 'failed', found: expect.stringContaining('did not answer') });
  expect(checks.filter(({ state }) => state === 'ok')).toHaveLength(6);
});

test('a key or a version that the records do not have is told before anything lands in quarantine', async () => {
  const { of } = await examine({ key: '[environment, id]', version: '[updated_at, event_type]' });
  expect(of('source payments')).toMatchObject({ state: 'failed' });
  expect(of('source payments').found).toContain('id (key) is missing; event_type is a text, not an integer');
});

test('an HTML page with status 200 is no source', async () => {
  const html = await startMisbehavingServer(() => ({ status: 200, body: '<html>Sign in</html>' }));
  const { of } = await examine({ list: `${html.url}/events` });
  await html.close();
  expect(of('source payments')).toMatchObject({ state: 'failed', found: expect.stringContaining('not JSON') });
});

test('an old Node, too small a thread pool, and a scratch folder that cannot be written are told', async () => {
  writeFileSync(join(folder, 'file'), '');
  const { of } = await examine({ scratch: './file/scratch' }, { nodeVersion: 'v20.11.0', threadPoolSize: undefined });
  expect(of('node')).toMatchObject({ state: 'failed', found: expect.stringContaining('v20.11.0') });
  expect(of('threads')).toMatchObject({ state: 'warning', hint: expect.stringContaining('UV_THREADPOOL_SIZE=6') });
  expect(of('scratch')).toMatchObject({ state: 'failed', hint: expect.stringContaining('workers.scratch') });
});

test('a warehouse that is another program’s file is told and left alone', async () => {
  writeFileSync(join(folder, 'other.duckdb'), 'this is a diary, not a database, and it is long enough to be looked into');
  const { of } = await examine({ warehouse: './other.duckdb' });
  expect(of('warehouse')).toMatchObject({ state: 'failed', found: expect.stringContaining('not a DuckDB database') });
});

test('R18: a clock that is further ahead of the source’s than is allowed for is told, with what to do', async () => {
  const ahead = { ...systemClock, now: () => NOW + 12 * MINUTE };
  const dated = await startMisbehavingServer(() => ({
    status: 200,
    headers: { date: new Date(NOW / 1000).toUTCString() },
    body: '{"data":[],"next_cursor":null,"has_more":false}',
  }));
  const { of } = await examine({ list: `${dated.url}/events` }, { clock: ahead });
  await dated.close();
  expect(of('source payments')).toMatchObject({ state: 'warning', found: expect.stringContaining('12m ahead of the source') });
});
