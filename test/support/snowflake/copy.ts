import { createHash } from 'node:crypto';
import type { DuckDBResult } from '@duckdb/node-api';
import type { FullName, OtherObject, Table } from './catalogue.ts';
import { Cursor } from './cursor.ts';
import { tableSql } from './dml.ts';
import type { Writer } from './engine.ts';
import { fileNotFound, SnowflakeError, unsupported } from './errors.ts';
import { expression } from './expressions.ts';
import { exactName, sqlName, sqlString } from './names.ts';
import { nestedOptions } from './options.ts';
import { type Context, type Outcome, onCommit, type Plan, TYPE_ID } from './plan.ts';
import { countColumn, type RowSet, statusRow, textColumn } from './rowset.ts';
import { StagedText } from './staged-text.ts';

/** COPY INTO a table from named Parquet files of an external stage. */

const HISTORY_MICROS = 64 * 86_400_000_000;

interface CopyOptions {
  readonly files: readonly string[];
  readonly isForced: boolean;
  readonly format: ReadonlyMap<string, string>;
}

interface Staged {
  readonly url: string;
  readonly name: string;
  readonly bytes: Buffer;
}

export function planCopy(context: Context): Plan {
  const { cursor, catalogue } = context;
  cursor.expect('COPY', 'INTO');
  const name = context.resolve(cursor.qualifiedName());
  const table = catalogue.table(name);
  const columns = cursor.sees('(')
    ? cursor.list(() => catalogue.column(name, cursor.identifier()).name)
    : table.columns.map((column) => column.name);
  cursor.expect('FROM', '(');
  const source = StagedText.parse(context);
  cursor.expect(')');
  const stage = catalogue.other(context.resolve(source.stage), 'STAGE');
  const copy = copyOptions(context, stage);
  cursor.expectEnd();
  if (source.items.length !== columns.length) {
    throw new SnowflakeError('002020', '21S01', 'SQL compilation error:\nInsert value list does not match column list');
  }
  return { typeId: TYPE_ID.copy, needsWarehouse: true, run: () => run(context, { name, table, columns, source, stage, copy }) };
}

function copyOptions(context: Context, stage: OtherObject): CopyOptions {
  const { cursor } = context;
  let files: string[] = [];
  let format = formatOf(context, stage.options.get('FILE_FORMAT'));
  let isForced = false;
  for (;;) {
    if (cursor.takes('FILES', '=')) files = cursor.list(() => cursor.string());
    else if (cursor.takes('FILE_FORMAT', '=')) format = named(context, nestedOptions(cursor));
    else if (cursor.takes('FORCE', '=')) isForced = cursor.identifier() === 'TRUE';
    else if (cursor.takes('ON_ERROR', '=')) {
      if (cursor.next().value !== 'ABORT_STATEMENT') throw cursor.unsupported();
    } else break;
  }
  if (files.length === 0) throw unsupported('COPY without FILES');
  if (files.length > 1000)
    throw new SnowflakeError('001028', '22023', 'SQL compilation error:\ninvalid value for parameter FILES: more than 1000 files');
  if (format.get('TYPE') !== 'PARQUET') throw unsupported('COPY of anything but Parquet');
  return { files, isForced, format };
}

const formatOf = (context: Context, text: string | undefined): Map<string, string> =>
  text === undefined ? new Map() : named(context, nestedOptions(new Cursor(text)));

function named(context: Context, format: Map<string, string>): Map<string, string> {
  const name = format.get('FORMAT_NAME');
  return name === undefined ? format : context.catalogue.other(context.resolve(new Cursor(name).qualifiedName()), 'FILE FORMAT').options;
}

interface Copy {
  readonly name: FullName;
  readonly table: Table;
  readonly columns: readonly string[];
  readonly source: StagedText;
  readonly stage: OtherObject;
  readonly copy: CopyOptions;
}

