import { isDeepStrictEqual } from 'node:util';
import { TidemarkError } from '../../errors.ts';
import type { Stream } from '../../stream.ts';
import { definitionOf } from '../tables.ts';
import { type Layout, layoutOf } from './layout.ts';
import { pendingMigrations } from './migrations/apply.ts';
import type { Place } from './names.ts';
import type { SnowflakeSession } from './session.ts';
import * as sql from './statements.ts';

/** What stands in Tidemark's own tables of a stream; transactions. */

export interface StreamTable {
  readonly layout: Layout;
  readonly latestBy: readonly string[];
  /** As it stands there, to change it only where it still does. */
  readonly row: sql.StreamRow;
}

/** What the table is, so that a configuration with another idea of it is noticed. */
export const definitionText = (stream: Stream): string => JSON.stringify({ ...definitionOf(stream), clusterBy: stream.clusterBy ?? null });

/** @throws WAREHOUSE_VERSION where migrations are missing, or are of a later version. */
export async function requireMigrations(session: SnowflakeSession, place: Place): Promise<void> {
  const pending = await pendingMigrations((statement) => session.rows(statement), place);
  if (pending.length === 0) return;
  throw new TidemarkError({
    code: 'WAREHOUSE_VERSION',
    message: `Schema ${place.database}.${place.schema} lacks Tidemark's own tables, or a change of them: ${pending.map(({ version, name }) => `${version} (${name})`).join(', ')}`,
    hint: 'Nothing was changed. Run `tidemark warehouse migrate` first; with --plan it shows what it would do.',
  });
}

export async function readStreamTable(session: SnowflakeSession, place: Place, stream: Stream): Promise<StreamTable | null> {
  const { sql: text, binds } = sql.readStream(place, stream.name);
  const [row] = await session.rows(text, binds);
  if (!row) return null;
  const [definition, schema] = [row['DEFINITION'] ?? '', row['SCHEMA'] ?? ''];
  const theirs = JSON.parse(definition) as ReturnType<typeof definitionOf> & { readonly clusterBy: string | null };
  assertSame(stream, theirs);
  return { layout: layoutOf(schema), latestBy: theirs.latestBy, row: { definition, schema } };
}

/** @throws CONFIG where the table has another key or version, or another date that it is clustered by: loads look for a key's row by it. */
function assertSame(stream: Stream, theirs: ReturnType<typeof definitionOf> & { readonly clusterBy: string | null }): void {
  const { key, version } = definitionOf(stream);
  const clusterBy = stream.clusterBy ?? null;
  if (isDeepStrictEqual([key, version, clusterBy], [theirs.key, theirs.version, theirs.clusterBy])) return;
  const said = (of: { key: readonly string[]; version: readonly string[]; clusterBy: string | null }): string =>
    `the key (${of.key.join(', ')}), the version (${of.version.join(', ')}) and clusterBy ${of.clusterBy ?? 'none'}`;
  throw new TidemarkError({
    code: 'CONFIG',
    message: `Table ${stream.name} has ${said(theirs)}; the configuration says ${said({ key, version, clusterBy })}`,
    hint: 'Nothing was changed. A stream with another key is another table: give it another name and replay.',
  });
}

/** @throws NOT_FOUND where the stream was never migrated. */
export async function requireStreamTable(session: SnowflakeSession, place: Place, stream: Stream): Promise<StreamTable> {
  const table = await readStreamTable(session, place, stream);
  if (table) return table;
  const hint = 'Nothing was changed. `tidemark run` and `tidemark load` make it from the schema of the stream.';
  throw new TidemarkError({ code: 'NOT_FOUND', message: `The warehouse has no table for ${stream.name} yet`, hint });
}

export const run = (session: SnowflakeSession, { sql: text, binds }: sql.Statement): ReturnType<SnowflakeSession['run']> =>
  session.run(text, binds);

export const rows = (session: SnowflakeSession, { sql: text, binds }: sql.Statement): ReturnType<SnowflakeSession['rows']> =>
  session.rows(text, binds);

/** Runs `work` between BEGIN and COMMIT. `onCommit` is told right before COMMIT: from then on, a failure leaves the outcome unknown. */
export async function transaction<T>(
  session: SnowflakeSession,
  work: () => Promise<T>,
  onCommit: () => void = () => undefined,
): Promise<T> {
  await session.run(sql.BEGIN);
  try {
    const result = await work();
    onCommit();
    await session.run(sql.COMMIT);
    return result;
  } catch (error) {
    await rollBack(session);
    throw error;
  }
}

/** The first error is the one to tell. A session that cannot be rolled back is closed, which does so: the next DDL in it would commit. */
async function rollBack(session: SnowflakeSession): Promise<void> {
  if (session.isLost) return;
  await session.run(sql.ROLLBACK).catch(() => {
    session.isLost = true;
  });
}

/** Id of the open transaction. @throws WAREHOUSE (transient) where there is none any more. */
export async function currentTransaction(session: SnowflakeSession): Promise<string> {
  const [row] = await rows(session, sql.readTransaction());
  const id = row?.['ID'] ?? null;
  if (id === null) throw endedFromOutside();
  return id;
}

/** Of a transaction that the service or an administrator has ended. */
export const endedFromOutside = (): TidemarkError =>
  new TidemarkError({
    code: 'WAREHOUSE',
    message: 'The open transaction was ended from outside',
    hint: 'Nothing was changed; the same again goes on. Snowflake ends one that stood idle for five minutes while another loader waited: was this machine asleep?',
    transient: true,
  });
