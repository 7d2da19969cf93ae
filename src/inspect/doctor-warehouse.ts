import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { openEngine } from '../engine.ts';
import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import { codeOf } from '../load/snowflake/failure.ts';
import { migrationContext } from '../load/snowflake/migrations/index.ts';
import { MEMBERS_TAG, PERSONAL_TAG } from '../load/snowflake/migrations/masking.ts';
import { FILE_FORMAT, type MigrationContext, objectSql, STAGE, stagingSchemaSql } from '../load/snowflake/migrations/names.ts';
import { ROW_ACCESS_POLICY } from '../load/snowflake/migrations/row-access.ts';
import { openSession, type SnowflakeSession } from '../load/snowflake/session.ts';
import { identifier, literal } from '../sql.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Configuration, SnowflakeConfig } from '../stream.ts';
import type { Check } from './doctor.ts';
import { FILE_ROW } from './warehouse-checks/files.ts';
import { WAREHOUSE_ITEMS } from './warehouse-checks/index.ts';
import type { Answer, Item, Step } from './warehouse-checks/item.ts';

/** Tries on an account what Tidemark takes for granted of Snowflake. */

export interface WarehouseCheck extends Check {
  readonly statements: readonly string[];
  readonly expected: string;
}

export interface WarehouseDoctorEffects {
  readonly clock: Clock;
  readonly store: ObjectStore;
}

/** @throws CONFIG where the warehouse is none of Snowflake's, WAREHOUSE where nobody lets us in. */
export async function doctorWarehouse(configuration: Configuration, effects: WarehouseDoctorEffects): Promise<readonly WarehouseCheck[]> {
  const { warehouse, store } = configuration;
  if (warehouse.kind !== 'snowflake') {
    const hint = 'Nothing was asked. `tidemark doctor` looks into a DuckDB warehouse.';
    throw new TidemarkError({ code: 'CONFIG', message: 'doctor --warehouse is for a Snowflake account', hint });
  }
  const file = await putFile(configuration, effects.store);
  try {
    return await runItems(warehouse, effects.clock, namesOf(migrationContext(warehouse, store), file));
  } finally {
    await effects.store.remove(file);
  }
}

async function runItems(config: SnowflakeConfig, clock: Clock, names: Names): Promise<readonly WarehouseCheck[]> {
  const checks: WarehouseCheck[] = [];
  for (const item of WAREHOUSE_ITEMS) checks.push(await runItem(config, clock, names, item));
  return checks;
}

/** Sessions of its own for each item: what one has set or left open touches no other. */
async function runItem(config: SnowflakeConfig, clock: Clock, names: Names, item: Item): Promise<WarehouseCheck> {
  const { name, expected } = item;
  const statements = item.steps.map((step) => filled(step.sql, names));
  const first = await openSession(config, clock);
  const other = item.steps.some(({ second }) => second) ? await openSession(config, clock) : first;
  try {
    return { ...(await judged(item, statements, (step) => (step.second ? other : first))), name, statements, expected };
  } finally {
    if (other !== first) await other.close();
    await cleanUp(first, names);
    await first.close();
  }
}

type Verdict = Pick<Check, 'state' | 'found' | 'hint'>;

async function judged(item: Item, statements: readonly string[], sessionOf: (step: Step) => SnowflakeSession): Promise<Verdict> {
  const answers: Answer[] = [];
  const waiting = new Map<number, Promise<Answer>>();
  for (const [index, step] of item.steps.entries()) {
    const asked = ask(sessionOf(step), statements[index] ?? '', step.twice);
    if (step.waits) waiting.set(index, asked);
    const answer = step.waits ? UNANSWERED : await asked;
    answers.push(answer);
    if (answer.number !== undefined && !step.mayFail) return refused(item, answer, statements[index] ?? '');
  }
  for (const [index, answer] of waiting) answers[index] = await answer;
  const last = answers.findLast((answer, index) => !isEnd(item.steps[index]) || answer.number !== undefined);
  if (item.judge(answers)) return { state: 'ok', found: describeAnswer(last), hint: null };
  if (item.optional !== undefined && last?.number !== undefined) return notTried(item.optional, last);
  return { state: 'failed', found: describeAnswer(last), hint: item.otherwise };
}