async function run(context: Context, copy: Copy): Promise<Outcome> {
  const { engine, session, scope } = context;
  const fresh = (await stagedFiles(context, copy)).filter((file) => copy.copy.isForced || !wasLoaded(copy.table, file, scope.now()));
  if (fresh.length === 0) return statusRow('Copy executed with 0 files processed.');
  const counts = await engine.write(session, async (writer) => {
    const loaded: number[] = [];
    for (const file of fresh) loaded.push(await load(context, copy, file, writer));
    return loaded;
  });
  const at = scope.now();
  onCommit(session, () => {
    for (const file of fresh) copy.table.loads.set(file.url, { hash: hashOf(file), at });
  });
  const inserted = counts.reduce((sum, count) => sum + count, 0);
  return { ...answer(fresh, counts), stats: { numRowsInserted: inserted, numRowsUpdated: 0, numRowsDeleted: 0 } };
}

async function stagedFiles({ readStaged }: Context, { stage, source, copy }: Copy): Promise<Staged[]> {
  const base = (stage.options.get('URL') ?? '').replace(/\/?$/, '/');
  const staged: Staged[] = [];
  for (const file of copy.files) {
    const url = `${base}${source.path}${file}`;
    const bytes = await readStaged(url);
    if (!bytes) throw fileNotFound(url);
    staged.push({ url, name: `${source.path}${file}`, bytes });
  }
  return staged;
}

const hashOf = ({ bytes }: Staged): string => createHash('md5').update(bytes).digest('hex');

/** The same name with the same bytes, less than 64 days ago. */
function wasLoaded(table: Table, file: Staged, now: number): boolean {
  const before = table.loads.get(file.url);
  return before !== undefined && before.hash === hashOf(file) && now - before.at < HISTORY_MICROS;
}

async function load(context: Context, { name, columns, source, copy }: Copy, file: Staged, { change, look }: Writer): Promise<number> {
  const path = await context.keepFile(file.bytes);
  const schema = await described(file, () => look(`DESCRIBE SELECT * FROM ${parquet(path)}`));
  const types = new Map((await schema.getRows()).map(([column, type]) => [String(column), String(type)]));
  if (copy.format.get('USE_LOGICAL_TYPE') !== 'TRUE' && [...types.values()].some((type) => /TIMESTAMP|DECIMAL/.test(type))) {
    throw unsupported('COPY of Parquet with logical types without USE_LOGICAL_TYPE = TRUE');
  }
  const staged = { names: new Set(types.keys()), fileColumn: sqlString(file.name) };
  const items = source.items.map((item) => expression(new Cursor(item), { ...context.scope, staged }));
  const { rowsChanged } = await change(
    `INSERT INTO ${tableSql(name)} (${columns.map(sqlName).join(', ')}) SELECT ${items.join(', ')} FROM ${cleaned(path, types, copy.format)}`,
  );
  return rowsChanged;
}

/** Unless NULL_IF is `()`, a text that is `\\N` is read as NULL. */
function cleaned(path: string, types: ReadonlyMap<string, string>, format: ReadonlyMap<string, string>): string {
  const texts = [...types].filter(([, type]) => type === 'VARCHAR').map(([column]) => exactName(column));
  if (texts.length === 0 || /^\(\s*\)$/.test(format.get('NULL_IF') ?? '')) return parquet(path);
  return `(SELECT * REPLACE (${texts.map((column) => `NULLIF(${column}, '\\N') AS ${column}`).join(', ')}) FROM ${parquet(path)})`;
}

const parquet = (path: string): string => `read_parquet(${sqlString(path)}, hive_partitioning = false)`;

async function described(file: Staged, describe: () => Promise<DuckDBResult>): Promise<DuckDBResult> {
  try {
    return await describe();
  } catch (error) {
    throw new SnowflakeError('100184', '22000', `Error parsing the parquet file: ${file.url}: ${String(error).slice(0, 200)}`);
  }
}

function answer(files: readonly Staged[], counts: readonly number[]): RowSet {
  const columns = [
    ...['file', 'status'].map(textColumn),
    ...['rows_parsed', 'rows_loaded', 'error_limit', 'errors_seen'].map(countColumn),
    textColumn('first_error'),
    ...['first_error_line', 'first_error_character'].map(countColumn),
    textColumn('first_error_column_name'),
  ];
  const rows = files.map(({ url }, index) => {
    const count = String(counts[index] ?? 0);
    return [url, 'LOADED', count, count, '1', '0', null, null, null, null];
  });
  return { columns, rows };
}
