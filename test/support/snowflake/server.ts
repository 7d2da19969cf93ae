import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../../src/clock.ts';
import { Catalogue } from './catalogue.ts';
import { Engine } from './engine.ts';
import type { Decide, Fault } from './faults.ts';
import { TableLocks } from './locks.ts';
import type { User } from './login.ts';
import { Queries } from './queries.ts';
import type { LoggedStatement } from './query.ts';
import type { WireValue } from './rowset.ts';
import { addDatabase } from './schemas.ts';
import { Service } from './service.ts';

export interface SnowflakeServerOptions {
  readonly users: readonly User[];
  /** TESTACCOUNT unless stated. */
  readonly account?: string;
  /** Databases and their schemas. PUBLIC is always there. */
  readonly databases?: Readonly<Record<string, readonly string[]>>;
  readonly warehouses?: readonly string[];
  /** Storage integrations that an administrator has made. */
  readonly integrations?: readonly string[];
  /** Bytes of a file of an external stage by its whole address (`s3://bucket/prefix/file`); null where there is none. */
  readonly readStaged?: (url: string) => Promise<Buffer | null>;
  /** Time of statements, of waiting for locks, and of COPY's load history. */
  readonly clock?: Clock;
  /** Time by which tokens of logins expire: drivers sign them with the machine's. */
  readonly loginClock?: Clock;
}

export interface SnowflakeServer {
  /** `http://127.0.0.1:port`: the driver's `accessUrl`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly account: string;
  /** What arrived, in order, with how it ended; a test may empty it. */
  readonly statements: LoggedStatement[];
  readonly catalogue: Catalogue;
  readonly locks: TableLocks;
  readonly sessions: Service['sessions'];
  fault(fault: Fault): void;
  /** A function that decides about every statement which no `fault` matches; null ends that. */
  faultsBy(decide: Decide | null): void;
  clearFaults(): void;
  /** Rows of statements that are run beside all sessions, as an administrator, with DATABASE.PUBLIC of the first database as the current schema. */
  sql(sql: string, schema?: string): Promise<Record<string, WireValue>[]>;
  /** Ends a session from outside, as an administrator or a time limit would: what it had open is rolled back. */
  endSession(id: string): Promise<void>;
  /** Resolves when a statement that matches has arrived and waits: for a lock, or as a fault has it. */
  whenRunning(pattern: RegExp): Promise<{ readonly id: string; readonly token: string }>;
  /** Resolves when a statement waits for the lock of this table of the first database's PUBLIC. */
  whenLocked(table: string): Promise<void>;
  close(): Promise<void>;
}

/** A Snowflake over DuckDB, by real HTTP, for the real driver. Nothing outlives `close`. */
export async function startSnowflakeServer(options: SnowflakeServerOptions): Promise<SnowflakeServer> {
  const clock = options.clock ?? systemClock;
  const directory = await mkdtemp(join(tmpdir(), 'snowflake-'));
  const engine = await Engine.open();
  const catalogue = await catalogueOf(options, engine);
  const locks = new TableLocks(clock);
  const account = options.account ?? 'TESTACCOUNT';
  const queries = new Queries({
    clock,
    engine,
    locks,
    catalogue,
    account,
    readStaged: options.readStaged ?? (async () => null),
    keepFile: async (bytes) => {
      const path = join(directory, `${randomUUID()}.parquet`);
      await writeFile(path, bytes);
      return path;
    },
  });
  const service = new Service({
    account,
    users: options.users,
    catalogue,
    engine,
    locks,
    queries,
    loginClock: options.loginClock ?? systemClock,
  });
  const server = createServer((request, response) => void service.answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const [database = 'DB'] = catalogue.databases.keys();
  const administrator = service.administrator(database);
  const close = async (): Promise<void> => {
    for (const query of queries.running()) query.abort();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
    await engine.close();
    await rm(directory, { recursive: true, force: true });
  };
  return {
    url: `http://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    account,
    statements: queries.log,
    catalogue,
    locks,
    sessions: service.sessions,
    fault: (fault) => service.faults.add(fault),
    faultsBy: (decide) => {
      service.faults.decide = decide;
    },
    clearFaults: () => service.faults.clear(),
    sql: async (sql, schema = 'PUBLIC') => {
      administrator.schema = schema;
      const { columns, rows } = await queries.submit(administrator, { sql, requestId: '', binds: {}, parameters: {} }).result;
      return rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index] ?? null])));
    },
    endSession: (id) => service.end(id),
    whenLocked: (table) => locks.whenWaited(`${database}.PUBLIC.${table}`),
    whenRunning: (pattern) => queries.whenRunning(pattern),
    close,
  };
}

async function catalogueOf(
  { databases = { DB: [] }, warehouses = ['WH'], integrations = [], users }: SnowflakeServerOptions,
  engine: Engine,
): Promise<Catalogue> {
  const catalogue = new Catalogue();
  for (const [database, schemas] of Object.entries(databases)) {
    await addDatabase(catalogue, engine, database, [...new Set(['PUBLIC', ...schemas])]);
  }
  for (const name of warehouses) catalogue.warehouses.set(name, { suspended: false });
  for (const name of integrations) catalogue.accountObjects.set(`INTEGRATION ${name}`, new Map([['TYPE', 'EXTERNAL_STAGE']]));
  for (const { name, roles = [], defaultRole } of users) {
    for (const role of new Set([...roles, ...(defaultRole === undefined ? [] : [defaultRole])])) {
      catalogue.roles.add(role);
      catalogue.grants.push({ privilege: 'USAGE', on: 'ROLE', name: role, grantee: name, granteeKind: 'USER' });
    }
  }
  return catalogue;
}
