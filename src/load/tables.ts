import type { Micros } from '../clock.ts';
import type { Engine } from '../engine.ts';
import { TidemarkError } from '../errors.ts';
import type { RecordSchema } from '../schema/types.ts';
import type { Stream } from '../stream.ts';
import { keyNames, versionNames } from './curated.ts';
import * as sql from './statements.ts';
import { textOf } from './values.ts';

/** Tidemark's own tables of the warehouse: are they there, are they ours, what do they say of a stream. */

/** Runs `work` between BEGIN and COMMIT. `onCommit` is told right before COMMIT: from then on, a failure leaves the outcome unknown. */
export async function transaction<T>(engine: Engine, work: () => Promise<T>, onCommit: () => void = () => undefined): Promise<T> {
  await engine.run('BEGIN TRANSACTION');
  try {
    const result = await work();
    onCommit();
    await engine.run('COMMIT');
    return result;
  } catch (error) {
    // Where the transaction has ended by itself there is nothing to roll back; the first error is the one to tell.
    await engine.run('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** @returns false where the warehouse is new. @throws WAREHOUSE_VERSION where its tables have another layout. */
export async function hasTables(engine: Engine): Promise<boolean> {
  if ((await engine.rows(sql.hasLayout())).length === 0) return false;
  const [row] = await engine.rows(sql.readLayout());
  if (row?.['value'] === String(sql.LAYOUT)) return true;
  throw new TidemarkError({
    code: 'WAREHOUSE_VERSION',
    message: `The warehouse has tables of layout ${JSON.stringify(row?.['value'] ?? null)}; this version of Tidemark knows ${sql.LAYOUT}`,
    hint: 'Nothing was changed. Use the version that made them, or name another warehouse and replay.',
  });
}

export async function ensureTables(engine: Engine): Promise<void> {
  if (!(await hasTables(engine))) await transaction(engine, () => engine.run(sql.createLayout()));
  if ((await engine.rows(sql.hasTransforms())).length === 0) await transaction(engine, () => engine.run(sql.createTransforms()));
}

/** What the curated table is, so that a configuration with another idea of it is noticed. */
interface Definition {
  readonly key: readonly string[];
  readonly version: readonly string[];
  readonly latestBy: readonly string[];
}

export interface StreamTable {
  readonly definition: Definition;
  readonly schema: RecordSchema;
}

export const definitionOf = (stream: Stream): Definition => ({
  key: keyNames(stream),
  version: versionNames(stream),
  latestBy: stream.latestBy,
});

/** @returns null where the stream has no table yet. @throws CONFIG where it has one with another key or version. */
export async function readStreamTable(engine: Engine, stream: Stream): Promise<StreamTable | null> {
  const [row] = await engine.rows(sql.readStream(stream.name));
  if (!row) return null;
  const table: StreamTable = { definition: JSON.parse(textOf(row['definition'])), schema: JSON.parse(textOf(row['schema'])) };
  const { key, version } = definitionOf(stream);
  if (same(key, table.definition.key) && same(version, table.definition.version)) return table;
  throw new TidemarkError({
    code: 'CONFIG',
    message: `Table ${stream.name} has the key (${table.definition.key.join(', ')}) and the version (${table.definition.version.join(', ')}); the configuration says (${key.join(', ')}) and (${version.join(', ')})`,
    hint: 'Nothing was changed. A stream with another key is another table: give it another name and replay.',
  });
}

const same = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((name, index) => name === b[index]);

/** @throws NOT_FOUND where the stream was never migrated. */
export async function requireStreamTable(engine: Engine, stream: Stream): Promise<StreamTable> {
  const table = (await hasTables(engine)) ? await readStreamTable(engine, stream) : null;
  if (table) return table;
  const hint = 'Nothing was changed. `tidemark run` and `tidemark load` make it from the schema of the stream.';
  throw new TidemarkError({ code: 'NOT_FOUND', message: `The warehouse has no table for ${stream.name} yet`, hint });
}

/** Must be part of a transaction. */
export async function moveWatermark(engine: Engine, stream: string, watermark: Micros | null, now: Micros): Promise<void> {
  if (watermark !== null) await engine.run(sql.moveWatermark(stream, watermark, now));
}
