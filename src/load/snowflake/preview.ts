import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Engine, openEngine } from '../../engine.ts';
import { canonicalJson, isObject, memberOf, parseExact } from '../../json/exact.ts';
import type { Batch } from '../../manifest/documents.ts';
import { type ColumnType, DERIVED, type RecordSchema } from '../../schema/types.ts';
import { unionSchemas } from '../../schema/union.ts';
import { identifier, literal, literalList } from '../../sql.ts';
import type { Stream } from '../../stream.ts';
import { formatInstant } from '../../time.ts';
import { columnsOf, keyNames, tableSql, versionNames } from '../curated.ts';
import { previewLoad } from '../preview.ts';
import { createLayout, createTransforms } from '../statements.ts';
import { definitionOf } from '../tables.ts';
import type { LoadPreview } from '../warehouse.ts';
import { addColumns } from './evolve.ts';
import { grown } from './layout.ts';
import { columnSql, table as metaTable, type Place } from './names.ts';
import { readRowsOf, type Source, type ValueRow } from './read.ts';
import type { SnowflakeSession } from './session.ts';
import { readStreamTable } from './tables.ts';

/**
 * What a load would change. The batch's files may be no more than a draft on this machine, so the rows that the table has of their keys come
 * here, into a DuckDB in memory, and are compared there: by the text of each value, as the DuckDB warehouse compares them.
 */

export interface PreviewLimits {
  readonly threads: number;
  readonly memoryBytes: number;
  readonly tempDirectory: string;
}

export async function previewStaged(
  session: SnowflakeSession,
  place: Place,
  limits: PreviewLimits,
  stream: Stream,
  batch: Batch,
  files: readonly string[],
): Promise<LoadPreview> {
  const folder = join(limits.tempDirectory, `preview-${randomUUID()}`);
  const engine = await openEngine({ path: ':memory:', ...limits });
  try {
    await mkdir(folder, { recursive: true });
    const table = await readStreamTable(session, place, stream);
    if (table === null) return await previewLoad(engine, stream, batch, files, null);
    const source: Source = { place, stream, layout: table.layout };
    const wider = unionSchemas(table.layout.schema, batch.schema);
    const mirrored = asText(table.layout.schema);
    await mirror(engine, session, source, mirrored, files, join(folder, 'rows.ndjson'));
    const held = { definition: definitionOf(stream), schema: mirrored };
    const preview = await previewLoad(engine, stream, batch, files, held, wider);
    const statement = addColumns(place, stream, grown(stream, table.layout, batch.schema, wider, new Map()));
    return { ...preview, statements: statement === null ? [] : [statement] };
  } finally {
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Every field as canonical JSON text; of what a transform made, every column for itself. */
function asText({ version, fields, overflow }: RecordSchema): RecordSchema {
  const text = (name: string, type: ColumnType): ColumnType =>
    name === DERIVED && type.kind === 'struct'
      ? { kind: 'struct', members: type.members.map((member) => ({ name: member.name, type: JSON_TEXT })) }
      : JSON_TEXT;
  return { version, fields: fields.map(({ name, type }) => ({ name, type: text(name, type) })), overflow };
}

const JSON_TEXT: ColumnType = { kind: 'json' };

/** A table of the name and the columns of the DuckDB warehouse's, with the rows whose keys the files have. */
async function mirror(
  engine: Engine,
  session: SnowflakeSession,
  source: Source,
  schema: RecordSchema,
  files: readonly string[],
  path: string,
): Promise<void> {
  const { stream, place } = source;
  await engine.run(createLayout());
  await engine.run(createTransforms());
  const columns = columnsOf(stream, schema).map(({ name, type }) => ({ name, type: type.replace(' NOT NULL', '') }));
  const listed = columns.map(({ name, type }) => `${literal(name)}: ${literal(type)}`).join(', ');
  const lines = files.length > 0 ? await linesOf(engine, session, source, files) : [];
  await pipeline(Readable.from(lines), createWriteStream(path));
  const keys = keyNames(stream).map(identifier).join(', ');
  const known =
    files.length > 0 ? `WHERE (${keys}) IN (SELECT (${keys}) FROM read_parquet(${literalList(files)}, hive_partitioning = false))` : '';
  const read = `read_json(${literal(path)}, format = 'newline_delimited', columns = {${listed}})`;
  await engine.run(`CREATE TABLE ${tableSql(stream)} AS SELECT * FROM ${read} ${known}`);
  const made = await session.rows(`SELECT "BATCH", "TRANSFORM" FROM ${metaTable(place, 'TRANSFORMS')} WHERE "STREAM" = ?`, [stream.name]);
  for (const row of made)
    await engine.run(
      `INSERT INTO tidemark.transforms VALUES (${literal(stream.name)}, ${literal(row['BATCH'] ?? '')}, ${Number(row['TRANSFORM'])})`,
    );
}

/** The rows between the least and the greatest of the files' keys, a line each. */
async function linesOf(
  engine: Engine,
  session: SnowflakeSession,
  source: Source,
  files: readonly string[],
): Promise<AsyncIterable<string>> {
  const names = keyNames(source.stream);
  const ends = names.map((name, index) => `min(${identifier(name)}) AS l${index}, max(${identifier(name)}) AS h${index}`);
  const [row = {}] = await engine.rows(`SELECT ${ends.join(', ')} FROM read_parquet(${literalList(files)}, hive_partitioning = false)`);
  const condition = names.map((name) => `${columnSql(name)} BETWEEN ? AND ?`).join(' AND ');
  const binds = names.flatMap((_, index) => [row[`l${index}`], row[`h${index}`]]).map((end) => (typeof end === 'string' ? end : null));
  return lines(readRowsOf(session, source, `WHERE ${condition}`, binds), source);
}

async function* lines(rows: AsyncIterable<ValueRow>, { stream, layout }: Source): AsyncIterable<string> {
  for await (const { row, fields, overflow } of rows) {
    const values = layout.schema.fields.map(({ name }, index): [string, unknown] => [
      name,
      name === DERIVED ? members(fields[index] ?? null) : (fields[index] ?? null),
    ]);
    const line = {
      ...Object.fromEntries(keyNames(stream).map((name, index) => [name, row.key[index]])),
      ...Object.fromEntries(
        versionNames(stream).map((name, index) => [name, index === 0 ? formatInstant(row.version[0] ?? 0) : row.version[index]]),
      ),
      ...Object.fromEntries(values),
      _overflow: overflow.length > 0 ? Object.fromEntries(overflow) : null,
      _page: row.page,
      _position: row.position,
      _content_hash: row.contentHash,
      _batch: row.batch,
      _loaded_at: formatInstant(row.loadedAt),
    };
    yield `${JSON.stringify(line)}\n`;
  }
}

/** A struct's members, each as its canonical JSON. */
function members(json: string | null): Readonly<Record<string, string>> | null {
  const value = json === null ? null : parseExact(json);
  if (value === null || !isObject(value)) return null;
  return Object.fromEntries(Object.keys(value).map((name) => [name, canonicalJson(memberOf(value, name))]));
}
