import { isDeepStrictEqual } from 'node:util';
import type { Micros } from '../../clock.ts';
import { isTidemarkError, TidemarkError } from '../../errors.ts';
import type { RecordSchema } from '../../schema/types.ts';
import { unionSchemas } from '../../schema/union.ts';
import type { Stream } from '../../stream.ts';
import { addColumns, createLatest, createRows, createView, dropLatest } from './evolve.ts';
import { alreadyThere, isRefused } from './failure.ts';
import { allColumns, EMPTY, type Growth, grown, layoutJson } from './layout.ts';
import { rowAccessClause, tagStatements } from './migrations/attach.ts';
import { folded, informationSql, type Place, rowsName, viewName } from './names.ts';
import type { SnowflakeSession } from './session.ts';
import * as sql from './statements.ts';
import { currentTransaction, definitionText, readStreamTable, run, type StreamTable, transaction } from './tables.ts';
import { snowflakeType } from './types.ts';

/**
 * Makes or evolves a stream's table. DDL commits by itself in Snowflake, so the order makes it safe: columns are added first, which nobody
 * writes or reads yet; then the views; and last, under the fence, TIDEMARK_STREAMS says of them, if it still says what it did. Whoever dies
 * in between has changed nothing that matters, and the next one goes on with what is there.
 */
export async function migrateStream(
  session: SnowflakeSession,
  place: Place,
  stream: Stream,
  schema: RecordSchema,
  now: Micros,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    if (await tryMigrate(session, place, stream, schema, now)) return;
    if (attempt === ATTEMPTS) throw contended(stream);
  }
}

/** Another one that evolves the same table wins at most as often as there is something to add. */
const ATTEMPTS = 10;

function contended(stream: Stream): TidemarkError {
  return new TidemarkError({
    code: 'WAREHOUSE_BUSY',
    message: `Table ${stream.name} is being altered by others all the time`,
    hint: 'Nothing was lost. The same again goes on from there.',
    transient: true,
  });
}

/** @returns whether the table was found to be as it is to be; where it was changed, that is looked at anew. */
async function tryMigrate(session: SnowflakeSession, place: Place, stream: Stream, schema: RecordSchema, now: Micros): Promise<boolean> {
  const table = await readStreamTable(session, place, stream);
  const before = table?.layout ?? EMPTY;
  const wider = table ? unionSchemas(before.schema, schema) : schema;
  const growth = grown(stream, before, schema, wider, new Map());
  const definition = definitionText(stream);
  if (table && isDeepStrictEqual(growth.layout, before) && definition === table.row.definition) return true;
  try {
    const done = await grow(session, place, stream, table, { schema, wider });
    await describe(session, place, stream, table, { ...done, definition }, now);
  } catch (error) {
    if (!alreadyThere(error)) throw error;
  }
  return false;
}

/** Adds what is missing. @returns what the table holds then, and the statements that did it. */
async function grow(
  session: SnowflakeSession,
  place: Place,
  stream: Stream,
  table: StreamTable | null,
  { schema, wider }: { readonly schema: RecordSchema; readonly wider: RecordSchema },
): Promise<Growth & { readonly statements: readonly string[] }> {
  let present = await readColumns(session, place, stream);
  if (present.size === 0) {
    await create(session, place, stream, grown(stream, EMPTY, schema, wider, present));
    // Another one may have made it meanwhile, for another schema.
    present = await readColumns(session, place, stream);
  }
  const growth = grown(stream, table?.layout ?? EMPTY, schema, wider, present);
  const statement = addColumns(place, stream, growth);
  if (statement !== null) await session.run(statement);
  return { ...growth, statements: statement === null ? [] : [statement] };
}

async function create(session: SnowflakeSession, place: Place, stream: Stream, growth: Growth): Promise<void> {
  await assertNameIsFree(session, place, stream);
  await session.run(sql.createFence(place, stream.name));
  const keys = stream.key.map(({ name }) => ({ name: folded(name), field: name }));
  await governed(stream, () => session.run(createRows(place, stream, growth, rowAccessClause(place, stream, keys))));
}

