import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../engine.ts';
import { TidemarkError } from '../errors.ts';
import type { Batch, BatchFile } from '../manifest/documents.ts';
import type { TimeRange } from '../manifest/landed.ts';
import { LINEAGE } from '../schema/types.ts';
import { identifier, literal, literalList } from '../sql.ts';
import type { Stream } from '../stream.ts';
import { HOUR } from '../time.ts';
import { digestSql, rootOfDigests } from './root.ts';

/** A DuckDB and a folder for what passes through; `bring` copies a published file, and says what is wrong with it. */
export interface Workbench {
  readonly engine: Engine;
  readonly folder: string;
  readonly bring: (file: BatchFile, path: string) => Promise<'missing' | 'altered' | null>;
}

type Columns = Pick<Stream, 'key' | 'version'>;

/** Files that are on this machine at once; each round leaves only the distinct observations so far. */
const FILES = 16;

export const keyColumns = ({ key }: Columns): string[] => key.map((_, at) => `k${at}`);
export const versionColumns = ({ version }: Columns): string[] => version.map((_, at) => `v${at}`);
/** What names an observation. The first of the version is in microseconds. */
export const identityColumns = (columns: Columns): string[] => [...keyColumns(columns), ...versionColumns(columns), 'h'];

export interface Gathering {
  readonly columns: Columns;
  readonly batches: readonly Pick<Batch, 'id' | 'sightings' | 'minTime' | 'maxTime'>[];
  readonly range: TimeRange;
  /** Further columns: an expression over `page` for each landing, and what an observation gets of its landings'. */
  readonly marks?: readonly Mark[];
}

export interface Mark {
  readonly name: string;
  readonly sql: string;
  readonly fold: 'min' | 'max';
}

/** `r`: the number from 1 of the first of these windows (keys.windowName) that brought an observation; 0 where another one did. */
export const firstWindow = (windows: readonly string[]): Mark => ({
  name: 'r',
  sql: `coalesce(list_position(${literalList(windows)}, regexp_extract(page, '/win=([^/]+)/', 1)), 0)`,
  fold: 'min',
});

export const meets = ({ minTime, maxTime }: Pick<Batch, 'minTime' | 'maxTime'>, range: TimeRange): boolean =>
  minTime !== null && maxTime !== null && minTime < range.to && maxTime >= range.from;

/**
 * Leaves two tables. `<name>`: each distinct observation of the range, by key, version and `h`, with one place where it landed (`page`,
 * `position`) and the marks, as integers. `<name>_landed`: (batch, page, hour, n). Batches that do not meet the range are not brought. @throws CORRUPT where a file is not what was published.
 */
export async function gather(bench: Workbench, name: string, { columns, batches, range, marks = [] }: Gathering): Promise<void> {
  const { engine, folder } = bench;
  await engine.run(createSql(name, columns, marks));
  const files = batches
    .filter((batch) => meets(batch, range))
    .flatMap((batch) => batch.sightings.map((file) => ({ file, batch: batch.id })));
  for (let from = 0; from < files.length; from += FILES) {
    const round = files
      .slice(from, from + FILES)
      .map(({ file, batch }, at) => ({ file, batch, path: join(folder, `${name}-${at}.parquet`) }));
    try {
      for (const { file, path } of round) await bringWhole(bench, file, path);
      for (const { batch, path } of round) await engine.run(landedSql(name, columns, batch, path, range));
      const paths = round.map(({ path }) => path);
      await engine.run(foldSql(name, columns, paths, range, marks));
    } finally {
      for (const { path } of round) await rm(path, { force: true });
    }
  }
}

async function bringWhole({ bring }: Workbench, file: BatchFile, path: string): Promise<void> {
  const problem = await bring(file, path);
  if (problem === null) return;
  throw new TidemarkError({
    code: 'CORRUPT',
    message: `${file.key}: ${problem === 'missing' ? 'not there any more' : 'not the file that was published'}`,
    hint: 'Nothing was certified from it. Restore it from a copy or an older version; `tidemark verify` lists everything that differs.',
  });
}

