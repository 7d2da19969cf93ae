import { isDeepStrictEqual } from 'node:util';
import type { Micros } from '../clock.ts';
import type { Engine } from '../engine.ts';
import { TidemarkError } from '../errors.ts';
import type { RecordSchema } from '../schema/types.ts';
import { unionSchemas } from '../schema/union.ts';
import type { Stream } from '../stream.ts';
import { commentOnTable, createLatestView, createTable, dropLatestView, tableExists } from './curated.ts';
import { evolveTable } from './evolve.ts';
import * as sql from './statements.ts';
import { definitionOf, ensureTables, readStreamTable, type StreamTable, transaction } from './tables.ts';

/** Makes or evolves a stream's curated table; one transaction, and none where it is as it should be. */
export async function migrateStream(engine: Engine, stream: Stream, schema: RecordSchema, now: Micros): Promise<void> {
  await ensureTables(engine);
  const table = await readStreamTable(engine, stream);
  if (table === null) await create(engine, stream, schema, now);
  else await evolve(engine, stream, table, schema, now);
}

async function create(engine: Engine, stream: Stream, schema: RecordSchema, now: Micros): Promise<void> {
  await assertNameIsFree(engine, stream);
  await transaction(engine, async () => {
    await engine.run(createTable(stream, schema));
    await engine.run(sql.insertStream(stream.name, JSON.stringify(definitionOf(stream)), JSON.stringify(schema), now));
    await describe(engine, stream, schema);
    await engine.run(sql.insertAudit(stream.name, 'create', null, { schema }, now));
  });
}

async function assertNameIsFree(engine: Engine, stream: Stream): Promise<void> {
  if ((await engine.rows(tableExists(stream))).length === 0) return;
  throw new TidemarkError({
    code: 'WAREHOUSE',
    message: `The warehouse has a table or view ${stream.name} that Tidemark did not make`,
    hint: 'It was not touched. Rename it, name the stream otherwise, or name another warehouse.',
  });
}

async function evolve(engine: Engine, stream: Stream, table: StreamTable, schema: RecordSchema, now: Micros): Promise<void> {
  const wider = unionSchemas(table.schema, schema);
  const definition = definitionOf(stream);
  if (isDeepStrictEqual(wider, table.schema) && isDeepStrictEqual(definition, table.definition)) return;
  const statements = evolveTable(stream, table.schema, wider);
  await transaction(engine, async () => {
    for (const statement of statements) await engine.run(statement);
    await engine.run(sql.updateStream(stream.name, JSON.stringify(definition), JSON.stringify(wider), now));
    if (table.definition.latestBy.length > 0) await engine.run(dropLatestView(stream));
    await describe(engine, stream, wider);
    await engine.run(sql.insertAudit(stream.name, 'evolve', null, { from: table.schema.version, to: wider.version, statements }, now));
  });
}

async function describe(engine: Engine, stream: Stream, schema: RecordSchema): Promise<void> {
  await engine.run(commentOnTable(stream, schema));
  const view = createLatestView(stream, schema);
  if (view !== null) await engine.run(view);
}
