import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import type { SnowflakeServer, SnowflakeServerOptions } from '../snowflake/server.ts';
import { startAdapter } from './adapter.ts';
import { startFakesnowProcess } from './process.ts';

/** fakesnow behind its adapter, in the place of the wire server. What it has no equal of (faults, locks, a catalogue) says so. */
export async function startFakesnow(options: SnowflakeServerOptions): Promise<SnowflakeServer> {
  const upstream = await startFakesnowProcess();
  const folder = await mkdtemp(join(tmpdir(), 'fakesnow-stage-'));
  const adapter = await startAdapter({ upstream: upstream.url, folder, readStaged: options.readStaged ?? (async () => null) });
  const [database = 'DB'] = Object.keys(options.databases ?? {});
  const administrators = new Map<string, string>();
  const sql = async (statement: string, schema = 'PUBLIC'): Promise<Record<string, string | null>[]> => {
    const token = administrators.get(schema) ?? (await login(adapter.url, database, schema));
    administrators.set(schema, token);
    return run(adapter.url, token, statement);
  };
  const { port, hostname: host } = new URL(adapter.url);
  const has: Partial<SnowflakeServer> = {
    url: adapter.url,
    host,
    port: Number(port),
    account: options.account ?? 'TESTACCOUNT',
    statements: [],
    sql,
    clearFaults: () => undefined,
    close: async () => {
      await adapter.close();
      await upstream.close();
    },
  };
  return new Proxy(has as SnowflakeServer, {
    get: (target, name) => {
      if (name in target || name === 'then') return target[name as keyof SnowflakeServer];
      throw new Error(`fakesnow has no ${String(name)}`);
    },
  });
}

interface Answer {
  readonly success: boolean;
  readonly message?: string;
  readonly data: {
    readonly token: string;
    readonly rowtype: readonly { readonly name: string }[];
    readonly rowset: readonly (string | null)[][];
  };
}

async function login(url: string, database: string, schema: string): Promise<string> {
  const answer = await post(`${url}/session/v1/login-request?databaseName=${database}&schemaName=${schema}`, '', {
    data: { SESSION_PARAMETERS: {} },
  });
  return answer.data.token;
}

async function run(url: string, token: string, sqlText: string): Promise<Record<string, string | null>[]> {
  const answer = await post(`${url}/queries/v1/query-request?requestId=${randomUUID()}`, token, { sqlText });
  if (!answer.success) throw new Error(`${answer.message}: ${sqlText}`);
  const { rowtype, rowset } = answer.data;
  return rowset.map((row) => Object.fromEntries(rowtype.map(({ name }, index) => [name, row[index] ?? null])));
}

async function post(url: string, token: string, body: object): Promise<Answer> {
  const headers = { 'content-type': 'application/json', authorization: `Snowflake Token="${token}"` };
  const { body: received } = await request(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return (await received.json()) as Answer;
}