const UNANSWERED: Answer = { rows: [] };

/** A transaction's end says nothing. */
const isEnd = (step: Step | undefined): boolean => step?.sql === 'ROLLBACK';

type Refusal = Extract<Answer, { number: string }>;

function refused(item: Item, answer: Refusal, statement: string): Verdict {
  if (item.optional !== undefined) return notTried(item.optional, answer);
  const found = `${describeAnswer(answer)}, to: ${statement}`;
  return { state: 'failed', found, hint: item.refused ?? 'It could not be tried, since this statement before it was refused.' };
}

const notTried = (why: string, answer: Refusal): Verdict => ({
  state: 'warning',
  found: describeAnswer(answer),
  hint: `Not tried: ${why}.`,
});

async function ask(session: SnowflakeSession, statement: string, twice = false): Promise<Answer> {
  const requestId = randomUUID();
  try {
    if (!twice) return { rows: await session.rows(statement) };
    await session.rows(statement, [], requestId);
    return { rows: await session.rows(statement, [], requestId) };
  } catch (error) {
    if (!isTidemarkError(error)) throw error;
    return { number: codeOf(error), message: messageOf(error) };
  }
}

const LONGEST = 120;

function describeAnswer(answer: Answer | undefined): string {
  if (!answer) return 'no answer';
  if (answer.number !== undefined) return `error ${answer.number}: ${answer.message}`.slice(0, LONGEST * 2);
  const [row = {}] = answer.rows;
  const values = Object.entries(row);
  const only = values.length === 1 ? values[0]?.[1] : undefined;
  return (only === undefined ? JSON.stringify(row) : (only ?? 'NULL')).slice(0, LONGEST);
}

async function cleanUp(session: SnowflakeSession, names: Names): Promise<void> {
  await session.rows('ROLLBACK').catch(() => undefined);
  for (const table of [names.T, names.U]) await session.rows(`DROP TABLE IF EXISTS ${table}`).catch(() => undefined);
}

/** What stands in the braces of an item's statements. */
export type Names = Readonly<
  Record<'T' | 'U' | 'FILE' | 'STAGE' | 'FORMAT' | 'DATABASE' | 'READER' | 'PERSONAL' | 'MEMBERS' | 'POLICY', string>
>;

export const filled = (sql: string, names: Names): string =>
  sql.replaceAll(/\{([A-Z]+)\}/g, (whole, name: string) => (name in names ? names[name as keyof Names] : whole));

function namesOf(context: MigrationContext, file: string): Names {
  const table = (name: string): string => `${stagingSchemaSql(context)}.${identifier(name)}`;
  const id = randomUUID().slice(0, 8).toUpperCase();
  return {
    T: table(`DOCTOR_${id}`),
    U: table(`DOCTOR_${id}_2`),
    FILE: file,
    STAGE: objectSql(context, STAGE),
    FORMAT: objectSql(context, FILE_FORMAT),
    DATABASE: context.database,
    READER: context.roles.reader,
    PERSONAL: objectSql(context, PERSONAL_TAG),
    MEMBERS: objectSql(context, MEMBERS_TAG),
    POLICY: objectSql(context, ROW_ACCESS_POLICY),
  };
}

const MEMORY_BYTES = 128 * 1024 * 1024;

/** @returns the key of a file of one row in the store. */
async function putFile({ workers: { scratch } }: Configuration, store: ObjectStore): Promise<string> {
  const key = `probe/${randomUUID()}.parquet`;
  const folder = join(scratch, `doctor-${randomUUID()}`);
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'row.parquet');
  const engine = await openEngine({ path: ':memory:', threads: 1, memoryBytes: MEMORY_BYTES, tempDirectory: folder });
  try {
    await engine.run(`COPY (${FILE_ROW}) TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2)`);
    await store.upload(key, path);
    return key;
  } finally {
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  }
}