const createSql = (name: string, columns: Columns, marks: readonly Mark[]): string => `
CREATE OR REPLACE TABLE ${name} (${identityColumns(columns)
  .map((column) => `${column} ${column.startsWith('v') ? 'BIGINT' : 'VARCHAR'}`)
  .join(', ')}, page VARCHAR, position INTEGER${marks.map((mark) => `, ${mark.name} INTEGER`).join('')});
CREATE OR REPLACE TABLE ${name}_landed (batch VARCHAR, page VARCHAR, hour BIGINT, n BIGINT)`;

const timeSql = ({ version }: Columns): string => `epoch_us(${identifier(version[0].name)})`;
const within = (time: string, { from, to }: TimeRange): string => `${time} >= ${from} AND ${time} < ${to}`;
/** In whole numbers; of times before 1970, which are negative, the remainder is too. */
export const hourSql = (time: string): string => `${time} - (${time} % ${HOUR} + ${HOUR}) % ${HOUR}`;

const landedSql = (name: string, columns: Columns, batch: string, path: string, range: TimeRange): string => `
INSERT INTO ${name}_landed SELECT ${literal(batch)}, page, hour, count(*)
FROM (SELECT ${LINEAGE.page} AS page, ${timeSql(columns)} AS t, ${hourSql('t')} AS hour FROM read_parquet(${literal(path)}))
WHERE ${within('t', range)} GROUP BY page, hour`;

function foldSql(name: string, columns: Columns, paths: readonly string[], range: TimeRange, marks: readonly Mark[]): string {
  const identity = identityColumns(columns).join(', ');
  const read = [
    ...columns.key.map((column, at) => `${identifier(column.name)} AS k${at}`),
    ...columns.version.map((column, at) => `${at === 0 ? timeSql(columns) : identifier(column.name)} AS v${at}`),
    `${LINEAGE.contentHash} AS h`,
    `${LINEAGE.page} AS page`,
    `${LINEAGE.position} AS position`,
  ];
  const marked = marks.map((mark) => `, CAST(${mark.sql} AS INTEGER) AS ${mark.name}`).join('');
  const folded = marks.map((mark) => `, ${mark.fold}(${mark.name}) AS ${mark.name}`).join('');
  return `CREATE OR REPLACE TABLE ${name} AS
SELECT ${identity}, min(page) AS page, arg_min(position, page) AS position${folded}
FROM (SELECT * FROM ${name} UNION ALL
  SELECT *${marked} FROM (SELECT ${read.join(', ')} FROM read_parquet(${literalList(paths)})) WHERE ${within('v0', range)})
GROUP BY ${identity}`;
}

/** What is counted of one hour. */
export interface HourTotals {
  readonly observations: number;
  readonly keys: number;
  readonly pages: number;
  readonly records: number;
  readonly root: string;
}

/** @param name of tables that `gather` left, over a range that holds the whole hour. */
export async function totalsOf({ engine }: Workbench, name: string, columns: Columns, hour: number): Promise<HourTotals> {
  const inHour = within('v0', { from: hour, to: hour + HOUR });
  const [row] = await engine.rows(`
SELECT count(*) AS observations, (SELECT count(*) FROM (SELECT DISTINCT ${keyColumns(columns).join(', ')} FROM ${name} WHERE ${inHour})) AS keys
FROM ${name} WHERE ${inHour}`);
  // A page that several batches were made of was landed once.
  const [landed] = await engine.rows(`
SELECT count(*) AS pages, coalesce(sum(n), 0)::BIGINT AS records FROM (SELECT page, max(n) AS n
  FROM (SELECT batch, page, sum(n) AS n FROM ${name}_landed WHERE hour = ${hour} GROUP BY batch, page) GROUP BY page)`);
  const observations = Number(row?.['observations']);
  await engine.run(
    `CREATE OR REPLACE TABLE ${name}_digests AS SELECT ${digestSql(identityColumns(columns))} AS d FROM ${name} WHERE ${inHour}`,
  );
  return {
    observations,
    keys: Number(row?.['keys']),
    pages: Number(landed?.['pages']),
    records: Number(landed?.['records']),
    root: await rootOfDigests(engine, `FROM ${name}_digests`, observations),
  };
}