async function describe(
  session: SnowflakeSession,
  place: Place,
  stream: Stream,
  table: StreamTable | null,
  { layout, statements, definition }: Growth & { readonly statements: readonly string[]; readonly definition: string },
  now: Micros,
): Promise<void> {
  const columns = allColumns(layout).map(({ name, field, type }) => ({ name, field, type: snowflakeType(type) }));
  for (const statement of tagStatements(place, stream, rowsName(stream.name), columns))
    await governed(stream, () => session.run(statement));
  await session.run(createView(place, stream, layout));
  const latest = createLatest(place, stream, layout);
  if (latest !== null) await session.run(latest);
  else if ((table?.latestBy.length ?? 0) > 0) await session.run(dropLatest(place, stream));
  const schema = layoutJson(layout);
  if (table === null) await run(session, sql.insertFence(place, stream.name, now));
  await transaction(session, async () => {
    await run(session, sql.takeFence(place, stream.name, 1, now));
    const id = await currentTransaction(session);
    const row = { definition, schema };
    const change = table
      ? await run(session, sql.updateStream(place, stream.name, table.row, row, now, id))
      : await run(session, sql.insertStream(place, stream.name, row, now, id));
    if (change.updated + change.inserted !== 1) return;
    const detail = table ? { from: table.layout.schema.version, to: layout.schema.version, statements } : { schema: layout.schema };
    await run(session, sql.insertAudit(place, stream.name, table ? 'evolve' : 'create', null, detail, now, id));
  });
}

/** Policies and tags are made by an administrator, so that whoever loads cannot take them away. */
async function governed(stream: Stream, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (!isTidemarkError(cause) || !isRefused(cause)) throw cause;
    throw new TidemarkError({
      code: 'WAREHOUSE',
      message: `Table ${stream.name} cannot be put under the policies of its environment and its personal fields: ${cause.message}`,
      hint: 'Nothing was loaded. An administrator runs what `tidemark warehouse migrate --plan` prints, and the same again goes on.',
      data: cause.data,
      cause,
    });
  }
}

/** Columns that the table has, with Snowflake's types; none where there is no table yet. */
async function readColumns(session: SnowflakeSession, place: Place, stream: Stream): Promise<ReadonlyMap<string, string>> {
  const found = await session.rows(
    `SELECT "COLUMN_NAME", "DATA_TYPE", "NUMERIC_PRECISION", "NUMERIC_SCALE" FROM ${informationSql(place, 'COLUMNS')}
WHERE "TABLE_SCHEMA" = ? AND "TABLE_NAME" = ?`,
    [place.schema, rowsName(stream.name)],
  );
  return new Map(
    found.map((row) => {
      const type = row['DATA_TYPE'] === 'TEXT' ? 'VARCHAR' : (row['DATA_TYPE'] ?? '');
      return [row['COLUMN_NAME'] ?? '', type === 'NUMBER' ? `NUMBER(${row['NUMERIC_PRECISION']},${row['NUMERIC_SCALE']})` : type];
    }),
  );
}

async function assertNameIsFree(session: SnowflakeSession, place: Place, stream: Stream): Promise<void> {
  const found = await session.rows(
    `SELECT "TABLE_NAME" FROM ${informationSql(place, 'TABLES')} WHERE "TABLE_SCHEMA" = ? AND "TABLE_NAME" = ?`,
    [place.schema, viewName(stream.name)],
  );
  if (found.length === 0) return;
  throw new TidemarkError({
    code: 'WAREHOUSE',
    message: `The warehouse has a table or view ${viewName(stream.name)} that Tidemark did not make`,
    hint: 'It was not touched. Rename it, name the stream otherwise, or name another schema.',
  });
}
